# SPDX-License-Identifier: Apache-2.0
"""novadocker with a real Docker Engine.

Nova wants to choose its threading before anything else of it is imported, and pytest imports a
conftest before it calls `pytest_configure`.
"""

from nova import monkey_patch

if hasattr(monkey_patch, "patch"):  # up to 2025.1 the import does it
    monkey_patch.patch()
