# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga availability …`` and the proxy, asked of the real application."""

import json
import os
import pty
import signal
import subprocess
import sys
import typing

import openstack as sdk
import pytest

from fpga_api import publication
from fpga_client.errors import refusal
from fpga_client.service import FpgaService
from tests.support import api as support
from tests.support.availability import allow, flavor, limit_regions
from tests.support.client import OpenStack

_ERROR = {"code": "fpga.flavor_invalid", "detail": "there is no PCI alias a100"}
_FLAVORS = (flavor("fpga-lzo", 3, 8), flavor("gpu", None, None, error=_ERROR))


@pytest.fixture
def published(api: support.Api) -> publication.Publication:
    published = api.service.publication
    published.publish("availability", {"flavors": list(_FLAVORS), "complete": True}, 15)
    return published


@pytest.fixture
def proxy(address: str) -> typing.Any:
    connection = sdk.connect(
        auth_type="admin_token", auth={"endpoint": address, "token": "member"}, load_envvars=False
    )
    connection.add_service(FpgaService())
    return connection.fpga


def test_list_has_the_counts(
    openstack: OpenStack, address: str, published: publication.Publication
) -> None:
    result = openstack("fpga", "availability", "list", "-f", "json")
    assert json.loads(result.out) == [
        {"Flavor": "fpga-lzo", "Free": 3, "Total": 8},
        {"Flavor": "gpu", "Free": None, "Total": None},
    ]
    assert "gpu cannot be counted: there is no PCI alias a100" in result.err


def test_show_has_one_flavor(
    openstack: OpenStack, address: str, published: publication.Publication
) -> None:
    result = openstack("fpga", "availability", "show", "fpga-lzo", "-f", "json")
    shown = json.loads(result.out)
    assert (shown["Free"], shown["Total"]) == (3, 8)
    assert shown["Accelerators"] == {"CUSTOM_FPGA_REGION": 1}


def test_flavor_that_is_not_there_is_named(
    openstack: OpenStack, address: str, published: publication.Publication
) -> None:
    result = openstack("fpga", "availability", "show", "nothing")
    assert (result.status, result.out) == (1, "")
    assert "nothing with the id or name 'nothing'" in result.err


def test_name_of_two_flavors_asks_for_the_id(
    openstack: OpenStack, address: str, published: publication.Publication
) -> None:
    twins = [flavor("twin", 1, 2, id="1"), flavor("twin", 2, 2, id="2")]
    published.publish("availability", {"flavors": twins, "complete": True}, 15)
    assert "give the id" in openstack("fpga", "availability", "show", "twin").err
    assert '"Free": 2' in openstack("fpga", "availability", "show", "2", "-f", "json").out


def test_old_counts_come_with_a_warning(
    openstack: OpenStack, address: str, published: publication.Publication
) -> None:
    published.fail("availability", "Placement does not answer")
    result = openstack("fpga", "availability", "list", "-f", "json")
    assert result.status == 0
    assert json.loads(result.out)
    assert "The service could not look again" in result.err


def test_totals_that_grow_come_with_a_warning(
    openstack: OpenStack, address: str, published: publication.Publication
) -> None:
    published.publish("availability", {"flavors": list(_FLAVORS), "complete": False}, 15)
    assert "totals may lack hosts" in openstack("fpga", "availability", "list").err


def test_zone_has_its_own_counts(
    openstack: OpenStack, address: str, published: publication.Publication
) -> None:
    counts = {"east": {"free": 1, "total": 2}}
    flavors = [flavor("fpga-lzo", 3, 8) | {"zones": counts}]
    published.publish("availability", {"flavors": flavors, "complete": True}, 15)
    result = openstack("fpga", "availability", "list", "--zone", "east", "-f", "json")
    assert json.loads(result.out) == [{"Flavor": "fpga-lzo", "Free": 1, "Total": 2}]
    result = openstack("fpga", "availability", "show", "fpga-lzo", "--zone", "west", "-f", "json")
    assert json.loads(result.out)["Free"] == 0


def test_service_that_has_not_counted_yet_says_when_to_try_again(
    openstack: OpenStack, address: str
) -> None:
    result = openstack("fpga", "availability", "list")
    assert (result.status, result.out) == (1, "")
    assert "try again in half a minute" in result.err


def test_mine_is_what_the_quota_allows(
    openstack: OpenStack,
    address: str,
    api: support.Api,
    published: publication.Publication,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allow(api.service, 2, monkeypatch)
    result = openstack("fpga", "availability", "list", "--mine", "-f", "json")
    assert json.loads(result.out)[0] == {"Flavor": "fpga-lzo", "Free": 3, "Total": 8, "Mine": 2}
    result = openstack("fpga", "availability", "show", "fpga-lzo", "--mine", "-f", "json")
    assert json.loads(result.out)["Mine"] == 2


@pytest.mark.parametrize(
    ("limit", "shown", "words"),
    [(3, 3, "has 2 FPGA regions, and may have 3"), (-1, None, "and no limit of regions")],
)
def test_regions_of_the_project_are_shown_with_their_limit(
    openstack: OpenStack,
    address: str,
    api: support.Api,
    published: publication.Publication,
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
    shown: int | None,
    words: str,
) -> None:
    limit_regions(api.service, 2, limit, allow(api.service, 2, monkeypatch))
    result = openstack("fpga", "availability", "show", "fpga-lzo", "--mine", "-f", "json")
    found = json.loads(result.out)
    assert (found["Regions Used"], found["Regions Limit"]) == (2, shown)
    assert words in openstack("fpga", "availability", "list", "--mine").err


def test_quota_that_is_not_known_is_a_failure_with_the_id_of_the_request(
    openstack: OpenStack, address: str, published: publication.Publication
) -> None:
    result = openstack("fpga", "availability", "list", "--mine")
    assert result.status == 1
    assert "give your operator the request id req-" in result.err


def test_watch_clears_a_terminal_and_ends_at_the_users_word(
    address: str, published: publication.Publication
) -> None:
    screen, terminal = pty.openpty()
    # What a shell runs in the background ignores SIGINT, and that is inherited.
    python = ["env", "--default-signal=INT", sys.executable]
    command = [*python, "-m", "openstackclient.shell", "fpga", "availability", "list"]
    process = subprocess.Popen(
        [*command, "--watch", "--interval", "1"], stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    shown = b""
    while shown.count(b"\x1b[H\x1b[J") < 2 or not shown.rstrip().endswith(b"+"):
        shown += os.read(screen, 65536)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 0
    assert shown.count(b"fpga-lzo") == 2
    os.close(screen)


def test_proxy_gives_a_report(proxy: typing.Any, published: publication.Publication) -> None:
    report = proxy.availability()
    assert [(one.id, one.free, one.total) for one in report] == [
        ("fpga-lzo", 3, 8),
        ("gpu", None, None),
    ]
    assert report[0].accelerators == {"CUSTOM_FPGA_REGION": 1}
    assert (report.stale, report.complete, len(report)) == (False, True, 2)
    assert report.at.endswith("Z") or "+" in report.at
    assert 0 <= report.age < 60


def test_proxy_raises_with_the_words_and_the_code_of_the_service(proxy: typing.Any) -> None:
    with pytest.raises(sdk.exceptions.HttpException) as raised:
        proxy.availability()
    found = refusal(raised.value.response)
    assert found
    assert found.code == "fpga.not_published"
    assert raised.value.message == found.text
    assert raised.value.status_code == 503
