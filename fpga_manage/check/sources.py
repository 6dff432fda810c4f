# SPDX-License-Identifier: Apache-2.0
"""Reads what the check compares: a cell's database, Placement, and the status of hosts.

Plain SQL: the check must also work where Nova itself does not start.
"""

import collections
import dataclasses
import json
import typing

import sqlalchemy as sa

from fpga_manage.check import rules
from fpga_nova import contract, host_status, region_classes, request, server_states

_LIVING = (
    "SELECT i.uuid, i.host, i.vm_state, i.task_state, i.fpga_device, e.flavor, "
    "COALESCE(g.value, m.value) AS value, "
    "i.project_id, i.user_id, i.image_ref, b.destination_type "
    "FROM instances i LEFT JOIN instance_extra e ON e.instance_uuid = i.uuid AND e.deleted = 0 "
    "LEFT JOIN instance_system_metadata m "
    "ON m.instance_uuid = i.uuid AND m.deleted = 0 AND m.key = :of_image "
    "LEFT JOIN instance_system_metadata g "
    "ON g.instance_uuid = i.uuid AND g.deleted = 0 AND g.key = :accepted "
    "LEFT JOIN block_device_mapping b "
    "ON b.instance_uuid = i.uuid AND b.deleted = 0 AND b.boot_index = 0 "
    "WHERE i.deleted = 0"
)
_KEYS = {"of_image": request.IMAGE_METADATA, "accepted": request.ACCEPTED_METADATA}
_INSTANCES = sa.text(_LIVING).bindparams(**_KEYS)
_INSTANCE = sa.text(f"{_LIVING} AND i.uuid = :uuid").bindparams(**_KEYS)
_NODES = sa.text(
    "SELECT uuid, host, fpga_regions, fpga_regions_used FROM compute_nodes WHERE deleted = 0"
)
_MIGRATIONS = sa.text(
    "SELECT m.uuid, m.source_compute, m.dest_compute FROM migrations m "
    "JOIN instances i ON i.uuid = m.instance_uuid AND i.deleted = 0 "
    "WHERE m.deleted = 0 AND m.status NOT IN :over"
).bindparams(sa.bindparam("over", sorted(server_states.OVER), expanding=True))

#: The microversion of Placement that is asked: the first that says which consumers are claims.
MICROVERSION = contract.CLAIM_MICROVERSION

#: GET of a path of Placement: the body, or None where it is not found.
Get = typing.Callable[[str], dict[str, typing.Any] | None]


class Database:
    """A cell's instances, nodes and migrations, read at once.

    :ivar consumers: every instance and every migration that is not over
    """

    def __init__(self, engine: sa.engine.Engine) -> None:
        with engine.connect() as connection:
            instances = connection.execute(_INSTANCES).all()
            nodes = connection.execute(_NODES).all()
            migrations = connection.execute(_MIGRATIONS).all()
        moving = {host for migration in migrations for host in migration[1:]}
        self._engine = engine
        self.instances = [_instance(row) for row in instances]
        self.nodes = [
            rules.Node(row[0], row[1], row[2] or 0, row[3] or 0, row[1] in moving) for row in nodes
        ]
        self.consumers = {row[0] for row in (*instances, *migrations)}

    def here(self, host: str) -> list[rules.Instance]:
        """The instances of a host."""
        return [instance for instance in self.instances if instance.host == host]

    def look(self, uuid: str) -> rules.Instance | None:
        """An instance as the database has it now; None where it is deleted."""
        with self._engine.connect() as connection:
            row = connection.execute(_INSTANCE, {"uuid": uuid}).one_or_none()
        return None if row is None else _instance(row)


def findings(
    database: Database,
    statuses: typing.Mapping[str, host_status.Status],
    placement: Get | None,
    request_placement: bool = False,
) -> list[rules.Finding]:
    """All that does not agree.

    :param statuses: of the hosts whose status is at hand
    :param placement: None to leave Placement out
    :param request_placement: whether the scheduler asks for regions that flavors do not name
    """
    disagreements: list[rules.Finding] = []
    for node in database.nodes:
        here = database.here(node.host)
        disagreements += rules.of_database(node, here)
        provider = None
        if placement is not None:
            provider = _provider(placement, node.uuid, database.consumers)
        if node.host in statuses:
            status = _with_claims(statuses[node.host], provider)
            disagreements += rules.of_ledger(node, status, here)
        if placement is not None:
            disagreements += rules.of_placement(
                node, provider, here, database.consumers, request_placement
            )
    for host in sorted(set(statuses) - {node.host for node in database.nodes}):
        words = "a status was given, and the database has no such compute host"
        disagreements.append(rules.Finding("host-unknown", host, host, words))
    return disagreements


def _with_claims(status: host_status.Status, provider: rules.Provider | None) -> host_status.Status:
    """The status of a host, with what Placement says of the owners of regions."""
    claims = provider.claims if provider else frozenset()
    regions = (
        dataclasses.replace(region, of_claim=region.owner in claims) for region in status.regions
    )
    return dataclasses.replace(status, regions=tuple(regions))


def _provider(get: Get, uuid: str, known: typing.Collection[str]) -> rules.Provider | None:
    """The regions of a compute node, be they its own provider's or those of its cards'.

    :param known: consumers that are no claims
    """
    tree = get(f"/resource_providers?in_tree={uuid}") or {"resource_providers": []}
    answers = [_of_one(get, provider["uuid"]) for provider in tree["resource_providers"]]
    providers = [provider for provider in answers if provider is not None]
    if not providers:
        return None
    allocations: collections.Counter[str] = collections.Counter()
    for provider in providers:
        allocations.update(provider.allocations)
    return rules.Provider(
        sum(provider.total for provider in providers),
        sum(provider.reserved for provider in providers),
        allocations,
        frozenset(one for one in allocations if one not in known and _is_claim(get, one)),
    )


def _is_claim(get: Get, consumer: str) -> bool:
    answer = get(f"/allocations/{consumer}") or {}
    return answer.get("consumer_type") == contract.CLAIM_CONSUMER


def _of_one(get: Get, uuid: str) -> rules.Provider | None:
    inventories = get(f"/resource_providers/{uuid}/inventories") or {"inventories": {}}
    of_regions = inventories["inventories"]
    classes = region_classes.among(of_regions)
    if not classes:
        return None
    answer = get(f"/resource_providers/{uuid}/allocations") or {"allocations": {}}
    amounts = {
        consumer: region_classes.amount(allocation["resources"])
        for consumer, allocation in answer["allocations"].items()
    }
    return rules.Provider(
        sum(of_regions[name]["total"] for name in classes),
        sum(of_regions[name]["reserved"] for name in classes),
        {consumer: amount for consumer, amount in amounts.items() if amount},
    )


def _instance(row: typing.Any) -> rules.Instance:
    flavor = json.loads(row.flavor)["cur"] if row.flavor else None
    own = (flavor["nova_object.data"].get("extra_specs") if flavor else None) or {}
    of_image = row.value if row.fpga_device else None
    return rules.Instance(
        row.uuid,
        row.host,
        row.vm_state,
        row.task_state,
        row.fpga_device,
        request.with_image(dict(own), of_image),
        row.project_id,
        row.user_id,
        flavor,
        not row.image_ref or row.destination_type == "volume",
    )
