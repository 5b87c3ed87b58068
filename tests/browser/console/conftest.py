"""One browser and one gateway for all tests of the console: tests/conftest.py runs them in one process."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.console.tab import ConsoleTab
from tests.browser.console.world import ConsoleGateway, a_console_gateway
from tests.browser.graphiql_page import CHROMIUM, a_browser

OpenTab = Callable[..., ConsoleTab]
PATIENCE_MS = 20_000
"""How long a test waits for what it expects: a busy machine takes longer than the 5 seconds of Playwright."""


@pytest.fixture(
    scope="module"
)  # Playwright keeps an event loop, which async tests of other files must not meet
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    expect.set_options(timeout=PATIENCE_MS)
    with a_browser() as browser:
        yield browser
    expect.set_options(timeout=None)


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleGateway]:
    with a_console_gateway(tmp_path_factory.mktemp("console")) as gateway:
        yield gateway


@pytest.fixture
def open_tab(browser: Browser, gateway: ConsoleGateway) -> Iterator[OpenTab]:
    """Opens tabs with the console; each loads only from its gateway, and breaks no policy."""
    tabs: list[ConsoleTab] = []

    def open_tab(address: str = "#/processes", **options: Any) -> ConsoleTab:
        tabs.append(ConsoleTab(browser, options.pop("gateway", gateway), **options))
        tabs[-1].open(address)
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        origin = tab.url.removeprefix("http://").partition("/")[0]
        assert [url for url in tab.requested if origin not in url and url != "about:blank"] == []
        assert tab.violations() == []
        tab.close()
