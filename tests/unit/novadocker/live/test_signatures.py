# SPDX-License-Identifier: Apache-2.0
"""Keys of hosts."""

import pathlib
import stat

import pytest

from novadocker.live import command, errors, signatures
from tests.unit.novadocker.live.conftest import Host


def test_a_new_key_leaves_images_of_the_old_one_good(host: Host) -> None:
    assert command.main(["--settings", str(host.file), "key", "--rotate"]) == 0
    assert len(signatures.public_keys(host.settings.trusted_keys)) == 2
    assert host.create() == 0


def test_a_key_that_is_removed_is_trusted_no_more(host: Host) -> None:
    (host.settings.trusted_keys / f"{host.key}.pem").unlink()
    assert host.create() == 1
    assert host.asked == []


def test_a_key_is_not_made_where_there_is_one(host: Host) -> None:
    before = host.settings.signing_key.read_bytes()
    assert command.main(["--settings", str(host.file), "key"]) == 0
    assert host.settings.signing_key.read_bytes() == before


def test_the_private_key_is_roots_alone(host: Host) -> None:
    assert stat.S_IMODE(host.settings.signing_key.stat().st_mode) == 0o600
    host.settings.signing_key.chmod(0o640)
    with pytest.raises(errors.LiveError, match="must be root's alone"):
        signatures.sign(b"", host.settings.signing_key)


def test_keys_that_others_can_change_are_not_trusted(host: Host) -> None:
    host.settings.trusted_keys.chmod(0o777)
    assert host.create() == 1
    assert "must be root's alone" in host.reason


def test_a_signature_for_another_purpose_is_no_good(host: Host) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(host.settings.signing_key.read_bytes(), None)
    other = signatures.sign(b"data", host.settings.signing_key)
    signatures.verify(b"data", other, host.settings.trusted_keys)
    plain = other.replace(
        other[other.index(b'signature": "') + 13 : -2],
        __import__("base64").b64encode(key.sign(b"data")),  # type: ignore[call-arg,union-attr]
    )
    with pytest.raises(errors.Untrusted):
        signatures.verify(b"data", plain, host.settings.trusted_keys)


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: pathlib.Path) -> None:
    private = tmp_path / "root"
    private.mkdir(mode=0o700)
    signatures.create(private / "signing.pem", tmp_path / "new" / "trusted")
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new" / "trusted").stat().st_mode) == 0o755


def test_a_host_without_a_key_fails_its_self_test(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    host.settings.signing_key.unlink()
    assert command.main(["--settings", str(host.file), "selftest"]) == 1
    assert "run 'fpga-live key'" in capsys.readouterr().err


def test_a_host_that_does_not_trust_its_own_key_fails_its_self_test(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a rotation whose last step removed the wrong file."""
    old = host.settings.trusted_keys / f"{host.key}.pem"
    command.main(["--settings", str(host.file), "key", "--rotate"])
    (new,) = (one for one in host.settings.trusted_keys.iterdir() if one != old)
    new.unlink()
    assert command.main(["--settings", str(host.file), "selftest"]) == 1
    assert f"lacks {new.name}" in capsys.readouterr().err


def test_a_group_that_is_not_there_fails_the_self_test(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    host.file.write_text(host.file.read_text().replace('"root"', '"nobody-has-it"'))
    assert command.main(["--settings", str(host.file), "selftest"]) == 1
    assert "there is no group nobody-has-it" in capsys.readouterr().err
