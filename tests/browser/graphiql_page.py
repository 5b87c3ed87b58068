"""Steps that a person takes on the GraphiQL page, for tests against any server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Pages live for seconds: compiling what is hot, and a program for each tab, cost more than they save.
    "--js-flags=--no-turbofan --no-maglev",
    "--renderer-process-limit=1",
]

# GraphiQL looks for the operation to run, and whether it is a subscription, a moment after the last change.
PAUSE_FOR_PARSING_MS = 500


@contextmanager
def a_browser() -> Iterator[Browser]:
    """A browser with one context that has a profile on disk; others know nothing of each other.

    Only that one keeps what it has loaded and compiled: a further tab in it takes a third of the time.
    """
    with sync_playwright() as playwright:
        profile = playwright.chromium.launch_persistent_context(
            "", executable_path=CHROMIUM, args=QUIET, locale="en"
        )
        try:
            assert profile.browser is not None
            yield profile.browser
        finally:
            profile.close()


class GraphiQLPage:
    """One open tab with GraphiQL, which records what it requested and what the browser complained about."""

    def __init__(
        self,
        browser: Browser,
        *,
        color_scheme: Literal["light", "dark"] = "light",
        any_certificate: bool = False,
        has_own_context: bool = False,
    ) -> None:
        # A new context keeps nothing that was compiled: see a_browser.
        is_new = any_certificate or has_own_context
        context = browser.new_context(ignore_https_errors=any_certificate) if is_new else browser.contexts[0]
        self.page: Page = context.new_page()
        self.page.set_viewport_size({"width": 1280, "height": 800})
        self.page.emulate_media(color_scheme=color_scheme)
        self.requested: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.on("websocket", lambda socket: self.requested.append(socket.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._note)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def open(self, url: str) -> None:
        self.page.goto(url)
        expect(self.editor("Operation Editor")).to_be_visible()
        expect(self.key_field()).to_be_visible()

    def close(self) -> None:
        """Close it, and leave nothing that a later one would find."""
        origin = self.page.evaluate("location.origin")
        self.page.goto("about:blank")  # else it could store its last change afterwards
        devtools = self.page.context.new_cdp_session(self.page)
        devtools.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "local_storage"})
        self.page.close()

    def editor(self, label: str) -> Locator:
        return self.page.get_by_role("region", name=label, exact=True).locator(".view-lines:visible")

    def text_of(self, editor: Locator) -> str:
        """The lines as they are shown, in their order on the screen (the editor recycles their elements)."""
        lines = editor.locator(".view-line").evaluate_all(
            "lines => lines.sort((a, b) => a.offsetTop - b.offsetTop).map(line => line.textContent)"
        )
        return "\n".join(lines).replace("\u00a0", " ")

    def query_text(self) -> str:
        return self.text_of(self.editor("Operation Editor"))

    def key_field(self) -> Locator:
        return self.page.get_by_label("API key")

    def enter_key(self, key: str) -> None:
        self.key_field().fill(key)
        self.key_field().press("Enter")

    def variables_text(self) -> str:
        return self.text_of(self.editor("Variables"))

    def copy_link(self) -> str:
        """The link that the button puts into the address bar."""
        self.page.get_by_role("button", name="Copy a link to this operation").click()
        return self.page.url

    def enter_header(self, name: str, value: str) -> None:
        self.page.get_by_role("button", name="Headers", exact=True).click()
        self._replace(self.editor("Headers"), json.dumps({name: value}))

    def enter_query(self, query: str) -> None:
        self._replace(self.editor("Operation Editor"), query)
        self.page.wait_for_timeout(PAUSE_FOR_PARSING_MS)

    def _replace(self, editor: Locator, text: str) -> None:
        editor.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.press("Delete")  # the rest is pasted, so that no bracket is closed twice
        self.page.keyboard.insert_text(text)

    def run(self) -> None:
        self.page.get_by_role("button", name="Execute query").click()

    def expect_result(self, text: str) -> None:
        expect(self.page.locator(".result-window")).to_contain_text(text)

    def prettify(self) -> None:
        self.page.get_by_role("button", name="Prettify query").click()

    def expect_marked_mistake(self) -> None:
        expect(self.page.locator(".graphiql-query-editor .squiggly-error").first).to_be_visible()

    def repeat_from_history(self, operation: str) -> None:
        self.page.get_by_role("button", name="Show History").click()
        self.page.locator(".graphiql-history").get_by_text(operation, exact=True).first.click()

    def open_documentation(self) -> None:
        self.page.get_by_role("button", name="Show Documentation Explorer").click()

    def documentation(self) -> Locator:
        return self.page.locator(".graphiql-doc-explorer")

    def open_tab(self) -> None:
        self.page.get_by_role("button", name="New tab").click()

    def stored(self) -> dict[str, Any]:
        """All that the page left in the browser: the local and the session storage, and cookies."""
        stored: dict[str, Any] = self.page.evaluate(
            "({local: {...localStorage}, session: {...sessionStorage}, cookies: document.cookie})"
        )
        return stored
