# SPDX-License-Identifier: Apache-2.0
"""fpga-status: looks before an upgrade for what would keep the new release from its work."""

import os
import sys
import tempfile

from keystoneauth1 import exceptions, loading
from oslo_config import cfg
from oslo_policy import policy
from oslo_upgradecheck import upgradecheck

from fpga_api import app, errors, options, policies
from fpga_api.db import schema
from fpga_api.db.connection import Database
from fpga_api.engine import tasks
from fpga_api.service import Service

Code, Result = upgradecheck.Code, upgradecheck.Result


class Checks(upgradecheck.UpgradeCommands):  # type: ignore[misc]
    """The checks of ``fpga-status upgrade check``."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._options = conf

    def check_database(self) -> upgradecheck.Result:
        """The schema is the newest one."""
        database = Database(self._options)
        try:
            current = schema.current(database)
        except errors.DatabaseUnavailable as e:
            return Result(Code.FAILURE, str(e))
        if current != schema.head():
            return Result(
                Code.FAILURE,
                f"the schema is {current or 'empty'}, not {schema.head()}: fpga-api-manage db sync",
            )
        return Result(Code.SUCCESS)

    def check_cache(self) -> upgradecheck.Result:
        """The application and the engine have a cache in common."""
        cache = self._options.cache
        if not cache.enabled or cache.backend == "dogpile.cache.null":
            return Result(Code.FAILURE, "[cache] keeps nothing, so nothing can be published")
        if cache.backend in ("dogpile.cache.memory", "oslo_cache.dict"):
            return Result(
                Code.WARNING, "[cache] is in one process, so that the engine needs to be there, too"
            )
        return Result(Code.SUCCESS)

    def check_credentials(self) -> upgradecheck.Result:
        """Tokens can be validated, and the engine can ask other services."""
        faults = {
            group: _fault_of_credentials(self._options, group)
            for group in ("keystone_authtoken", options.CREDENTIALS)
        }
        found = [f"[{group}] {fault}" for group, fault in faults.items() if fault]
        return Result(Code.FAILURE, "; ".join(found)) if found else Result(Code.SUCCESS)

    def check_policy(self) -> upgradecheck.Result:
        """The operator's policy can be read, and names no rule that there is not."""
        try:
            rules = policies.Enforcer(self._options)
            rules.load()
            rules.enforcer.check_rules(raise_on_violation=True)
        except (policy.InvalidDefinitionError, policy.PolicyNotAuthorized, ValueError) as e:
            return Result(Code.FAILURE, str(e))
        return Result(Code.SUCCESS)

    def check_engine(self) -> upgradecheck.Result:
        """The engine knows its sources, its aliases and the broker of the hosts."""
        try:
            tasks.of(Service(self._options))
        except (RuntimeError, ValueError) as e:
            return Result(Code.FAILURE, str(e))
        if not self._options.hosts.transport_url:
            return Result(
                Code.WARNING, "no [hosts] transport_url: there are no cards and no regions"
            )
        return Result(Code.SUCCESS)

    def check_uploads(self) -> upgradecheck.Result:
        """There is a place for uploads while they are checked."""
        folder = self._options.fpga_api.upload_folder or tempfile.gettempdir()
        if not os.access(folder, os.W_OK | os.X_OK):
            return Result(Code.FAILURE, f"[fpga_api] upload_folder: no access to {folder}")
        return Result(Code.SUCCESS)

    _upgrade_checks = (
        ("Database", check_database),
        ("Cache", check_cache),
        ("Credentials", check_credentials),
        ("Policy", check_policy),
        ("Engine", check_engine),
        ("Uploads", check_uploads),
    )


def _fault_of_credentials(conf: cfg.ConfigOpts, group: str) -> str | None:
    try:
        auth = loading.load_auth_from_conf_options(conf, group)
    except (exceptions.MissingRequiredOptions, exceptions.NoMatchingPlugin) as e:
        return str(e)
    return None if auth else "has no auth_type"


def main() -> int:
    """Run the command.

    :returns: 0 all is well; 1 a warning; 2 a failure; 255 the check broke
    """
    conf = cfg.ConfigOpts()
    options.register_opts(conf)
    app.register_middleware_opts(conf)
    files = cfg.find_config_files(project="fpga-nova", prog="fpga-api")
    return int(upgradecheck.main(conf, "fpga-nova", Checks(conf), sys.argv[1:], files))


if __name__ == "__main__":
    sys.exit(main())
