# SPDX-License-Identifier: Apache-2.0
"""The page for all people: keyboard, screen reader, dark mode, small windows; and its pictures."""

import os
import struct
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.ui.conftest import FLAVORS, Site, Tab

_IMAGES = Path(__file__).parents[2] / "docs" / "images"


def _violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html']}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize(("scheme", "faint"), [("light", "#bbb"), ("dark", "#444")])
def test_axe_finds_nothing(site: Site, tab: Tab, scheme: str, faint: str) -> None:
    tab.page.emulate_media(color_scheme=scheme)
    tab.open(site.address, token=None)
    expect(tab.page.get_by_label("Token")).to_be_visible()
    assert _violations(tab.page) == []
    tab.open(site.address)
    expect(tab.card("gpu.a100")).to_contain_text("no samples yet")
    assert _violations(tab.page) == []
    site.fail()
    tab.page.clock.fast_forward(15_000)
    expect(tab.page.locator("#flavors")).to_have_class("stale")
    assert _violations(tab.page) == []
    tab.page.evaluate("(faint) => { document.querySelector('h1').style.color = faint; }", faint)
    assert [one.partition(":")[0] for one in _violations(tab.page)] == ["color-contrast"]


def test_keyboard_reaches_everything_in_order(site: Site, tab: Tab) -> None:
    tab.open(site.address)
    expect(tab.page.locator("#flavors")).to_be_focused()
    tab.page.reload()
    expect(tab.card("fpga-lzo")).to_be_visible()
    names = []
    for _ in range(4):
        tab.page.keyboard.press("Tab")
        names.append(tab.page.evaluate("document.activeElement.id || document.activeElement.href"))
    assert names == [f"{site.address}/ui/#flavors", "mine", "pause", "sign-out"]
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_label("Token")).to_be_focused()


def test_screen_reader_gets_names_and_numbers(site: Site, tab: Tab) -> None:
    site.sample("fpga-lzo", 2, 6)
    tab.open(site.address)
    expect(tab.card("fpga-lzo")).to_contain_text("2 to 6 free")
    expect(tab.page.get_by_role("list", name="Flavors with accelerators")).to_match_aria_snapshot(
        """
        - list "Flavors with accelerators":
          - listitem:
            - article:
              - heading "fpga-lzo" [level=2]
              - paragraph:
                - strong: "3"
                - text: of 8 free
              - 'img "Last 24 hours: 2 to 6 free"'
        """
    )


def test_refresh_is_no_news_for_a_screen_reader(site: Site, tab: Tab) -> None:
    tab.open(site.address)
    expect(tab.card("fpga-lzo")).to_be_visible()
    tab.page.evaluate(
        """() => {
            window.news = 0;
            new MutationObserver(() => (window.news += 1)).observe(
                document.querySelector("[role=status]"),
                { childList: true, characterData: true, subtree: true });
        }"""
    )
    for _ in range(3):
        with tab.page.expect_response("**/v1/availability"):
            tab.page.clock.fast_forward(15_000)
    assert tab.page.evaluate("window.news") == 0


def test_small_window_scrolls_in_one_direction(site: Site, tab: Tab) -> None:
    tab.page.set_viewport_size({"width": 320, "height": 480})
    tab.open(site.address)
    expect(tab.page.get_by_role("article")).to_have_count(len(FLAVORS))
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def _background(tab: Tab) -> int:
    """The sum of red, green and blue behind the page."""
    color = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, color.strip("rgb()").split(",")))


def test_page_follows_the_mode_of_the_system(site: Site, tab: Tab) -> None:
    tab.open(site.address)
    tab.page.emulate_media(color_scheme="light")
    assert _background(tab) > 3 * 200
    tab.page.emulate_media(color_scheme="dark")
    assert _background(tab) < 3 * 50


@pytest.mark.parametrize(
    ("name", "scheme", "stale"), [("light", "light", False), ("stale-dark", "dark", True)]
)
def test_picture_of_the_documentation_is_of_this_page(
    site: Site, tab: Tab, tmp_path: Path, name: str, scheme: str, stale: bool
) -> None:
    for one, (free, total) in FLAVORS.items():
        site.sample(one, max(0, free - 3), min(total, free + 2))
    if stale:
        site.fail()
    tab.page.emulate_media(color_scheme=scheme)
    tab.open(site.address)
    expect(tab.page.locator(".span", has_text="free")).to_have_count(len(FLAVORS))
    tab.page.evaluate("document.activeElement.blur()")
    published = _IMAGES / f"ui-{name}.png"
    picture = published if os.environ.get("FPGA_NOVA_SCREENSHOTS") else tmp_path / published.name
    tab.page.screenshot(path=picture, animations="disabled")
    assert _size(published) == _size(picture)


def _size(png: Path) -> tuple[int, int]:
    """Width and height of a PNG."""
    width, height = struct.unpack(">II", png.read_bytes()[16:24])
    return width, height
