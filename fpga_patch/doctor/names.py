# SPDX-License-Identifier: Apache-2.0
"""Whether the containers of a host carry the name that its nova-compute has."""

import collections

import docker
import docker.errors
import requests

from fpga_patch.doctor.finding import Finding
from fpga_patch.doctor.settings import DROP_IN, Settings

#: The label that novadocker gives each container.
LABEL = "org.openstack.nova.host"

_TIMEOUT = 10  # seconds


def former(settings: Settings) -> list[Finding]:
    """A host that was renamed must get its former name: its servers are those of that name."""
    url = settings.conf.docker.host_url
    try:
        engine = docker.DockerClient(base_url=url, timeout=_TIMEOUT)
        found = engine.api.containers(all=True, filters={"label": LABEL})
    except (docker.errors.DockerException, requests.RequestException) as e:
        return [Finding("name", "skipped", f"the containers are not known: {e}")]
    names = collections.Counter(one["Labels"][LABEL] for one in found)
    is_now = settings.conf.host
    others = [name for name, _ in names.most_common() if name != is_now]
    if not others:
        return [Finding("name", "ok", f"this host is {is_now}, and so are its containers")]
    file = settings.where("host") or settings.etc / DROP_IN
    count = sum(names[name] for name in others)
    text = f"this host is {is_now}, and {count} of its containers are of host {', '.join(others)}"
    return [Finding("name", "missing", text, f"{file}, [DEFAULT]: host = {others[0]}")]
