# SPDX-License-Identifier: Apache-2.0
"""Who sees the page's numbers: tokens, and the operator's word; and what the browser forbids it."""

from playwright.sync_api import expect

from tests.support.availability import flavor
from tests.ui.conftest import Site, Tab


def test_who_has_no_token_sees_no_flavor(site: Site, tab: Tab) -> None:
    tab.open(site.address, token=None)
    expect(tab.page.get_by_role("status")).to_contain_text("Sign in to see the flavors")
    expect(tab.page.get_by_label("Token")).to_be_visible()
    assert tab.cards() == []


def test_who_signs_in_sees_the_flavors_also_after_a_reload(site: Site, tab: Tab) -> None:
    tab.open(site.address)
    expect(tab.card("fpga-lzo")).to_be_visible()
    expect(tab.page.get_by_label("Token")).to_be_hidden()
    tab.page.reload()
    expect(tab.card("fpga-lzo")).to_be_visible()


def test_token_stays_in_the_tab(site: Site, tab: Tab) -> None:
    tab.open(site.address)
    expect(tab.card("fpga-lzo")).to_be_visible()
    assert tab.page.evaluate("Object.values(sessionStorage)") == ["member"]
    assert tab.page.evaluate("[localStorage.length, document.cookie, location.href]") == [
        0,
        "",
        f"{site.address}/ui/",
    ]
    assert tab.page.context.cookies() == []
    assert "member" not in tab.page.content()


def test_token_that_is_not_valid_is_said_to_be(site: Site, tab: Tab) -> None:
    tab.open(site.address, "stranger")
    expect(tab.page.get_by_role("status")).to_contain_text("not valid, or has expired")
    expect(tab.page.get_by_label("Token")).to_be_focused()


def test_token_that_expires_takes_the_flavors_away(site: Site, tab: Tab) -> None:
    tab.open(site.address)
    expect(tab.card("fpga-lzo")).to_be_visible()
    tab.page.evaluate("sessionStorage.setItem('fpga-token', 'stranger')")
    tab.page.clock.fast_forward(15_000)
    expect(tab.page.get_by_role("status")).to_contain_text("not valid, or has expired")
    assert tab.cards() == []


def test_sign_out_forgets_the_token_and_the_flavors(site: Site, tab: Tab) -> None:
    tab.open(site.address)
    tab.page.get_by_role("button", name="Sign out").click()
    expect(tab.page.get_by_label("Token")).to_be_focused()
    assert tab.cards() == []
    assert tab.page.evaluate("sessionStorage.length") == 0


def test_anybody_sees_public_flavors_where_the_operator_says_so(site: Site, tab: Tab) -> None:
    site.service.conf.set_override("public", True, "availability")
    site.publish(flavor("public", 1, 2), flavor("secret", 1, 2, public=False, projects=["f" * 32]))
    tab.open(site.address, token=None)
    expect(tab.card("public")).to_contain_text("1 of 2 free")
    assert tab.cards() == ["public"]
    expect(tab.page.get_by_label("With the quotas")).to_be_hidden()


def test_browser_runs_no_other_script(site: Site, tab: Tab) -> None:
    tab.open(site.address)
    blocked = tab.page.evaluate(
        """() => new Promise((resolve) => {
            document.addEventListener("securitypolicyviolation", (event) =>
                resolve(event.effectiveDirective));
            const image = document.createElement("img");
            image.src = "http://127.0.0.1:1/";
            document.body.append(image);
        })"""
    )
    assert blocked == "img-src"
    refused = tab.page.evaluate(
        """() => {
            try { document.body.innerHTML = "<b>"; } catch { return true; }
            return false;
        }"""
    )
    assert refused
    assert len(tab.faults) == 2
    tab.faults.clear()
