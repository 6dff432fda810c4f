# SPDX-License-Identifier: Apache-2.0
"""The application for a WSGI server of the operator's choice: ``fpga_api.wsgi:application``.

`FPGA_API_CONFIG_FILE` names another configuration than the default one.
"""

import os

from oslo_log import log as logging

from fpga_api import app, options
from fpga_api.claims import limits

_file = os.environ.get("FPGA_API_CONFIG_FILE")
_conf = options.load([_file] if _file else None)
logging.setup(_conf, "fpga-api")
limits.configure(_conf)

application = app.create_app(_conf)
