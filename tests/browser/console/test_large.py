"""What is large is drawn in slices, so that the page answers between them."""

import json
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.console.conftest import OpenTab
from tests.browser.console.world import ConsoleGateway
from tests.support.long_mode import long_only

pytestmark = pytest.mark.browser

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
REGISTER = """
mutation ($instances: [RegisteredInstanceInput!]!) {
  registerInstances(input: {namespace: "big", code: "big", instances: $instances}) {userErrors {message}}
}
"""
TASKS = 500
ELEMENTS = 2 * TASKS - 1
SLICE = 50
BIG = "#/processes/big/big"
LONGEST_TASK_MS = 200

# How many there are whenever the browser tells of changes, which is once after each task of the page.
RECORD_SLICES = """
window.slices = {elements: [0], labels: [0]};
new MutationObserver(() => {
  const found = {elements: ".djs-element[data-element-id]", labels: ".djs-overlay .diagram-count"};
  for (const [name, selector] of Object.entries(found)) {
    const count = document.querySelectorAll(selector).length;
    if (count !== window.slices[name].at(-1)) window.slices[name].push(count);
  }
}).observe(document, {childList: true, subtree: true});
"""


def ends(comes: dict[str, str], goes: dict[str, str], task: str) -> str:
    incoming = f"<incoming>{comes[task]}</incoming>" if task in comes else ""
    return incoming + (f"<outgoing>{goes[task]}</outgoing>" if task in goes else "")


@pytest.fixture(scope="module")
def big(gateway: ConsoleGateway) -> None:
    """A process of a thousand elements, with two instances at each of its tasks."""
    tasks = [f"t{number}" for number in range(TASKS)]
    flows = [(f"f_{after}", before, after) for before, after in pairwise(tasks)]
    comes, goes = {after: id_ for id_, _, after in flows}, {before: id_ for id_, before, _ in flows}
    model = "".join(
        [
            *(
                f'<userTask id="{task}" name="Task {task}">{ends(comes, goes, task)}</userTask>'
                for task in tasks
            ),
            *(f'<sequenceFlow id="{id_}" sourceRef="{a}" targetRef="{b}"/>' for id_, a, b in flows),
        ]
    )
    bpmn = (
        f'<definitions xmlns="{BPMN}" targetNamespace="t"><process id="big">{model}</process></definitions>'
    )
    for mutation in ("createProcess", "saveDraft", "publishVersion"):
        field = ", bpmn: $bpmn" if mutation == "saveDraft" else ""
        variable = "($bpmn: String)" if field else ""
        call = f'{mutation}(input: {{namespace: "big", code: "big"{field}}}) {{userErrors {{message}}}}'
        gateway.ask(f"mutation {variable} {{{call}}}", **({"bpmn": bpmn} if field else {}))
    instances = [
        {"id": str(uuid4()), "version": 1, "status": "PENDING", "position": [task]} for task in tasks * 2
    ]
    gateway.ask(REGISTER, instances=instances)


@pytest.mark.usefixtures("big")
def test_a_model_of_a_thousand_elements_is_drawn_in_slices(open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.context.add_init_script(RECORD_SLICES)
    tab.open(BIG)
    expect(tab.page.locator(".diagram .diagram-count").filter(has_text="2")).to_have_count(
        TASKS, timeout=60_000
    )
    slices = tab.page.evaluate("window.slices")
    assert slices["elements"][-1] >= ELEMENTS
    for counts in slices.values():
        assert max(after - before for before, after in pairwise(counts)) <= SLICE + 5
    assert tab.complaints == []


@long_only
@pytest.mark.usefixtures("big")
def test_no_task_of_the_page_is_long(browser: Browser, open_tab: OpenTab, tmp_path: Path) -> None:
    """Measured in time of the processor, which does not depend on what else the machine does."""
    tab = open_tab()
    browser.start_tracing(
        page=tab.page, path=tmp_path / "trace.json", categories=["toplevel", "devtools.timeline"]
    )
    tab.open(BIG)
    expect(tab.page.locator(".diagram .diagram-count")).to_have_count(TASKS, timeout=60_000)
    browser.stop_tracing()
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    page = {(event["pid"], event["tid"]) for event in events if event["name"] == "UpdateLayoutTree"}
    longest = max(
        event.get("tdur", 0) / 1000
        for event in events
        if "RunTask" in event["name"] and (event["pid"], event["tid"]) in page
    )
    assert 1 < longest <= LONGEST_TASK_MS
