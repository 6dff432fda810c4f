# SPDX-License-Identifier: Apache-2.0
"""Checks a document against a JSON Schema, with messages that name lines and columns.

The annotation `x-form` of a schema says in words what its pattern permits.
"""

import collections.abc
import typing

import jsonschema

from deployment.document import Document
from deployment.problems import Problem, hint, text_of

_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "object": "a mapping",
    "string": "text",
}


def problems(
    document: Document, schema: dict[str, typing.Any]
) -> collections.abc.Iterator[Problem]:
    """All that the schema does not permit."""
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document.data):
        yield from _problems(document, error)


def _problems(document: Document, error: typing.Any) -> collections.abc.Iterator[Problem]:
    path = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        words = f"{text_of(error.instance)} is not the name of an option"
        yield document.at_key((*path, error.instance), words)
        return
    match error.validator:
        case "additionalProperties":
            known = error.schema["properties"]
            for key in error.instance:
                if key not in known:
                    words = f"unknown key {text_of(key)}; {hint(key, known)}"
                    yield document.at_key((*path, key), words)
        case "required":
            for key in error.validator_value:
                if key not in error.instance:
                    yield document.at(path, f"the key {key} is missing")
        case _:
            yield document.at(path, f"{_name(path)}: {_words(error)}")


def _name(path: tuple[str | int, ...]) -> str:
    """The last key of a path; of an item, the list's."""
    key = next((key for key in reversed(path) if isinstance(key, str)), "the file")
    return key if key.isascii() and key.isprintable() else text_of(key)


def _words(error: typing.Any) -> str:
    value, limit = text_of(error.instance), error.validator_value
    match error.validator:
        case "type":
            kinds = limit if isinstance(limit, list) else [limit]
            expected = " or ".join(_TYPES[kind] for kind in kinds)
            return f"expected {expected}" + ("" if error.instance is None else f", not {value}")
        case "enum":
            return f"unknown value {value}; known: {', '.join(limit)}"
        case "pattern":
            return f"{value} is not {error.schema.get('x-form', f'of the form {limit}')}"
        case "minimum" | "maximum":
            least, most = error.schema.get("minimum"), error.schema.get("maximum")
            return f"{value} is not from {least} to {most}"
        case "minItems":
            return f"at least {limit} has to be in the list"
        case "uniqueItems":
            return "the list has an item twice"
        case _:
            return f"{value} is not permitted ({error.validator}: {limit})"
