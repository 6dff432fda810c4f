# SPDX-License-Identifier: Apache-2.0
"""Hosts reach OVN's southbound database by TLS: real certificates, a real database, real rules."""

import collections.abc
import os
import shutil
import socket
import ssl
import subprocess
import time
from concurrent import futures
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "build_scripts/roles/ovn_tls/files/ovn-tls.sh"

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")

#: Seconds that a client and a starting database may take.
PATIENCE = 60


def run(*words: object, data: str | None = None, env: dict[str, str] | None = None) -> str:
    """What a command prints; it has to succeed."""
    command = [str(word) for word in words]
    done = subprocess.run(
        command, input=data, capture_output=True, text=True, timeout=PATIENCE, env=env
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout.strip()


class Authority:
    """The authority of a cloud, and folders with what it gave to hosts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.own = folder / "authority"

    def make(self) -> str:
        """Make it, unless it is there; what the program prints."""
        return run(PROGRAM, "authority", self.own)

    def admit(self, name: str, usage: str = "clientAuth") -> Path:
        """Give a host a certificate; its folder."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        public = run(PROGRAM, "key", folder)
        shutil.copy(self.own / "ca.crt", folder / "ca.pem")
        certificate = run(PROGRAM, "issue", self.own, name, usage, data=public)
        (folder / "cert.pem").write_text(f"{certificate}\n")
        return folder


def fits(folder: Path, name: str, usage: str = "clientAuth") -> bool:
    return run(PROGRAM, "fits", folder, name, usage) == "yes"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path)
    assert authority.make() == "made"
    return authority


class TestCertificates:
    def test_authority_is_made_once(self, authority: Authority) -> None:
        before = (authority.own / "ca.crt").read_bytes()
        assert authority.make() == ""
        assert (authority.own / "ca.crt").read_bytes() == before
        (authority.own / "ca.crt").write_text("")
        assert authority.make() == "made"

    def test_keys_are_for_root_alone(self, authority: Authority) -> None:
        folder = authority.admit("compute1")
        modes = {file.stat().st_mode & 0o77 for file in (folder / "key.pem", authority.own)}
        assert modes == {0}

    def test_key_stays(self, authority: Authority) -> None:
        before = (authority.admit("compute1") / "key.pem").read_bytes()
        assert (authority.admit("compute1") / "key.pem").read_bytes() == before

    def test_certificate_fits_its_host_and_its_use_alone(self, authority: Authority) -> None:
        folder = authority.admit("compute1")
        assert fits(folder, "compute1")
        assert not fits(folder, "compute2")
        assert not fits(folder, "compute1", "serverAuth")

    @pytest.mark.parametrize("name", ["key.pem", "cert.pem", "ca.pem"])
    def test_certificate_without_one_of_its_files_does_not_fit(
        self, authority: Authority, name: str
    ) -> None:
        folder = authority.admit("compute1")
        (folder / name).unlink()
        assert not fits(folder, "compute1")

    def test_certificate_of_another_key_does_not_fit(self, authority: Authority) -> None:
        folder = authority.admit("compute1")
        shutil.copy(authority.admit("compute2") / "cert.pem", folder)
        assert not fits(folder, "compute2")

    def test_certificate_of_a_former_authority_does_not_fit(self, authority: Authority) -> None:
        folder = authority.admit("compute1")
        shutil.rmtree(authority.own)
        authority.make()
        shutil.copy(authority.own / "ca.crt", folder / "ca.pem")
        assert not fits(folder, "compute1")
        authority.admit("compute1")
        assert fits(folder, "compute1")

    def test_certificate_that_ends_within_a_year_does_not_fit(self, authority: Authority) -> None:
        folder = authority.admit("compute1")
        own = authority.own
        words = f"-days 300 -CA {own}/ca.crt -CAkey {own}/ca.key -subj /CN=compute1".split()
        public = folder / "public"
        public.write_text(run(PROGRAM, "key", folder))
        text = run("openssl", "x509", "-new", "-force_pubkey", public, *words)
        (folder / "cert.pem").write_text(text)
        assert not fits(folder, "compute1")


class Database:
    """A southbound database that listens as the role has it, and what its northd does."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder = folder
        self.authority = authority
        self.env = os.environ | {"OVS_RUNDIR": str(folder), "OVN_RUNDIR": str(folder)}
        self.daemons: list[subprocess.Popen[bytes]] = []
        self.port = 0

    def start(self) -> None:
        server = self.authority.admit("controller", "serverAuth")
        options = {
            "nb": [],
            "sb": [
                "--remote=db:OVN_Southbound,SB_Global,connections",
                f"--private-key={server}/key.pem",
                f"--certificate={server}/cert.pem",
                f"--ca-cert={server}/ca.pem",
                "--ssl-protocols=TLSv1.2",
            ],
        }
        for name, more in options.items():
            file = self.folder / f"{name}.db"
            run("ovsdb-tool", "create", file, f"/usr/share/ovn/ovn-{name}.ovsschema")
            remote = f"--remote=punix:{self.folder}/{name}.sock"
            self._run("ovsdb-server", file, remote, f"--unixctl={self.folder}/{name}.ctl", *more)
        wait_for(lambda: all((self.folder / f"{one}.sock").exists() for one in options))
        sockets = [f"--ovn{name}-db=unix:{self.folder}/{name}.sock" for name in options]
        self._run("ovn-northd", *sockets, f"--unixctl={self.folder}/northd.ctl")
        self.ask("set-connection", "role=ovn-controller", "pssl:0:127.0.0.1")
        wait_for(lambda: "ovn-controller" in self.ask("list", "RBAC_Role"))
        wait_for(lambda: "bound_port" in self.ask("list", "Connection"))
        self.port = int(self.ask("get", "Connection", ".", "status:bound_port").strip('"'))

    def ask(self, *words: str) -> str:
        """What the controller itself gets, by the socket."""
        return run("ovn-sbctl", f"--db=unix:{self.folder}/sb.sock", *words, env=self.env)

    def as_host(
        self, folder: Path | None, *words: str, scheme: str = "ssl", port: int = 0
    ) -> "subprocess.CompletedProcess[str]":
        """What a host gets."""
        files = ["-p", "key.pem", "-c", "cert.pem", "-C", "ca.pem"] if folder else []
        address = f"--db={scheme}:127.0.0.1:{port or self.port}"
        return subprocess.run(
            ["ovn-sbctl", "--timeout=10", address, *files, *words],
            cwd=folder,
            capture_output=True,
            text=True,
            env=self.env,
        )

    def _run(self, *words: object) -> None:
        log = (self.folder / "log").open("ab")
        command = [str(word) for word in words]
        self.daemons.append(subprocess.Popen(command, env=self.env, stderr=log))


def wait_for(condition: collections.abc.Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def database(authority: Authority, tmp_path: Path) -> collections.abc.Iterator[Database]:
    database = Database(tmp_path / "ovn", authority)
    database.folder.mkdir()
    try:
        database.start()
        yield database
    finally:
        for daemon in database.daemons:
            daemon.kill()
            daemon.wait()


@pytest.mark.skipif(shutil.which("ovn-northd") is None, reason="needs ovn-central")
class TestDatabase:
    def test_host_writes_what_is_its_own(self, database: Database) -> None:
        host = database.authority.admit("compute1")
        done = database.as_host(host, "chassis-add", "compute1", "geneve", "192.0.2.1")
        assert done.returncode == 0, done.stderr
        assert "compute1" in database.ask("show")

    def test_host_changes_and_makes_nothing_of_another(self, database: Database) -> None:
        host = database.authority.admit("compute1")
        add = ("chassis-add", "compute2", "geneve", "192.0.2.2")
        assert "permission error" in database.as_host(host, *add).stderr
        database.ask(*add)
        before = database.ask("list", "Chassis")
        encap = database.ask("--bare", "--columns=_uuid", "list", "Encap")
        for words in (
            ("set", "Chassis", "compute2", "external_ids:a=b"),
            ("chassis-del", "compute2"),
            ("set", "Encap", encap, "ip=192.0.2.1"),
            ("set", "SB_Global", ".", "options:a=b"),
            ("set-connection", "ptcp:0"),
        ):
            assert "permission error" in database.as_host(host, *words).stderr, words
        assert database.ask("list", "Chassis") == before

    def test_stranger_is_refused(self, database: Database, tmp_path: Path) -> None:
        assert database.as_host(None, "show", scheme="tcp").returncode
        assert database.as_host(None, "show").returncode
        other = Authority(tmp_path / "other")
        other.folder.mkdir()
        other.make()
        stranger = other.admit("compute1")
        shutil.copy(database.authority.own / "ca.crt", stranger / "ca.pem")
        assert database.as_host(stranger, "show").returncode

    @pytest.mark.parametrize("usage", ["serverAuth", "clientAuth"])
    def test_host_does_not_pass_for_the_database(self, database: Database, usage: str) -> None:
        host = database.authority.admit("compute1")
        other = database.authority.admit("compute2", usage)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(other / "cert.pem", other / "key.pem")
        with socket.create_server(("127.0.0.1", 0)) as server, futures.ThreadPoolExecutor() as pool:
            greeted = pool.submit(greet, server, context)
            done = database.as_host(host, "show", port=server.getsockname()[1])
            assert greeted.result(PATIENCE) == (usage == "serverAuth")
        assert ("certificate verify failed" in done.stderr) == (usage == "clientAuth")


def greet(server: socket.socket, context: ssl.SSLContext) -> bool:
    """Take one connection; whether the client believes the certificate."""
    try:
        with context.wrap_socket(server.accept()[0], server_side=True) as connection:
            return bool(connection.recv(1))
    except ssl.SSLError:
        return False
