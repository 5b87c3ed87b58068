"""Each screen of the console: accessible in both themes, fits every width, and a picture of it."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.console.conftest import OpenTab
from tests.browser.console.tab import ConsoleTab
from tests.browser.console.world import LOANS, ConsoleGateway
from tests.support.long_mode import IS_LONG, long_only
from tests.support.other_tools import javascript_tools
from tests.support.project import ROOT

pytestmark = pytest.mark.browser

MAPPED = "3:Task_PrepareContract>Task_DraftContract"
SCREENS = {
    "processes": "#/processes",
    "process": f"{LOANS}?version=3",
    "versions": f"{LOANS}?tab=versions",
    "instances": f"{LOANS}?tab=instances&version=3",
    "compare": f"{LOANS}/compare?from=1&to=6",
    "plan": f"{LOANS}/upgrade",
    "mapping": f"{LOANS}/upgrade?select=matching&versions=3&from=3&map={MAPPED}",
    "upgrades": "#/upgrades",
    "upgrade": "#/upgrades/UPGRADE?at=Task_PayOut",
    "queued": "#/upgrades/QUEUED",
    "outcomes": "#/upgrades/UPGRADE/outcomes?kind=SKIPPED",
    "instance": "#/instances/INSTANCE",
    "engines": "#/engines",
}
UPGRADED = """
query ($id: UUID!) {
  upgrade(id: $id) {outcomes(filter: {kinds: [UPGRADED]}, first: 10) {nodes {instanceId toPosition}}}
}
"""
PICTURES = Path(os.environ.get("UPLIFT_PICTURES") or ROOT / "build" / "pictures")
ARE_PICTURES_WANTED = IS_LONG or "UPLIFT_PICTURES" in os.environ
WIDTHS = (1440, 320)
LOOKS = (("en", "light"), ("en", "dark"), ("de", "light"), ("ru", "dark"))
"""Languages and themes."""


@pytest.fixture(scope="module")
def axe() -> str:
    return (javascript_tools() / "node_modules" / "axe-core" / "axe.min.js").read_text()


def address_of(screen: str, gateway: ConsoleGateway) -> str:
    address = SCREENS[screen].replace("UPGRADE", str(gateway.data.upgrade))
    address = address.replace("QUEUED", str(gateway.data.queued))
    return address.replace("INSTANCE", upgraded_loan(gateway)) if "INSTANCE" in address else address


def upgraded_loan(gateway: ConsoleGateway) -> str:
    nodes = gateway.ask(UPGRADED, id=str(gateway.data.upgrade))["upgrade"]["outcomes"]["nodes"]
    instance: str = next(it["instanceId"] for it in nodes if it["toPosition"])
    return instance


def wait_until_shown(tab: ConsoleTab) -> None:
    expect(tab.page.get_by_role("heading", level=1)).to_be_visible()
    expect(tab.page.locator(".skeleton, [aria-busy=true]")).to_have_count(0)


def faults(tab: ConsoleTab, axe: str) -> list[str]:
    # The page's policy forbids inline scripts, which evaluate() is not.
    tab.page.evaluate(axe)
    results: dict[str, Any] = tab.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{it['id']}: {it['nodes'][0]['html'][:200]}" for it in results["violations"]]


@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_is_accessible_in_both_themes_and_fits_a_narrow_window(
    open_tab: OpenTab, gateway: ConsoleGateway, axe: str, screen: str
) -> None:
    tab = open_tab(address_of(screen, gateway))
    wait_until_shown(tab)
    for theme in ("light", "dark"):
        tab.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        assert faults(tab, axe) == [], theme
    expect(tab.page.get_by_role("heading", level=1)).to_have_count(1)
    tab.page.set_viewport_size({"width": 320, "height": 700})
    overflow = tab.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow == 0
    assert tab.complaints == []


def test_sign_in_is_accessible(open_tab: OpenTab, axe: str) -> None:
    tab = open_tab(key="")
    wait_until_shown(tab)
    assert faults(tab, axe) == []


@long_only
def test_what_opens_over_a_screen_is_accessible(open_tab: OpenTab, gateway: ConsoleGateway, axe: str) -> None:
    tab = open_tab(address_of("upgrade", gateway))
    wait_until_shown(tab)
    opened: dict[str, Callable[[], None]] = {
        "retry": lambda: tab.page.get_by_role("button", name="Retry …").click(),
        "undo": lambda: tab.page.get_by_role("button", name="Undo …").click(),
        "finder": lambda: tab.page.keyboard.press("Control+k"),
        "keys": lambda: tab.page.keyboard.press("?"),
    }
    for name, open_it in opened.items():
        open_it()
        expect(tab.page.get_by_role("dialog")).to_be_visible()
        assert faults(tab, axe) == [], name
        tab.page.keyboard.press("Escape")
        expect(tab.page.get_by_role("dialog")).to_have_count(0)
    tab.page.get_by_role("button", name="Settings and API key: admin").click()
    assert faults(tab, axe) == []
    tab.open(address_of("mapping", gateway))
    wait_until_shown(tab)
    tab.page.get_by_role("button", name=re.compile("^Upgrade .* …")).click()
    expect(tab.page.get_by_role("dialog")).to_be_visible()
    assert faults(tab, axe) == []


@pytest.mark.skipif(not ARE_PICTURES_WANTED, reason="takes minutes: UPLIFT_PICTURES=folder or the long mode")
@pytest.mark.parametrize("screen", ["sign-in", *SCREENS])
def test_pictures_of_a_screen(open_tab: OpenTab, gateway: ConsoleGateway, screen: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    is_signed_in = screen != "sign-in"
    address = address_of(screen, gateway) if is_signed_in else ""
    for language, theme in LOOKS:
        tab = open_tab(address, language=language, theme=theme, key=None if is_signed_in else "")
        for width in WIDTHS:
            tab.page.set_viewport_size({"width": width, "height": 900})
            tab.open(address)
            wait_until_shown(tab)
            tab.page.wait_for_load_state("networkidle")
            wait_until_shown(tab)
            picture = PICTURES / f"{screen}-{width}-{theme}-{language}.png"
            tab.page.screenshot(path=picture, full_page=True)
            assert picture.stat().st_size > 0
        assert tab.complaints == []
