# SPDX-License-Identifier: Apache-2.0
"""Makes a cloud of the file that describes it, or names all that is wrong with the file."""

from pathlib import Path

from deployment import document, model, rules, schema
from deployment.catalogue import Catalogue
from deployment.problems import DeploymentError, InvalidFileError


def content(file: Path) -> bytes:
    """What a file holds.

    :raises DeploymentError: it cannot be read
    """
    try:
        return file.read_bytes()
    except OSError as e:
        raise DeploymentError(f"{file}: {e.strerror}") from e


def parse(text: bytes, catalogue: Catalogue, name: str = "cloud.yaml") -> model.Deployment:
    """The cloud of a file's content.

    :param name: of the file, for messages
    :raises InvalidFileError: with each fault, its line and its column
    """
    found = document.parse(text)
    problems = list(found.problems)
    # Without syntax there is nothing to look at; more messages would be about that alone.
    if found.data is not None or not problems:
        problems += [*schema.problems(found, catalogue.schema), *rules.problems(found, catalogue)]
    if problems:
        raise InvalidFileError(name, problems)
    return model.build(found.data, catalogue)
