"""One browser and one gateway for all tests of the console: tests/conftest.py runs them in one process."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.console.tab import ConsoleTab
from tests.browser.console.world import ConsoleGateway, a_console_gateway
from tests.browser.graphiql_page import CHROMIUM, a_browser
from tests.support.at_the_end import AT_THE_END

OpenTab = Callable[..., ConsoleTab]
PATIENCE_MS = 20_000
"""How long a test waits for what it expects: a busy machine takes longer than the 5 seconds of Playwright."""


class KeptBrowser:
    """A browser that is started for the first test which needs it, and kept until it is closed."""

    def __init__(self) -> None:
        self._browser: Browser | None = None
        self._stack = ExitStack()

    def get(self) -> Browser:
        """The browser."""
        if self._browser is None:
            self._browser = self._stack.enter_context(a_browser())
            expect.set_options(timeout=PATIENCE_MS)
            self._stack.callback(expect.set_options, timeout=None)
        return self._browser

    def close(self) -> None:
        """Close it, if it is open."""
        self._browser = None
        self._stack.close()


KEPT = KeptBrowser()
AT_THE_END.callback(KEPT.close)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None]:
    """Close the browser after the last test of this folder.

    Playwright keeps an event loop, which async tests of other folders must not meet.
    """
    try:
        yield
    finally:
        if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
            KEPT.close()


@pytest.fixture
def browser() -> Browser:
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    return KEPT.get()


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
