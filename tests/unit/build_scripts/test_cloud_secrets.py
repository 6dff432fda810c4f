# SPDX-License-Identifier: Apache-2.0
"""The secrets of a cloud are made once, and are for its owner alone."""

import stat
from pathlib import Path

import pytest
from deployment import catalogue, vault
from deployment.folder import Folder
from deployment.problems import DeploymentError


class TestSecrets:
    @pytest.fixture
    def program(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A stub of ansible-vault that turns letters around, and back."""
        stub = tmp_path / "ansible-vault"
        stub.write_text(
            "#!/bin/sh\n"
            "turn() { tr a-z0-9 n-za-m5-90-4; }\n"
            '[ "$1" != view ] || { sed 1d "$4" | turn; exit; }\n'
            "echo '$ANSIBLE_VAULT;1.1;STUB'; turn\n"
        )
        stub.chmod(0o755)
        monkeypatch.setattr(vault, "PROGRAM", stub)
        return stub

    def test_secrets_are_written_once_and_for_their_owner_alone(
        self, program: Path, folder: Folder
    ) -> None:
        vault.ensure(folder)
        before = folder.vault.read_text()
        assert before.startswith("$ANSIBLE_VAULT;")
        for file in (folder.vault, folder.vault_key):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        vault.ensure(folder)
        assert folder.vault.read_text() == before
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700

    def test_secret_that_a_newer_cloud_has_is_added_to_the_others(
        self, program: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = vault.NAMES
        monkeypatch.setattr(vault, "NAMES", names[1:])
        vault.ensure(folder)
        before = folder.vault.read_text().splitlines()
        monkeypatch.setattr(vault, "NAMES", names)
        vault.ensure(folder)
        after = folder.vault.read_text().splitlines()
        assert after[: len(before)] == before
        assert len(after) == len(before) + 1

    def test_program_that_fails_leaves_no_secrets(self, program: Path, folder: Folder) -> None:
        program.write_text("#!/bin/sh\necho 'ERROR! no' >&2\nexit 1\n")
        with pytest.raises(DeploymentError, match="ansible-vault failed: ERROR! no"):
            vault.ensure(folder)
        assert not folder.vault.exists()

    def test_secrets_without_their_key_are_not_replaced(
        self, program: Path, folder: Folder
    ) -> None:
        folder.vault.touch()
        with pytest.raises(DeploymentError, match="restore the key"):
            vault.ensure(folder)
        assert not folder.vault_key.exists()

    @pytest.mark.skipif(
        not (catalogue.ROOT / ".tools/bin/ansible-vault").exists(), reason="needs make tools"
    )
    def test_ansible_vault_itself_encrypts(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(vault, "PROGRAM", catalogue.ROOT / ".tools/bin/ansible-vault")
        vault.ensure(folder)
        text = folder.vault.read_text()
        assert text.startswith("$ANSIBLE_VAULT;1.1;AES256")
        assert not [name for name in vault.NAMES if name in text]
