# SPDX-License-Identifier: Apache-2.0
"""The application of fpga-api on the loopback, and its page in Debian's chromium."""

import contextlib
import dataclasses
import datetime
import math
import shutil
import typing
from pathlib import Path

import pytest
from playwright import sync_api as playwright

from fpga_api import clock, service
from fpga_api.db import connection, samples, schema
from tests.support import api as support
from tests.support import loopback
from tests.support.availability import flavor

_CHROMIUM = "/usr/bin/chromium"

#: Flavors with the servers that find a host, and all that would.
FLAVORS = {
    "fpga-lzo": (3, 8),
    "fpga-packbits": (8, 8),
    "fpga.u250.2": (0, 4),
    "gpu.a100": (5, 16),
}


@dataclasses.dataclass
class Site:
    """A service with a page.

    :ivar address: of the service
    """

    service: service.Service
    app: typing.Any
    address: str = ""

    def publish(self, *flavors: dict[str, typing.Any], complete: bool = True) -> None:
        """Publish as the engine does; by default the flavors of FLAVORS."""
        found = flavors or tuple(flavor(name, *counts) for name, counts in FLAVORS.items())
        self.service.publication.publish(
            "availability", {"flavors": list(found), "complete": complete}, 15
        )

    def fail(self) -> None:
        """Fail to count again, as the engine does without Placement."""
        self.service.publication.fail("availability", "Placement does not answer")

    def lose_database(self) -> None:
        """Have the database without its tables, as one that is gone."""
        schema.downgrade(self.service.database)

    def sample(self, name: str, least: int, most: int) -> None:
        """Keep samples of a day, a wave between two numbers."""
        now = clock.now().replace(microsecond=0)
        samples.add(
            self.service.database,
            [
                samples.Sample(
                    name,
                    now - datetime.timedelta(minutes=5 * index),
                    total=FLAVORS[name][1],
                    free=round(least + (most - least) * (1 + math.sin(index / 20)) / 2),
                )
                for index in range(288)
            ],
        )


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without rows, to copy."""
    file = tmp_path_factory.mktemp("database") / "fpga.sqlite"
    conf = support.configuration(database={"connection": f"sqlite:///{file}"})
    empty = connection.Database(conf)
    schema.sync(empty)
    empty.engine.dispose()
    return file


@pytest.fixture
def stopped_site(database: Path, tmp_path: Path) -> typing.Iterator[Site]:
    """A service that nobody serves yet."""
    file = shutil.copy(database, tmp_path)
    conf = support.configuration(database={"connection": f"sqlite:///{file}"})
    with support.Tokens():
        shared = service.Service(conf)
        yield Site(shared, support.Api(shared).app)


@pytest.fixture
def site(stopped_site: Site) -> typing.Iterator[Site]:
    """A service that counted right now."""
    stopped_site.publish()
    with loopback.serve(stopped_site.app) as stopped_site.address:
        yield stopped_site


@pytest.fixture(scope="session")
def browser() -> typing.Iterator[playwright.Browser]:
    """Debian's chromium. Its sandbox does not start for root; it opens pages of this test alone."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_CHROMIUM, chromium_sandbox=False)
        yield browser
        browser.close()


@dataclasses.dataclass
class Tab:
    """A tab of the browser, whose clock the test sets.

    :ivar faults: what its console has of scripts and of the policy for content
    """

    page: playwright.Page
    faults: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(10_000)
        self.page.clock.install()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._note)

    def _note(self, message: playwright.ConsoleMessage) -> None:
        # An answer that is a refusal is on the console, too; the page shows it.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(message.text)

    def open(self, address: str, token: str | None = "member") -> None:
        """Open the page, and sign in if there is a token."""
        self.page.goto(f"{address}/ui/")
        if token:
            self.page.get_by_label("Token").fill(token)
            self.page.keyboard.press("Enter")

    def freeze(self) -> None:
        """Have the clock of the page stand still, but where the test moves it."""
        self.page.clock.pause_at(self.page.evaluate("Date.now()") / 1000 + 1)

    @contextlib.contextmanager
    def requests(self) -> typing.Iterator[list[str]]:
        """The addresses of what the page asks meanwhile."""
        found: list[str] = []

        def note(request: playwright.Request) -> None:
            found.append(request.url)

        self.page.on("request", note)
        yield found
        self.page.remove_listener("request", note)

    def cards(self) -> list[str]:
        """The names of the flavors that it shows."""
        return self.page.locator("article h2").all_text_contents()

    def card(self, name: str) -> playwright.Locator:
        """The card of a flavor."""
        return self.page.get_by_role("article").filter(
            has=self.page.get_by_role("heading", name=name, exact=True)
        )


@pytest.fixture
def tab(browser: playwright.Browser) -> typing.Iterator[Tab]:
    """A new tab; a fault on its console fails the test."""
    context = browser.new_context(viewport={"width": 1000, "height": 560})
    tab = Tab(context.new_page())
    yield tab
    context.close()
    assert tab.faults == []
