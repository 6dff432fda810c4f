# SPDX-License-Identifier: Apache-2.0
"""The page in a browser: what it shows, when, and to whom."""

import datetime
import re

import pytest
from playwright.sync_api import expect

from fpga_api import clock
from tests.support import loopback
from tests.support.availability import allow, flavor
from tests.ui.conftest import FLAVORS, Site, Tab

_HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</bdi><script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "\u202egnihton\u202c",
    "x" * 255,
    "{{7*7}} ${7*7}",
)


def test_each_flavor_has_a_card_with_its_numbers_and_a_bar(site: Site, tab: Tab) -> None:
    tab.open(site.address)
    expect(tab.page.get_by_role("article")).to_have_count(len(FLAVORS))
    assert tab.cards() == sorted(FLAVORS)
    for name, (free, total) in FLAVORS.items():
        expect(tab.card(name)).to_contain_text(f"{free} of {total} free")
        level = tab.card(name).locator(".level")
        assert float(level.get_attribute("width") or "") == 100 * free / total


def test_flavor_that_cannot_be_counted_says_why(site: Site, tab: Tab) -> None:
    error = {"code": "alias", "detail": "there is no PCI alias a100"}
    site.publish(flavor("gpu", None, None, error=error))
    tab.open(site.address)
    expect(tab.card("gpu")).to_contain_text("? unknown: there is no PCI alias a100")


def test_quotas_of_the_project_are_shown_to_who_asks(
    site: Site, tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(site.service, 2, monkeypatch)
    tab.open(site.address)
    expect(tab.card("gpu.a100").locator(".mine")).to_be_hidden()
    tab.page.get_by_label("With the quotas of my project").check()
    expect(tab.card("gpu.a100")).to_contain_text("2 with the quotas of your project")
    expect(tab.card("fpga.u250.2")).to_contain_text("0 with the quotas of your project")
    tab.page.get_by_label("With the quotas of my project").uncheck()
    expect(tab.card("gpu.a100").locator(".mine")).to_be_hidden()


def test_cloud_without_flavors_says_so(site: Site, tab: Tab) -> None:
    site.publish(flavor("secret", 1, 1, public=False, projects=["f" * 32]))
    tab.open(site.address)
    expect(tab.page.get_by_role("status")).to_contain_text("no flavors with accelerators")
    assert tab.cards() == []


def test_last_day_is_a_line_and_a_sentence(site: Site, tab: Tab) -> None:
    site.sample("fpga-lzo", 2, 6)
    tab.open(site.address)
    image = tab.card("fpga-lzo").get_by_role("img", name="Last 24 hours: 2 to 6 free")
    points = image.locator("polyline").get_attribute("points") or ""
    numbers = [tuple(map(float, point.split(","))) for point in points.split()]
    assert len(numbers) == 2 * 288
    assert numbers == sorted(numbers, key=lambda point: point[0])
    assert numbers[-1][0] == pytest.approx(288, abs=1)
    # 8 servers are 30 high, and the line is 1 below the edge.
    assert {max(y for _, y in numbers), min(y for _, y in numbers)} == {23.5, 8.5}
    expect(tab.card("gpu.a100")).to_contain_text("no samples yet")


def test_last_day_is_not_known_without_the_database(site: Site, tab: Tab) -> None:
    site.lose_database()
    with tab.page.expect_response("**/history") as history:
        tab.open(site.address)
    assert history.value.status == 503
    expect(tab.card("fpga-lzo").get_by_role("img", name="Last 24 hours: not known")).to_be_visible()
    expect(tab.card("fpga-lzo")).to_contain_text("3 of 8 free")
    expect(tab.page.get_by_role("status")).to_be_empty()


def test_page_asks_again_every_15_seconds(site: Site, tab: Tab) -> None:
    tab.open(site.address)
    expect(tab.page.locator(".span", has_text="no samples yet")).to_have_count(len(FLAVORS))
    expect(tab.page.locator("#age")).to_have_text(re.compile(r"Counted \d+ s ago"))
    before = tab.card("fpga-lzo").element_handle()
    tab.freeze()
    site.publish(flavor("fpga-lzo", 2, 8))
    with tab.requests() as requests:
        tab.page.clock.fast_forward(15_000)
        expect(tab.card("fpga-lzo")).to_contain_text("2 of 8 free")
    assert requests == [f"{site.address}/v1/availability"]
    assert tab.cards() == ["fpga-lzo"]
    assert before.evaluate("(one) => one.isConnected")


def test_age_grows_until_the_next_answer(site: Site, tab: Tab) -> None:
    tab.open(site.address)
    tab.page.get_by_role("button", name="Pause updates").click()
    tab.freeze()
    seconds = int(re.findall(r"\d+", tab.page.locator("#age").inner_text())[0])
    tab.page.clock.run_for(20_000)
    expect(tab.page.locator("#age")).to_have_text(f"Counted {seconds + 20} s ago")


def test_pause_stops_the_updates(site: Site, tab: Tab) -> None:
    tab.open(site.address)
    expect(tab.page.locator(".span", has_text="no samples yet")).to_have_count(len(FLAVORS))
    pause = tab.page.get_by_role("button", name="Pause updates")
    pause.press("Space")
    expect(pause).to_have_attribute("aria-pressed", "true")
    site.publish(flavor("fpga-lzo", 2, 8))
    with tab.requests() as requests:
        tab.page.clock.fast_forward(60_000)
        expect(tab.page.locator("#age")).to_contain_text("Stale: counted")
    assert requests == []
    pause.click()
    expect(tab.card("fpga-lzo")).to_contain_text("2 of 8 free")
    expect(tab.page.locator("#age")).not_to_contain_text("Stale")


def test_numbers_of_a_service_that_counts_seldom_are_not_stale(site: Site, tab: Tab) -> None:
    document = {"flavors": [flavor("fpga-lzo", 2, 8)], "complete": True}
    at = clock.now() - datetime.timedelta(seconds=100)
    site.service.publication.publish("availability", document, 60, at)
    tab.open(site.address)
    expect(tab.page.locator("#age")).to_have_text(re.compile(r"Counted 1\d\d s ago"))
    expect(tab.page.get_by_role("status")).to_be_empty()


def test_numbers_that_the_engine_could_not_renew_are_shown_as_stale(site: Site, tab: Tab) -> None:
    site.fail()
    tab.open(site.address)
    expect(tab.page.locator("#age")).to_contain_text("Stale: counted")
    expect(tab.page.get_by_role("status")).to_contain_text("The numbers are old")
    expect(tab.page.locator("#flavors")).to_have_class("stale")
    site.publish()
    tab.page.clock.fast_forward(15_000)
    expect(tab.page.get_by_role("status")).to_be_empty()
    expect(tab.page.locator("#flavors")).not_to_have_class("stale")


def test_service_that_goes_and_comes_is_noticed(stopped_site: Site, tab: Tab) -> None:
    site = stopped_site
    site.publish()
    with loopback.serve(site.app) as address:
        tab.open(address)
        expect(tab.card("fpga-lzo")).to_contain_text("3 of 8 free")
    tab.page.clock.fast_forward(15_000)
    expect(tab.page.get_by_role("status")).to_contain_text("it does not answer")
    expect(tab.page.locator("#age")).to_contain_text("Stale: counted")
    expect(tab.card("fpga-lzo")).to_contain_text("3 of 8 free")
    with loopback.serve(site.app, int(address.rpartition(":")[2])):
        tab.page.clock.fast_forward(15_000)
        expect(tab.page.get_by_role("status")).to_be_empty()


@pytest.mark.parametrize(
    ("status", "reason"), [(200, "its answer is not JSON"), (502, "502 Bad Gateway")]
)
def test_other_program_before_the_service_is_noticed(
    site: Site, tab: Tab, status: int, reason: str
) -> None:
    tab.open(site.address)
    expect(tab.card("fpga-lzo")).to_contain_text("3 of 8 free")
    tab.page.route("**/v1/availability", lambda route: route.fulfill(status=status, body="<b>"))
    tab.page.clock.fast_forward(15_000)
    expect(tab.page.get_by_role("status")).to_contain_text(f"cannot be asked: {reason}")
    expect(tab.page.locator("#age")).to_contain_text("Stale: counted")


def test_service_that_has_just_started_is_not_an_empty_cloud(stopped_site: Site, tab: Tab) -> None:
    with loopback.serve(stopped_site.app) as address:
        tab.open(address)
        expect(tab.page.get_by_role("status")).to_contain_text("has just started")
        expect(tab.page.locator("#age")).to_be_hidden()
        stopped_site.publish()
        tab.page.clock.fast_forward(15_000)
        expect(tab.card("fpga-lzo")).to_contain_text("3 of 8 free")


def test_totals_that_may_grow_are_no_last_word(site: Site, tab: Tab) -> None:
    site.publish(complete=False)
    tab.open(site.address)
    expect(tab.page.get_by_role("status")).to_contain_text("totals may lack hosts")
    expect(tab.card("fpga-lzo")).to_contain_text("3 of 8 free")
    site.publish()
    tab.page.clock.fast_forward(15_000)
    expect(tab.page.get_by_role("status")).to_be_empty()


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile_name_is_text(site: Site, tab: Tab, name: str) -> None:
    dialogs: list[str] = []
    tab.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    error = {"code": name, "detail": name}
    site.publish(flavor(name, 1, 2), flavor(f"error {name}", None, None, error=error))
    tab.open(site.address)
    expect(tab.page.get_by_role("article")).to_have_count(2)
    assert set(tab.cards()) == {name, f"error {name}"}
    assert tab.page.locator("img, main script").count() == 0
    assert dialogs == []
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
