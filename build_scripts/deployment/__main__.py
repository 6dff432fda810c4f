# SPDX-License-Identifier: Apache-2.0
"""Runs the command of cloud.sh."""

import sys

from deployment.command import main

sys.exit(main())
