# SPDX-License-Identifier: Apache-2.0
"""The points at which nova-compute is killed while it plugs and unplugs, by what it was asked for.

`tests.support.mortal` has the functions that the steps are.
"""


def _points(**steps: str) -> tuple[str, ...]:
    return tuple(
        f"{name.replace('_', ' ')}:{when}"
        for name, whens in steps.items()
        for when in whens.split()
    )


_PLUG = _points(
    record_port="before after",
    make_interface="within after",
    plug_port="within after",
    connect_interface="within after",
)
_UNPLUG = _points(
    remove_interface="before within after", unplug_port="within after", forget_port="after"
)

POINTS = {
    "boot": _points(make_sandbox="before within after")
    + _PLUG
    + _points(load_image="after", make_container="within after", spawn="after"),
    "boot that fails": _UNPLUG,
    "delete": _points(destroy="before after", remove_sandbox="before within after") + _UNPLUG,
    "stop": _points(stop_sandbox="before after") + _UNPLUG,
    "start": _points(start_sandbox="before after") + _PLUG,
    "hard reboot": _points(stop_sandbox="after", remove_interface="after", unplug_port="after")
    + _points(start_sandbox="after", plug_port="after"),
    "attach": _PLUG,
    "detach": _UNPLUG,
}
