"""One open tab with the console, which records what it requested and what the browser complained about."""

from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.browser.console.world import ConsoleGateway

RECORD_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation",
  (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""

# A page that signs out, or whose key is refused, must not get the key again by a reload.
SIGN_IN_ONCE = """
if (location.protocol !== "about:" && !sessionStorage.getItem("test:signed-in")) {
  sessionStorage.setItem("test:signed-in", "yes");
  sessionStorage.setItem("uplift:key", "KEY");
}
"""


class ConsoleTab:
    """A tab, signed in unless `key` is empty.

    The only tab of an English reader has the browser's profile, in which it starts quickly. It leaves nothing
    there that a later one would find. Any other tab has a context of its own.
    """

    def __init__(
        self,
        browser: Browser,
        gateway: ConsoleGateway,
        *,
        key: str | None = None,
        theme: Literal["light", "dark"] = "light",
        width: int = 1440,
        language: str = "en",
        url: str | None = None,
    ) -> None:
        self.gateway = gateway
        self.url = f"{url or gateway.url}/console"
        key = gateway.data.admin_key if key is None else key
        profile = browser.contexts[0]
        is_alone = len(profile.pages) == 1  # the empty one, with which the profile begins
        self._has_profile = language == "en" and is_alone
        self.context = profile if self._has_profile else browser.new_context(locale=language)
        self.page: Page = self.context.new_page()
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme=theme)
        self.page.add_init_script(RECORD_VIOLATIONS)
        if key:
            self.page.add_init_script(SIGN_IN_ONCE.replace("KEY", key))
        self.requested: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.on("websocket", lambda socket: self.requested.append(socket.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._note)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def open(self, address: str = "#/processes") -> None:
        """Open an address of the console in a page that was not there before."""
        self.page.goto("about:blank")
        self.page.goto(self.url + address)

    def sign_in(self, key: str) -> None:
        self.page.get_by_label("API key", exact=True).fill(key)
        self.page.get_by_role("button", name="Sign in").click()

    def expect_title(self, title: str) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_have_text(title)

    def row(self, text: str) -> Locator:
        return self.page.get_by_role("row").filter(has_text=text)

    def text(self) -> Locator:
        return self.page.get_by_role("main")

    def violations(self) -> list[str]:
        violations: list[str] = self.page.evaluate("window.violations")
        return violations

    def stored(self) -> dict[str, Any]:
        stored: dict[str, Any] = self.page.evaluate(
            "({local: {...localStorage}, session: {...sessionStorage}, cookies: document.cookie})"
        )
        return stored

    def close(self) -> None:
        if not self._has_profile:
            self.context.close()
            return
        self.page.evaluate("location.protocol === 'about:' || localStorage.clear()")
        self.page.close()
        self.context.clear_cookies()
        self.context.clear_permissions()
