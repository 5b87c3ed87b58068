"""Diagrams have all that a document draws, whatever the order in which its parts need each other."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.console.conftest import OpenTab
from tests.browser.console.world import ConsoleGateway

pytestmark = pytest.mark.browser

COLLABORATION = Path(__file__).with_name("collaboration.bpmn").read_text()
SAVE = "mutation ($bpmn: String) {saveDraft(input: {namespace: %s, bpmn: $bpmn}) {userErrors {code}}}"
PROCESS = '"shop", code: "pools"'
DRAWN = """
[...document.querySelectorAll(".diagram .djs-element[data-element-id]")].map((it) => it.dataset.elementId)
"""
POOLS = {"Bank", "Customer", "Clerk", "Boss"}
NODES = {"S", "Check", "Late", "EndLate", "Open", "Inner", "Closed", "E"}
FLOWS = {"ToCheck", "ToOpen", "ToClosed", "ToEndLate", "ToEnd", "ToCustomer"}
BESIDE = {"File", "ReadsFile", "Note", "ToNote"}
WITH_LABELS = {"S", "Late", "ToOpen", "File"}


@pytest.fixture(scope="module")
def pools(gateway: ConsoleGateway) -> str:
    """The address of a draft with pools, lanes, and a flow to an element that has no shape."""
    gateway.ask('mutation {createProcess(input: {namespace: "shop", code: "pools"}) {userErrors {code}}}')
    gateway.ask(SAVE % PROCESS, bpmn=COLLABORATION)
    return "#/processes/shop/pools"


def test_a_collaboration_is_drawn_whole(open_tab: OpenTab, pools: str) -> None:
    tab = open_tab(pools)
    expect(tab.page.locator('[data-element-id="ToNote"]')).to_be_visible()
    drawn = set(tab.page.evaluate(DRAWN))
    named = POOLS | NODES | FLOWS | BESIDE | {f"{name}_label" for name in WITH_LABELS}
    assert named - drawn == set()
    assert "ToNowhere" not in drawn
    assert [text.partition(" Error")[0] for text in tab.complaints] == ["warning: ToNowhere is not drawn"]


def test_a_closed_subprocess_opens_and_closes(open_tab: OpenTab, pools: str) -> None:
    tab = open_tab(pools)
    inside = tab.page.locator('[data-element-id="Hidden"]').first
    opens = tab.page.locator(".bjs-drilldown:visible")
    expect(opens).to_have_count(1)
    expect(inside).to_be_hidden()
    opens.click()
    expect(inside).to_be_visible()
    expect(inside).to_be_in_viewport()
    tab.page.locator(".bjs-breadcrumbs a").first.click()
    expect(inside).to_be_hidden()
    expect(tab.page.locator('[data-element-id="Check"]').first).to_be_visible()
