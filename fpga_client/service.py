# SPDX-License-Identifier: Apache-2.0
"""How a connection of openstacksdk gets the proxy: ``connection.add_service(FpgaService())``."""

from openstack import service_description

from fpga_client.proxy import Proxy

#: The type of the service in Keystone's catalogue.
SERVICE_TYPE = "fpga"


class FpgaService(service_description.ServiceDescription[Proxy]):  # type: ignore[misc]
    """The service; ``fpga_endpoint_override`` in clouds.yaml replaces its address."""

    def __init__(self) -> None:
        super().__init__(SERVICE_TYPE, {"1": Proxy})
