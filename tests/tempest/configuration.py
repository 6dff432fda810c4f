# SPDX-License-Identifier: Apache-2.0
"""The configuration of tempest: the cloud, its content, and the features that it serves."""

import collections.abc
import configparser
import io
import pathlib

from tests.tempest.content import PUBLIC_NETWORK, Content
from tests.tempest.image import USER

#: Features of Nova that novadocker serves or not. Tempest skips the tests of what is off.
#: docs/support-matrix.toml has the whole list.
COMPUTE_FEATURES = {
    "attach_encrypted_volume": False,
    # The demo has one host.
    "cold_migration": False,
    "console_output": True,
    # Tempest mounts a device; a container has a folder.
    "config_drive": False,
    "interface_attach": True,
    "live_migration": False,
    "metadata_service": True,
    "pause": True,
    "personality": False,
    "rescue": False,
    "resize": True,
    "serial_console": False,
    "shelve": True,
    "snapshot": True,
    "spice_console": False,
    "stable_rescue": False,
    "suspend": False,
    "swap_volume": False,
    "vnc_console": False,
    "volume_multiattach": False,
}

#: Services beside Keystone that the demo has or not; tempest takes some for there unless told.
SERVICES = {
    "cinder": False,
    "glance": True,
    "horizon": False,
    "neutron": True,
    "nova": True,
    "swift": False,
}


def text(
    content: Content,
    environment: collections.abc.Mapping[str, str],
    folder: pathlib.Path,
    filters: str,
) -> str:
    """The configuration file.

    :param environment: variables of openrc
    :param folder: for tempest's locks and its log
    :param filters: the scheduler's, with commas
    """
    sections: dict[str, dict[str, object]] = {
        "DEFAULT": {"log_file": folder / "tempest.log"},
        "oslo_concurrency": {"lock_path": folder / "lock"},
        "auth": {
            "admin_username": environment["OS_USERNAME"],
            "admin_password": environment["OS_PASSWORD"],
            "admin_project_name": environment["OS_PROJECT_NAME"],
            "admin_domain_name": environment["OS_USER_DOMAIN_NAME"],
            "tempest_roles": "member",
        },
        "identity": {
            "uri_v3": environment["OS_AUTH_URL"],
            "auth_version": "v3",
            "region": environment["OS_REGION_NAME"],
        },
        "service_available": SERVICES,
        "compute": {
            "image_ref": content.images[0],
            "image_ref_alt": content.images[1],
            "flavor_ref": content.flavors[0],
            "flavor_ref_alt": content.flavors[1],
            "max_microversion": "latest",
        },
        "compute-feature-enabled": {
            **COMPUTE_FEATURES,
            "scheduler_enabled_filters": filters,
        },
        "network": {
            "public_network_id": content.network,
            "floating_network_name": PUBLIC_NETWORK,
        },
        "network-feature-enabled": {
            "api_extensions": ",".join(content.extensions),
            "ipv6_subnet_attributes": True,
            "port_security": "port-security" in content.extensions,
        },
        "validation": {
            "connect_method": "floating",
            "image_ssh_user": USER,
            "image_alt_ssh_user": USER,
            "network_for_ssh": PUBLIC_NETWORK,
            "ssh_timeout": 60,
        },
        # A container has its addresses without DHCP.
        "scenario": {"dhcp_client": ""},
    }
    parser = configparser.RawConfigParser()
    parser.read_dict(sections)
    output = io.StringIO()
    parser.write(output)
    return output.getvalue()
