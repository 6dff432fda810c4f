# SPDX-License-Identifier: Apache-2.0
"""The columns that fpga-nova adds to a Nova cell database, as an Alembic environment of its own.

Nova's chain of revisions is left alone: a revision tied to it would break the next release's
``nova-manage db sync``. What was done is recorded in a table of our own.
"""

from migrations.runner import Bind, current, downgrade, head, upgrade
from migrations.schema import SchemaError

__all__ = ["Bind", "SchemaError", "current", "downgrade", "head", "upgrade"]
