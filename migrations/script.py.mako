# SPDX-License-Identifier: Apache-2.0
"""${message}

Created ${create_date}.
"""

import sqlalchemy as sa
from alembic import op

from fpga_manage import schema
${imports if imports else ""}
revision: str = ${repr(up_revision)}
down_revision: str | None = ${repr(down_revision)}
branch_labels: str | None = ${repr(branch_labels)}
depends_on: str | None = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
