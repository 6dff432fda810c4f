# SPDX-License-Identifier: Apache-2.0
"""MariaDB and PostgreSQL of the tests' own: an ordinary user's, on a socket, in memory."""

import abc
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import typing

import sqlalchemy as sa

_PATH = f"{os.environ['PATH']}:/usr/sbin:/usr/lib/postgresql/15/bin"
_READY = 60  # seconds
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"
#: Neither server runs as root.
_NOBODY = 65534


class Server(abc.ABC):
    """A database server; a context manager that stops it and removes its folder.

    :raises RuntimeError: it cannot be run here, with what to do
    """

    PROGRAM: typing.ClassVar[str]
    PACKAGE: typing.ClassVar[str]
    STOP: typing.ClassVar[int] = signal.SIGTERM
    #: What tells everything of a database's tables, columns, indexes and constraints.
    SCHEMA: typing.ClassVar[tuple[str, ...]] = (
        "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, "
        "column_default FROM information_schema.columns WHERE {of} "
        "ORDER BY table_name, ordinal_position",
        "SELECT table_name, constraint_name, constraint_type FROM "
        "information_schema.table_constraints WHERE {of} AND constraint_type <> 'CHECK' "
        "ORDER BY table_name, constraint_name",
        "{indexes}",
    )
    OF: typing.ClassVar[str]
    INDEXES: typing.ClassVar[str]

    def __init__(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="db-", dir=_MEMORY))
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            os.chown(self.folder, _NOBODY, _NOBODY)

    def __enter__(self) -> "Server":
        self._make()
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self._as_nobody(*self._command()), stdout=log, stderr=log, cwd=self.folder
            )
        end = time.monotonic() + _READY
        while True:
            try:
                self.execute("SELECT 1")
                return self
            except sa.exc.OperationalError as e:
                if time.monotonic() > end or self._process.poll() is not None:
                    self.__exit__()
                    raise RuntimeError(f"{self.PROGRAM} does not start: {e}") from e
                time.sleep(0.2)

    def __exit__(self, *exception: object) -> None:
        if self._process is not None:
            self._process.send_signal(self.STOP)
            self._process.wait()
        shutil.rmtree(self.folder)

    @abc.abstractmethod
    def url(self, database: str) -> str:
        """The URL of a database, as Nova takes it."""

    def execute(self, statement: str) -> None:
        """Run a statement outside of Nova's databases and of any transaction."""
        engine = sa.create_engine(self.url(self._administers()), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(statement))
        engine.dispose()

    def schema(self, database: str) -> list[list[tuple[typing.Any, ...]]]:
        """Everything that can be told of the tables of a database."""
        engine = sa.create_engine(self.url(database), poolclass=sa.pool.NullPool)
        with engine.connect() as connection:
            return [
                [
                    tuple(row)
                    for row in connection.execute(
                        sa.text(query.format(of=self.OF, indexes=self.INDEXES))
                    )
                ]
                for query in self.SCHEMA
            ]

    @abc.abstractmethod
    def _administers(self) -> str: ...

    @abc.abstractmethod
    def _make(self) -> None: ...

    @abc.abstractmethod
    def _command(self) -> list[str]: ...

    def _find(self, program: str) -> str:
        found = shutil.which(program, path=_PATH)
        if found is None:
            raise RuntimeError(f"{program} is missing - run 'apt-get install {self.PACKAGE}'")
        return found

    def _run(self, *command: str) -> None:
        subprocess.run(self._as_nobody(*command), check=True, capture_output=True, cwd=self.folder)

    def _as_nobody(self, *command: str) -> list[str]:
        if os.geteuid() != 0:
            return list(command)
        user = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
        return ["setpriv", *user, "env", "-i", "LANG=C.UTF-8", f"PATH={_PATH}", *command]


class MariaDB(Server):
    """Debian's mariadbd."""

    PROGRAM, PACKAGE = "mariadbd", "mariadb-server-core mariadb-client-core"
    OF = "table_schema = DATABASE()"
    INDEXES = (
        "SELECT table_name, index_name, non_unique, seq_in_index, column_name, sub_part FROM "
        "information_schema.statistics WHERE table_schema = DATABASE() ORDER BY 1, 2, 4"
    )

    def url(self, database: str) -> str:
        return f"mysql+pymysql://root@/{database}?unix_socket={self.folder}/s&charset=utf8"

    def _administers(self) -> str:
        return ""

    def _make(self) -> None:
        self._run(
            self._find("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={self.folder}/data",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        )

    def _command(self) -> list[str]:
        return [
            self._find(self.PROGRAM),
            "--no-defaults",
            f"--datadir={self.folder}/data",
            f"--socket={self.folder}/s",
            f"--pid-file={self.folder}/pid",
            f"--tmpdir={self.folder}",
            "--skip-networking",
            "--character-set-server=utf8mb3",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-log-file-size=16M",
        ]


class PostgreSQL(Server):
    """Debian's postgres."""

    PROGRAM, PACKAGE = "postgres", "postgresql-15"
    STOP = signal.SIGINT  # at once: SIGTERM waits for the last client to go
    OF = "table_schema = 'public'"
    INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"

    def url(self, database: str) -> str:
        return f"postgresql+psycopg2://nova@/{database}?host={self.folder}"

    def _administers(self) -> str:
        return "postgres"

    def _make(self) -> None:
        self._run(
            self._find("initdb"),
            f"--pgdata={self.folder}/data",
            "--username=nova",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        )

    def _command(self) -> list[str]:
        options = ("listen_addresses=", f"unix_socket_directories={self.folder}", "fsync=off")
        return [
            self._find(self.PROGRAM),
            "-D",
            f"{self.folder}/data",
            *(f"-c{option}" for option in options),
        ]
