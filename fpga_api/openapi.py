# SPDX-License-Identifier: Apache-2.0
"""Describes the API in OpenAPI 3.1: generated of the table of routes and the schemas."""

import importlib.metadata
import re
import typing
from http import HTTPStatus

from fpga_api import routing
from fpga_api.routing import Route
from fpga_api.schemas import common

_VARIABLE = re.compile(r"<(\w+)>")

_BASE = {400, 406, 500, 503}


def describe(routes: typing.Iterable[Route]) -> dict[str, typing.Any]:
    """The document for a table of routes."""
    paths: dict[str, dict[str, typing.Any]] = {}
    for route in routes:
        path = _VARIABLE.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fpga-api",
            "summary": "Bitstreams, programs, claims, regions and the availability of accelerators",
            "version": routing.VERSION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "x-release": importlib.metadata.version("fpga-nova"),
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": common.ERROR},
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}
            },
        },
    }


def statuses(route: Route) -> set[int]:
    """The statuses of failures that a route has."""
    found = _BASE | set(route.failures)
    if route.rule is not None:
        found |= {401, 403}
    if route.of_object or _VARIABLE.search(route.path):
        found.add(404)
    if route.package or route.body is not None:
        found |= {408, 411, 413, 415}
    return found


def _operation(route: Route) -> dict[str, typing.Any]:
    operation: dict[str, typing.Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "parameters": [*_variables(route), *_query(route), _version()],
        "responses": _responses(route),
        "security": [] if route.rule is None else [{"token": []}],
    }
    if route.package:
        binary = {"schema": {"type": "string", "contentMediaType": routing.PACKAGE}}
        operation["requestBody"] = {"required": True, "content": {routing.PACKAGE: binary}}
    elif route.body is not None:
        content = {routing.JSON: {"schema": route.body}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _operation_id(route: Route) -> str:
    words = re.sub(r"\W+", "_", route.path).strip("_") or "root"
    return f"{route.method.lower()}_{words}"


def _variables(route: Route) -> list[dict[str, typing.Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": route.variables.get(name, routing.WORD),
        }
        for name in _VARIABLE.findall(route.path)
    ]


def _query(route: Route) -> list[dict[str, typing.Any]]:
    needed = route.query["required"]
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": schema}
        for name, schema in route.query["properties"].items()
    ]


def _version() -> dict[str, typing.Any]:
    return {
        "name": routing.VERSION_HEADER,
        "in": "header",
        "required": False,
        "schema": {"enum": [f"fpga {routing.VERSION}", "fpga latest"]},
    }


def _responses(route: Route) -> dict[str, typing.Any]:
    found: dict[str, typing.Any] = {}
    for status, schema in route.answers.items():
        found[str(status)] = {"description": HTTPStatus(status).phrase}
        if schema is not None:
            found[str(status)]["content"] = {routing.JSON: {"schema": schema}}
    error = {routing.JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    for status in sorted(statuses(route)):
        found[str(status)] = {"description": HTTPStatus(status).phrase, "content": error}
    return found
