# SPDX-License-Identifier: Apache-2.0
"""The description of the API is valid, and has each route."""

import re

import openapi_spec_validator

from fpga_api import handlers, policies
from tests.support import api as support

ROUTES = {route.name: route for route in handlers.list_routes()}


def test_description_is_valid_openapi(api: support.Api) -> None:
    document = api.call("GET", "/openapi.json").json
    openapi_spec_validator.validate(document, cls=openapi_spec_validator.OpenAPIV31SpecValidator)


def test_description_has_each_route(api: support.Api) -> None:
    paths = api.call("GET", "/openapi.json").json["paths"]
    found = {f"{verb.upper()} {path}" for path, verbs in paths.items() for verb in verbs}
    assert found == {re.sub(r"<(\w+)>", r"{\1}", name) for name in ROUTES}


def test_rules_document_the_routes_that_they_are_for() -> None:
    documented = {
        (rule.name, f"{one['method']} {one['path']}")
        for rule in policies.list_rules()
        for one in getattr(rule, "operations", ())
    }
    routes = {
        (route.rule, re.sub(r"<(\w+)>", r"{\1}", name))
        for name, route in ROUTES.items()
        if route.rule is not None
    }
    assert documented == routes
