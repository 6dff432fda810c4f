# SPDX-License-Identifier: Apache-2.0
"""fpga-status: looks before an upgrade for what would keep the new release from its work."""

import sys

from oslo_config import cfg
from oslo_policy import policy
from oslo_upgradecheck import upgradecheck

from fpga_api import app, errors, options, policies
from fpga_api.db import schema
from fpga_api.db.connection import Database

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
        missing = [
            group
            for group in ("keystone_authtoken", "service_credentials")
            if not self._options[group].auth_type and not self._options[group].auth_section
        ]
        if missing:
            return Result(Code.FAILURE, f"no auth_type in [{'], ['.join(missing)}]")
        return Result(Code.SUCCESS)

    def check_policy(self) -> upgradecheck.Result:
        """The operator's policy can be read, and names no rule that there is not."""
        try:
            enforcer = policies.Enforcer(self._options).enforcer
            enforcer.load_rules()
            enforcer.check_rules(raise_on_violation=True)
        except (policy.InvalidDefinitionError, policy.PolicyNotAuthorized, ValueError) as e:
            return Result(Code.FAILURE, str(e))
        return Result(Code.SUCCESS)

    _upgrade_checks = (
        ("Database", check_database),
        ("Cache", check_cache),
        ("Credentials", check_credentials),
        ("Policy", check_policy),
    )


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
