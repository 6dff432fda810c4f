# SPDX-License-Identifier: Apache-2.0
"""The functions that a patched Nova calls; each is one line in Nova.

Nova imports this module in every service, so it imports nothing heavy itself.
"""

import functools
import typing

from oslo_config import cfg

from fpga_nova import options, request
from fpga_nova.instance_request import InstanceRequest

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects
    from stevedore import extension

CONF = cfg.CONF
options.register_opts(CONF)

GROUP = "nova.fpga.hooks"

#: Nova keeps an image's properties in an instance's system metadata under this.
_IMAGE_PREFIX = "image_"


def init_host(host: str) -> None:
    """nova-compute starts. Loads the hooks where the host has FPGA access.

    :raises Exception: a hook cannot be loaded or does not want to start; nova-compute stops
    """
    _call("init_host", host)


def build_instance(
    context: "nova_context.RequestContext",
    instance: "objects.Instance",
    image_meta: "objects.ImageMeta",
) -> None:
    """The guest of an instance is about to be made."""
    _call("build_instance", context, instance, image_meta)


def check_rescue(driver: typing.Any, instance: "objects.Instance") -> None:
    """A guest is about to be stopped for a rescue, which a virt driver of ours may not have.

    :raises nova.exception.NovaException: the driver refuses it; nothing was touched
    """
    check = getattr(driver, "check_rescue", None)
    if check is not None:
        check(instance)


def check_rebuild(
    driver: typing.Any,
    context: "nova_context.RequestContext",
    instance: "objects.Instance",
    image_ref: str | None,
    system_metadata: typing.Mapping[str, str],
    evacuate: bool,
) -> None:
    """The guest of an instance of this host is about to be destroyed, to be made anew.

    Where that is refused, the instance gets back what the request has changed already, so that it
    is what it was: Nova restores the state, and leaves guest and allocations alone. A virt driver
    of ours is asked first, for the image.

    :param image_ref: the image that it had before
    :param system_metadata: what it had before, its image's properties among it
    :param evacuate: there is no guest here; a claim was made instead
    :raises nova.exception.InstanceFaultRollback: it must not be
    """
    if evacuate:
        return
    check = getattr(driver, "check_rebuild", None)
    try:
        if check is not None:
            check(context, instance)
        _call("check_rebuild", context, instance)
    except Exception as e:
        from nova import exception

        _take_back(instance, image_ref, system_metadata)
        reason = repr(e)
        if isinstance(e, exception.NovaException):
            reason = e.kwargs.get("reason") or e.format_message()
        # The event has room for 255 characters.
        refused = exception.BuildAbortException(
            instance_uuid=instance.uuid, reason=f"the server is as it was: {reason}"
        )
        raise exception.InstanceFaultRollback(inner_exception=refused) from e


def _take_back(
    instance: "objects.Instance", image_ref: str | None, system_metadata: typing.Mapping[str, str]
) -> None:
    """Give an instance the image of before; one that boots from a volume has none."""
    if instance.image_ref:
        instance.image_ref = image_ref
    properties = {k: v for k, v in system_metadata.items() if k.startswith(_IMAGE_PREFIX)}
    others = {k: v for k, v in instance.system_metadata.items() if not k.startswith(_IMAGE_PREFIX)}
    instance.system_metadata = others | properties
    instance.save()


def delete_instance(context: "nova_context.RequestContext", instance: "objects.Instance") -> None:
    """The guest of an instance was destroyed."""
    _call("delete_instance", context, instance)


def update_resources(resources: dict[str, typing.Any]) -> None:
    """The resource tracker learns what this host has: sets ``fpga_regions``."""
    resources["fpga_regions"] = 0
    _call("update_resources", resources)


def reset_usage(compute_node: "objects.ComputeNode") -> None:
    """The resource tracker starts to count its instances anew."""
    compute_node.fpga_regions_used = 0


def extra_specs(of: typing.Any, instance: "objects.Instance") -> typing.Mapping[str, str]:
    """What an instance asks for, for the resource tracker's account.

    :param of: the instance itself, or another flavor of it, where it is resized
    """
    return InstanceRequest.of(instance, None if of is instance else of).account


def update_usage(
    compute_node: "objects.ComputeNode", usage: typing.Mapping[str, typing.Any], sign: int
) -> None:
    """The resource tracker adds (sign 1) or takes away (-1) what an instance uses."""
    used = request.count(compute_node, "fpga_regions_used")
    used += sign * request.region_count(usage.get("extra_specs"))
    compute_node.fpga_regions_used = max(used, 0)


def claim_failure(claim: typing.Any, compute_node: "objects.ComputeNode") -> str | None:
    """Why the host's regions do not suffice for a claim; None if they do.

    Called by the claim test, under the resource tracker's lock.
    """
    asker = InstanceRequest.of(claim.instance, getattr(claim, "flavor", None))
    amount = request.region_count(asker.account)
    free = request.regions_free(compute_node)
    if amount <= free:
        return None
    return f"{amount} FPGA region{'s' * (amount > 1)} wanted, {free} free"


def init_host_state(host_state: typing.Any) -> None:
    """The scheduler makes a host state."""
    host_state.fpga_regions = 0
    host_state.fpga_regions_used = 0


def update_host_state(host_state: typing.Any, compute_node: "objects.ComputeNode") -> None:
    """The scheduler takes over a compute node's record."""
    host_state.fpga_regions = request.count(compute_node, "fpga_regions")
    host_state.fpga_regions_used = request.count(compute_node, "fpga_regions_used")


def consume_host_state(host_state: typing.Any, spec_obj: "objects.RequestSpec") -> None:
    """The scheduler has chosen a host for a request: its regions are fewer from now on."""
    extra_specs = request.extra_specs_of(spec_obj.flavor)
    host_state.fpga_regions_used += request.region_count(extra_specs)


def process_request(context: typing.Any, spec_obj: "objects.RequestSpec") -> None:
    """The scheduler is about to ask Placement for hosts: ask for a region, too."""
    from scheduler_filters import request_filter

    request_filter.request_regions(context, spec_obj)


def limit_regions(resources: dict[str, int], flavor: "objects.Flavor", count: int) -> None:
    """Nova has added up what servers of a flavor ask for, to check unified limits: add regions.

    :param count: how many servers; 0 where they are allocated, which `recheck_quota` checks
    """
    if count:
        from scheduler_filters import quota

        quota.count(resources, flavor)


def limited_flavor(
    flavor: "objects.Flavor", image: typing.Mapping[str, typing.Any] | None
) -> "objects.Flavor":
    """nova-api is about to check unified limits: a flavor with the region that an image names."""
    from scheduler_filters import quota

    return quota.with_image(flavor, image)


def recheck_quota(
    context: "nova_context.RequestContext",
    instances: "typing.Sequence[objects.Instance | None]",
) -> None:
    """New instances of one request have hosts and allocations: check their quota again.

    :raises nova.exception.TooManyInstances: they are too many; they hold nothing any more
    """
    from scheduler_filters import quota

    quota.recheck(context, instances)


def upgrade_database(engine: typing.Any, version: str | None, database: str) -> None:
    """Nova's schema was brought up to date: bring our columns up to date too.

    A sync to a named version of Nova, and the API database, are left alone.
    """
    if version is not None or database != "main":
        return
    from fpga_manage import database as columns

    columns.upgrade(engine)


def _call(step: str, *arguments: typing.Any) -> None:
    """Call a step of every hook, where this host has FPGA access; the first exception ends it."""
    if not CONF.fpga.access:
        return
    for hook in _hooks():
        getattr(hook.obj, step)(*arguments)


@functools.cache
def _hooks() -> "list[extension.Extension[typing.Any]]":
    from stevedore import extension

    hooks = extension.ExtensionManager(
        GROUP, invoke_on_load=True, on_load_failure_callback=_fail_to_load
    )
    if not hooks.extensions:
        raise ImportError(
            f"no hook is installed in the entry-point group {GROUP}; install fpga-nova "
            "beside Nova, or set [fpga] access = False"
        )
    return sorted(hooks.extensions, key=lambda extension: extension.name)


def _fail_to_load(
    _manager: typing.Any, entry_point: typing.Any, error: Exception
) -> typing.NoReturn:
    raise ImportError(f"hook {entry_point.name} of {GROUP} cannot be loaded: {error}") from error
