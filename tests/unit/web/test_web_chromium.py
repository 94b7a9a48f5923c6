"""The pages in a real browser, light and dark, wide and on a phone: what is seen is what the commands print."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator

import pytest
from waitress.server import create_server

from bwmgr.config.settings import WebSection
from bwmgr.daemon.application import Application
from bwmgr.daemon.web.access import Access
from bwmgr.daemon.web.site import make_site
from bwmgr.language import Words

playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser: pip install playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe checks for accessibility")

pytestmark = [pytest.mark.system, pytest.mark.slow]

ADDRESSES = (
    "/",
    "/links",
    "/links/dinkes?window=week",
    "/recommendations",
    "/recommendations/0123456789ab",
    "/health",
    "/links/dinkess",
)
EXAMINED = ("/", "/links/dinkes?window=week", "/recommendations/0123456789ab", "/health")
"""By axe-core, which takes seconds a page: all that the others are made of is on these."""
LOOKS = {
    "light, wide": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark, phone": {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}},
}
INK = """canvas => {
  const drawn = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(drawn.data.buffer)).size;
}"""
"""How many colours there are on it."""
HARMLESS = "status of 404"
"""What the browser's console says of the page of an unknown link."""


@pytest.fixture(scope="module")
def address(office: Application) -> Iterator[str]:
    site = make_site(office, Access(WebSection(listen=("127.0.0.1", 0))), lambda: {"healthy": True, "links_ok": 2})
    server = create_server(site, host="127.0.0.1", port=0, threads=4)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()
    thread.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium is installed")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def opened(browser: playwright.Browser) -> Iterator[Callable[..., playwright.Page]]:
    """`opened("dark, phone")`: a page whose complaints are in `page.said`, and must be none at the end."""
    contexts, said = [], []

    def open_(look: str) -> playwright.Page:
        contexts.append(browser.new_context(**LOOKS[look]))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if "127.0.0.1" not in request.url else None)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert [text for text in said if HARMLESS not in text] == []


@pytest.mark.parametrize("look", LOOKS)
def test_pages_fit_are_accessible_and_obey_their_policy(opened: Callable[..., playwright.Page], address: str, look: str) -> None:
    """No violation of the security policy, no error, no foreign host; no sideways scrolling; nothing that axe-core finds."""
    page = opened(look)
    for path in ADDRESSES:
        page.goto(address + path, wait_until="load")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
        if path in EXAMINED:
            found = axe.Axe().run(page)
            assert found.violations_count == 0, f"{path}: {found.generate_report()}"


@pytest.mark.parametrize("language", ["id", "en"])
def test_what_is_seen_is_what_the_command_prints(
    opened: Callable[..., playwright.Page], address: str, printed: Callable[..., str], language: str
) -> None:
    """Row by row as text on the screen."""
    page = opened("light, wide")
    page.goto(f"{address}/links?lang={language}")
    rows = [" ".join(row.split()) for row in page.locator("#links tbody tr").all_inner_texts()]
    said = printed("status", "--all", lang=language).splitlines()[1:]
    assert rows == [" ".join(line.split()) for line in said if line.strip()]


def test_chart_is_drawn_and_read_by_keyboard(opened: Callable[..., playwright.Page], address: str) -> None:
    """Ink on the canvas; the arrow keys say a time and its rates, worded as commands word them; Home and End are the ends."""
    page = opened("dark, phone")
    page.goto(f"{address}/links/dinkes?lang=id")
    page.wait_for_selector("#chart canvas")
    assert page.locator("#chart canvas").evaluate(INK) > 3
    curves, words = json.loads(page.locator("#curves").inner_text()), Words("id")
    page.focus("#chart")
    last = len(curves["at"]) - 1
    for key, place in (("Home", 0), ("ArrowRight", 1), ("End", last), ("ArrowLeft", last - 1)):
        page.keyboard.press(key)
        down, up = (words.rate(curves["rates"][direction][place]) for direction in ("down", "up"))
        assert page.locator("#chart-value").inner_text().endswith(f", Unduh {down}, Unggah {up}")


def test_a_keyboard_reaches_the_content_and_every_page(opened: Callable[..., playwright.Page], address: str) -> None:
    """First Tab: past the navigation; its link leads to the content; no script is needed for any of it."""
    page = opened("dark, phone")
    page.goto(address + "/?lang=en")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url == f"{address}/recommendations"
