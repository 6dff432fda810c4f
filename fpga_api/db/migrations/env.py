# SPDX-License-Identifier: Apache-2.0
"""Alembic's entry: runs the revisions on the connection that fpga_api.db.schema hands over."""

from alembic import context

from fpga_api.db import tables

context.configure(
    connection=context.config.attributes["connection"], target_metadata=tables.METADATA
)
with context.begin_transaction():
    context.run_migrations()
