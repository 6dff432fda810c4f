# SPDX-License-Identifier: Apache-2.0
"""Glance itself, on loopback, with the tokens of the personas: run as a process.

python -m tests.support.glance_process FOLDER PORT
"""

import os
import sys
from pathlib import Path

import waitress

from tests.support import api

_CONF = """
[DEFAULT]
enabled_backends = file:file
worker_self_reference_url = http://127.0.0.1:{port}
[database]
connection = sqlite:///{folder}/glance.sqlite
[keystone_authtoken]
www_authenticate_uri = http://127.0.0.1:1
service_token_roles_required = true
[paste_deploy]
flavor = keystone
config_file = {prefix}/etc/glance/glance-api-paste.ini
[image_format]
container_formats = bare,docker,fpga
[glance_store]
default_backend = file
[file]
filesystem_store_datadir = {folder}/images
[os_glance_staging_store]
filesystem_store_datadir = {folder}/staging
[os_glance_tasks_store]
filesystem_store_datadir = {folder}/tasks
[oslo_concurrency]
lock_path = {folder}/lock
"""


def main() -> None:
    """Serve until killed."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    for name in ("images", "staging", "tasks", "lock"):
        (folder / name).mkdir()
    text = _CONF.format(folder=folder, port=port, prefix=sys.prefix)
    (folder / "glance-api.conf").write_text(text)
    os.environ["OS_GLANCE_CONFIG_DIR"] = str(folder)
    sys.argv[1:] = []
    with api.Tokens():
        # The import makes the application.
        from glance.wsgi import api as glance

        _make_tables()
        waitress.serve(glance.application, host="127.0.0.1", port=port, threads=4)


def _make_tables() -> None:
    """What `glance-manage db_sync` makes, in a tenth of its time."""
    from glance.db.sqlalchemy import api as database
    from glance.db.sqlalchemy import models

    models.register_models(database.get_engine())


if __name__ == "__main__":
    main()
