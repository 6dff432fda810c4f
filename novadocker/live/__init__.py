# SPDX-License-Identifier: Apache-2.0
"""Live images: what runs as root to dump a container and to restore one.

The modules here import neither Nova nor the Docker SDK. They trust the command line and the files
of root. All else is checked, the images most of all: CRIU makes of an image whatever the image
says, so an image that anybody could change would make anybody root.
"""
