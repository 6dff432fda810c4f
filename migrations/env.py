# SPDX-License-Identifier: Apache-2.0
"""Alembic's entry: runs the revisions on the connection that fpga_manage.database hands over.

It touches no logging configuration: inside ``nova-manage db sync`` that is Nova's.
"""

from alembic import context

from fpga_manage import schema

context.configure(
    connection=context.config.attributes["connection"],
    version_table=schema.VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
