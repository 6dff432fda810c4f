# SPDX-License-Identifier: Apache-2.0
"""Cyborg beside a demo cloud: installed, started for one compute host, and removed without a trace.

All of it is below DEMO_DIR/cyborg, in the databases of the cloud's MariaDB and in Keystone. The
agent has Cyborg's own fake driver: one card with 16 accelerators, which are programmed as the
conductor in cyborg_conductor.py does it.
"""

import configparser
import contextlib
import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
import typing
from pathlib import Path

import sqlalchemy
from cloud import Cloud, CloudError
from keystoneauth1 import adapter, service_token
from keystoneauth1 import session as keystoneauth
from keystoneauth1.identity import v3

CHECKOUT = Path(__file__).parents[1]
NAME = "cyborg"
#: The device profile that a flavor names: one accelerator of the fake card.
PROFILE = "bench"

_CLOUD_USER = "fpga-cloud"
_TRAIT = "CUSTOM_FAKE_DEVICE"
_GROUPS = [{"resources:FPGA": "1", f"trait:{_TRAIT}": "required"}]
_PATIENCE = 60  # seconds


class Cyborg:
    """The three services of Cyborg.

    :param host: the compute host that the agent is for
    """

    def __init__(self, cloud: Cloud, host: str) -> None:
        self._cloud = cloud
        self._host = host
        self._folder = cloud.folder / NAME
        self._binaries = self._folder / "venv" / "bin"
        self._config = self._folder / "cyborg.conf"
        self._programming = self._folder / "programming"
        self._nova = configparser.RawConfigParser(strict=False)
        self._nova.read(cloud.folder / "etc" / "nova" / "nova.conf")
        self._password = secrets.token_hex(16)
        self._port = _free_port()
        self._url = f"http://127.0.0.1:{self._port}/v2"

    def start(self) -> None:
        """Install and start everything; wait until the accelerators can be had.

        :raises CloudError: they cannot
        """
        self._install()
        self._make_database()
        self._configure()
        self._run(str(self._binaries / "cyborg-dbsync"), *self._arguments(), "upgrade")
        self._register()
        for description in self._daemons():
            self._run(*self._daemon_program(), "start", "--wait", data=json.dumps(description))
        self._wait_for_provider()
        profile = [{"name": PROFILE, "groups": _GROUPS}]
        answer = self._cloud.api.session.post(f"{self._url}/device_profiles", json=profile)
        answer.raise_for_status()

    def program_for(self, seconds: float) -> None:
        """Have the next accelerators be programmed for so long."""
        new = self._programming.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._programming)

    def adapter(self) -> adapter.Adapter:
        """Its API as a service calls it, with a service token: others bind no accelerators."""
        of = dict(self._nova["placement"])
        names = ("auth_url", "password", "project_name", "project_domain_name", "user_domain_name")
        auth = v3.Password(username=NAME, **{name: of[name] for name in names})
        both = service_token.ServiceTokenAuthWrapper(user_auth=auth, service_auth=auth)
        session = keystoneauth.Session(auth=both)
        return adapter.Adapter(session, endpoint_override=self._url)

    def remove(self) -> None:
        """Take everything away, also what an interrupted run has left."""
        if (self._folder / "run").exists():
            self._run(*self._daemon_program(), "stop")
        self._remove_providers()
        identity = self._cloud.api.identity
        for service in identity.services(type="accelerator"):
            identity.delete_service(service)
        if user := identity.find_user(NAME):
            identity.delete_user(user.id)
        self._sql(f"DROP DATABASE IF EXISTS {NAME}", f"DROP USER IF EXISTS {NAME}")
        if self._folder.exists():
            shutil.rmtree(self._folder)

    def _install(self) -> None:
        uv = str(CHECKOUT / ".tools" / "bin" / "uv")
        environment = str(self._binaries.parent)
        self._run(uv, "venv", "--quiet", "--python", "/usr/bin/python3", environment)
        how = ["--quiet", "--compile-bytecode", "--link-mode", "copy", "--python", environment]
        lock = str(CHECKOUT / "requirements" / "cyborg.txt")
        self._run(uv, "pip", "install", *how, "--require-hashes", "--requirement", lock)
        for name in ("log", "run", "state"):
            (self._folder / name).mkdir()
        shutil.copy(CHECKOUT / "benchmarks" / "cyborg_conductor.py", self._folder)
        self.program_for(0)
        shutil.chown(self._folder / "state", _CLOUD_USER, _CLOUD_USER)

    def _make_database(self) -> None:
        # An account of its own: what the cloud's may do is set anew at each start of MariaDB.
        self._sql(
            f"CREATE DATABASE {NAME} CHARACTER SET utf8mb3",
            f"CREATE USER {NAME} IDENTIFIED BY '{self._password}'",
            f"GRANT ALL ON {NAME}.* TO {NAME}",
        )

    def _sql(self, *statements: str) -> None:
        cell = sqlalchemy.make_url(self._nova.get("database", "connection"))
        if cell.get_backend_name() != "mysql":
            raise CloudError("the cloud's database is not MariaDB; make demo-up DB=mariadb")
        place = self._cloud.folder / "run" / "database" / "mariadb.sock"
        engine = sqlalchemy.create_engine(f"mysql+pymysql://root@localhost/?unix_socket={place}")
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(sqlalchemy.text(statement))
        engine.dispose()

    def _configure(self) -> None:
        """Write Cyborg's configuration; what it shares with Nova is as in Nova's."""
        cell = sqlalchemy.make_url(self._nova.get("database", "connection"))
        database = cell.set(username=NAME, password=self._password, database=NAME)
        credentials = dict(self._nova["placement"]) | {"username": NAME}
        configuration = configparser.RawConfigParser()
        configuration.read_dict(
            {
                "DEFAULT": {
                    "host": self._host,
                    "use_stderr": "true",
                    "transport_url": self._nova.get("DEFAULT", "transport_url"),
                    "state_path": str(self._folder / "state"),
                },
                "database": {"connection": database.render_as_string(hide_password=False)},
                "agent": {"enabled_drivers": "fake_driver", "resource_provider_name": self._host},
                "api": {
                    "api_paste_config": str(self._folder / "venv/etc/cyborg/api-paste.ini"),
                },
                "oslo_concurrency": {"lock_path": str(self._folder / "state")},
                "keystone_authtoken": {
                    **dict(self._nova["keystone_authtoken"]),
                    "username": NAME,
                },
                "placement": credentials,
                "nova": credentials,
                "service_user": credentials | {"send_service_user_token": "true"},
            }
        )
        self._config.touch(mode=0o640)
        shutil.chown(self._config, group=_CLOUD_USER)
        with self._config.open("w") as file:
            configuration.write(file)

    def _arguments(self) -> list[str]:
        return ["--config-file", str(self._config)]

    def _register(self) -> None:
        """The user, the service and its endpoint in Keystone."""
        catalogue = {
            "users": {NAME: ["admin", "service"]},
            "services": {"accelerator": {"name": NAME, "url": self._url}},
            "people": [],
        }
        script = CHECKOUT / "build_scripts" / "roles" / "keystone" / "files" / "catalogue.py"
        more = {
            "CATALOGUE": json.dumps(catalogue),
            "SERVICE_PASSWORD": self._nova.get("placement", "password"),
        }
        self._run(sys.executable, str(script), more=more)

    def _daemons(self) -> typing.Iterator[dict[str, typing.Any]]:
        """What daemons.py is told of each; the API is served as the cloud's own ones are."""
        nova_api = json.loads((self._cloud.folder / "run" / "nova-api.json").read_text())
        serve = [
            str(self._binaries / "uwsgi"),
            f"--http-socket=127.0.0.1:{self._port}",
            "--module=cyborg.wsgi.api",
            f"--pyargv={' '.join(self._arguments())}",
            *nova_api["command"][3:],
        ]
        conductor = [str(self._binaries / "python"), str(self._folder / "cyborg_conductor.py")]
        commands = {
            "cyborg-conductor": [*conductor, str(self._programming), *self._arguments()],
            "cyborg-api": serve,
            "cyborg-agent": [str(self._binaries / "cyborg-agent"), *self._arguments()],
        }
        for order, (name, command) in enumerate(commands.items()):
            ready = {"log": f"Created RPC server for service {name}"}
            if name == "cyborg-api":
                ready = {"http": f"http://127.0.0.1:{self._port}/"}
            yield {
                "name": name,
                "command": command,
                "user": _CLOUD_USER,
                "group": _CLOUD_USER,
                "log": str(self._folder / "log" / f"{name}.log"),
                "order": order,
                "ready": ready,
                "timeout": 120,
            }

    def _daemon_program(self) -> list[str]:
        return [str(self._cloud.folder / "bin" / "daemons.py"), str(self._folder / "run")]

    def _run(self, *command: str, data: str = "", more: dict[str, str] | None = None) -> None:
        done = subprocess.run(  # noqa: S603
            command,
            input=data,
            env=self._cloud.environment | (more or {}),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            message = done.stderr.strip()
            raise CloudError(f"{' '.join(command)}: exit {done.returncode}: {message}")

    def providers(self) -> list[dict[str, typing.Any]]:
        """The fake driver's cards in Placement; it names them for their hosts."""
        answer = self._cloud.api.placement.get("/resource_providers").json()
        return [one for one in answer["resource_providers"] if one["name"].endswith("_FakeDevice")]

    def _wait_for_provider(self) -> None:
        end = time.monotonic() + _PATIENCE
        placement = self._cloud.api.placement
        while time.monotonic() < end:
            for provider in self.providers():
                url = f"/resource_providers/{provider['uuid']}/traits"
                # The traits are told last.
                if placement.get(url, microversion="1.6").json()["traits"]:
                    return
            time.sleep(0.5)
        log = self._folder / "log" / "cyborg-conductor.log"
        raise CloudError(f"Cyborg told Placement of no card: {log.read_text()[-2000:]}")

    def _remove_providers(self) -> None:
        for provider in self.providers():
            self._cloud.api.placement.delete(f"/resource_providers/{provider['uuid']}")
        self._cloud.api.placement.delete(f"/traits/{_TRAIT}", microversion="1.6")


def _free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])
