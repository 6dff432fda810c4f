# SPDX-License-Identifier: Apache-2.0
"""Connections to the database of section ``[database]``."""

import contextlib
import functools
import typing

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import exception
from oslo_db.sqlalchemy import engines
from sqlalchemy import exc

from fpga_api import errors


class Database:
    """The database; nothing connects to it before it is used."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._options = conf.database

    @functools.cached_property
    def engine(self) -> sa.engine.Engine:
        """SQLAlchemy's engine.

        :raises errors.DatabaseUnavailable: the configuration names no database that can be used
        """
        if not self._options.connection:
            raise errors.DatabaseUnavailable("the configuration has no [database] connection")
        options = self._options
        try:
            engine = engines.create_engine(
                options.connection,
                mysql_sql_mode=options.mysql_sql_mode,
                connection_recycle_time=options.connection_recycle_time,
                max_pool_size=options.max_pool_size,
                max_overflow=options.max_overflow,
                pool_timeout=options.pool_timeout,
                # Whoever asks has a request to answer, or comes again by itself.
                max_retries=0,
            )
        except (exc.NoSuchModuleError, ModuleNotFoundError) as e:
            raise errors.DatabaseUnavailable(f"[database] connection cannot be used: {e}") from e
        except cfg.Error:
            raise
        except (exc.ArgumentError, ValueError):
            # Their messages have the URL, and its password.
            raise errors.DatabaseUnavailable("[database] connection is not a URL") from None
        return typing.cast(sa.engine.Engine, engine)

    @contextlib.contextmanager
    def begin(self) -> typing.Iterator[sa.engine.Connection]:
        """A transaction, committed at its end.

        :raises errors.DatabaseUnavailable: the database does not answer, or refuses
        """
        try:
            with self.engine.begin() as connection:
                yield connection
        except (exception.DBError, exc.SQLAlchemyError) as e:
            raise errors.DatabaseUnavailable("the database does not answer") from e
