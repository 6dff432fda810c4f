# SPDX-License-Identifier: Apache-2.0
"""The files of the page as they are served; tests/ui has the page in a browser."""

import html.parser
import re
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from fpga_api.ui import page
from tests.support import api as support

_FOLDER = Path(page.__file__).parent


def _get(api: support.Api, name: str, headers: dict[str, str] | None = None) -> TestResponse:
    """What a browser gets; the folder itself is the page."""
    path = f"/ui/{name.removeprefix('index.html')}"
    return api.app.test_client().get(path, headers=headers)


def test_anybody_gets_the_page(api: support.Api) -> None:
    response = _get(api, "")
    assert response.status_code == 200
    assert response.mimetype == "text/html"


@pytest.mark.parametrize("path", ["/ui", "/ui/index.html"])
def test_other_names_of_the_page_lead_to_it(api: support.Api, path: str) -> None:
    response = api.app.test_client().get(path)
    assert response.status_code == 308
    assert response.location.endswith("/ui/")


@pytest.mark.parametrize("name", page.FILES)
def test_file_of_the_page_has_its_type_and_the_policy(api: support.Api, name: str) -> None:
    response = _get(api, name)
    types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    assert response.mimetype == types.get(Path(name).suffix, "text/html")
    assert response.data == (_FOLDER / name).read_bytes()
    assert response.headers["Content-Security-Policy"] == page.POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_policy_lets_nothing_in_but_what_the_service_serves() -> None:
    policy = dict(part.split(" ", 1) for part in page.POLICY.split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "img", "connect")} == {"'self'"}
    assert "unsafe" not in page.POLICY


@pytest.mark.parametrize("name", ["page.py", "nothing.js", "..%2fapp.py", "__init__.py"])
def test_other_file_is_not_there(api: support.Api, name: str) -> None:
    response = _get(api, name)
    assert response.status_code == 404
    assert response.json
    assert response.json["error"]["code"] == "fpga.not_found"


def test_every_file_for_browsers_is_served() -> None:
    found = {path.name for path in _FOLDER.iterdir() if path.suffix in {".js", ".css", ".html"}}
    assert found | {"icon.svg"} == set(page.FILES)


def test_browser_gets_a_file_once(api: support.Api) -> None:
    tag = _get(api, "main.js").headers["ETag"]
    assert _get(api, "main.js", {"If-None-Match": tag}).status_code == 304


def test_page_asks_nobody_else() -> None:
    for name in page.FILES:
        text = (_FOLDER / name).read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.findall(r"(?:https?:)?//[a-z]+\.", text), name


class _Inline(html.parser.HTMLParser):
    """Collects what the policy forbids in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        self.found += [name for name in names if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(tag)


def test_page_has_nothing_inline() -> None:
    parser = _Inline()
    parser.feed((_FOLDER / "index.html").read_text())
    assert parser.found == []
    parser.feed("<p style='a'><script>1</script><b onclick='1'>")
    assert parser.found == ["style", "script", "onclick"]
