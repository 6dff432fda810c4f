# SPDX-License-Identifier: Apache-2.0
"""A program that the driver `command` can wrap, whose regions are files."""

#: The three verbs, and `reset`, for two regions whose state is a file each.
PROGRAM = """#!/bin/sh
cd "$(dirname "$0")"
case $1 in
burn) id=$(cat /proc/sys/kernel/random/uuid); cp "$2" burnt.$id && echo $id ;;
erase) test -e burnt.$2 || exit 33; rm -f burnt.$2 ;;
reset) test -e burnt.$2 || exit 33 ;;
status) set -- burnt.*; test -e "$1" || shift; echo "Used regions: $#/2" ;;
esac
"""
