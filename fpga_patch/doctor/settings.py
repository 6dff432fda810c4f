# SPDX-License-Identifier: Apache-2.0
"""Nova's configuration of this host, read as its services read it.

Debian's and Ubuntu's services name their files on the command line, and what is in these files
wins over ``nova.conf.d``; services that are started without ``--config-file`` have it the other way
round.
"""

import json
import pathlib
import socket
import subprocess
import typing

from oslo_config import cfg

from fpga_nova import options as fpga_options
from fpga_patch import bytecode

#: The drop-in that ``apply --configure`` writes.
DROP_IN = "nova.conf.d/fpga-nova.conf"

FPGA_FILTER = "scheduler_filters.fpga_filter.FpgaFilter"
ALL_FILTERS = "nova.scheduler.filters.all_filters"
DRIVER = "novadocker.virt.docker.DockerDriver"

_OPTS: dict[str, list[cfg.Opt]] = {
    "DEFAULT": [
        cfg.StrOpt("compute_driver"),
        cfg.StrOpt("host", default=socket.gethostname()),
        cfg.StrOpt("rootwrap_config", default="/etc/nova/rootwrap.conf"),
    ],
    "filter_scheduler": [
        cfg.MultiStrOpt("available_filters", default=[ALL_FILTERS]),
        cfg.ListOpt("enabled_filters"),
    ],
    "docker": [
        cfg.StrOpt("host_url", default="unix:///var/run/docker.sock"),
        cfg.BoolOpt("live_images", default=False),
        cfg.StrOpt("live_exec", default="fpga-live"),
        cfg.StrOpt("opencl_folder"),
    ],
    "database": [cfg.StrOpt("connection", secret=True)],
    "api_database": [cfg.StrOpt("connection", secret=True)],
}


class Settings:
    """One host: its Nova, the folder of its configuration, the user of its services."""

    def __init__(
        self, nova: pathlib.Path, etc: pathlib.Path = pathlib.Path("/etc/nova"), user: str = "nova"
    ) -> None:
        self.nova, self.etc, self.user = nova, etc, user
        self.conf = self.read()

    @property
    def programs(self) -> pathlib.Path:
        """The folder of Nova's programs."""
        python = bytecode.interpreter(self.nova)
        return python.parent if python else pathlib.Path("/usr/bin")

    @property
    def names_files(self) -> bool:
        """Whether the services name their configuration files on the command line."""
        return self.nova.parent == pathlib.Path("/usr/lib/python3/dist-packages")

    def read(self) -> cfg.ConfigOpts:
        """The configuration as nova-compute, the one with the most files, has it.

        :raises oslo_config.cfg.Error: a file cannot be read
        """
        conf = cfg.ConfigOpts()
        for group, opts in _OPTS.items():
            conf.register_opts(opts, group=None if group == "DEFAULT" else group)
        fpga_options.register_opts(conf)
        files = [
            str(self.etc / name)
            for name in ("nova.conf", "nova-compute.conf")
            if (self.etc / name).is_file()
        ]
        folders = [str(path) for path in [(self.etc / DROP_IN).parent] if path.is_dir()]
        arguments = [f"--config-file={file}" for file in files] if self.names_files else []
        conf(
            args=arguments,
            project="nova",
            prog="nova-compute",
            default_config_files=files,
            default_config_dirs=folders,
        )
        return conf

    def where(self, option: str, group: str | None = None) -> pathlib.Path | None:
        """The file that an option is set in, None where it has its default."""
        found = self.conf.get_location(option, group)
        return pathlib.Path(found.detail) if found and found.location.is_user_controlled else None

    def ask_nova(self, program: str) -> typing.Any:
        """What a few lines of Python print as JSON when Nova's own Python runs them, or None."""
        python = bytecode.interpreter(self.nova)
        if python is None:
            return None
        result = subprocess.run(
            [python, "-c", program], capture_output=True, text=True, check=False, cwd="/"
        )
        try:
            return json.loads(result.stdout.splitlines()[-1])
        except (ValueError, IndexError):
            return None

    def enabled_filters(self) -> list[str]:
        """The scheduler's filters; those that this release has by default where none are named."""
        filters: list[str] | None = self.conf.filter_scheduler.enabled_filters
        if filters is not None:
            return filters
        answer = self.ask_nova(
            "import json, nova.conf; print(json.dumps("
            "nova.conf.CONF.filter_scheduler.enabled_filters))"
        )
        return list(answer or _FILTERS)


#: The default of the releases 26 to 34.
_FILTERS = [
    "ComputeFilter",
    "ComputeCapabilitiesFilter",
    "ImagePropertiesFilter",
    "ServerGroupAntiAffinityFilter",
    "ServerGroupAffinityFilter",
]
