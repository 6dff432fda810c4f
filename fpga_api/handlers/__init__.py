# SPDX-License-Identifier: Apache-2.0
"""One module per resource, its routes in `ROUTES`. Each module of this package is found by itself.

A handler gets the validated request, with its context, and returns a status and a document.
"""

import importlib
import pkgutil

from fpga_api.routing import Route


def list_routes() -> list[Route]:
    """All routes of the service."""
    names = sorted(one.name for one in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [route for module in modules for route in module.ROUTES]
