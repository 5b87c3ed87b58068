"""What operators do to upgrade instances in the console, in a real browser at a real gateway."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.browser.console.conftest import OpenTab
from tests.browser.console.tab import ConsoleTab
from tests.browser.console.world import LOANS, ConsoleGateway
from uplift.domain import Role

pytestmark = pytest.mark.browser

PLAN = f"{LOANS}/upgrade"
REPORT = """
mutation ($i: UUID!, $status: Status!) {
  reportInstances(input: {instances: [{id: $i, status: $status}]}) {userErrors {code}}
}
"""
UPGRADE = """
mutation ($i: UUID!) {
  upgradeInstances(
    input: {namespace: "lending", code: "consumer-loan", selection: {instanceIds: [$i]}, wait: true}
  ) {upgrade {id upgraded skipped} userErrors {code}}
}
"""
PLANNED = """
query ($mappings: [VersionMappingInput!]) {
  upgradePlan(
    input: {
      namespace: "lending", code: "consumer-loan", selection: {matching: {versions: [3]}}, mappings: $mappings
    }
  ) {plan {upgraded} userErrors {message}}
}
"""
SKIPPED_AT = "query ($i: UUID!) {upgrade(id: $i) {countsByElement(first: 100) {elementId count}}}"
ONE_WAITING = """
{process(namespace: "lending", code: "consumer-loan") {
  instances(filter: {versions: [VERSION], statuses: [PENDING], elements: ["Task_AssessRisk"]}, first: 1000) {
    nodes {instanceId}
  }
}}"""


def figure(tab: ConsoleTab, title: str) -> int:
    """The number below this title."""
    text = tab.page.locator(".figures > div").filter(has_text=title).locator(".figure").inner_text()
    return int(text.replace(",", ""))


def wait_for_plan(tab: ConsoleTab) -> None:
    expect(tab.page.get_by_role("button", name=re.compile(r"^Upgrade [\d,]+ instances? …"))).to_be_enabled()
    expect(tab.page.locator(".plan [aria-busy=true]")).to_have_count(0)


def waiting_on(gateway: ConsoleGateway, version: int) -> list[str]:
    process: Any = gateway.ask(ONE_WAITING.replace("VERSION", str(version)))["process"]
    return [node["instanceId"] for node in process["instances"]["nodes"]]


def test_plans_and_upgrades_all_but_two_and_undoes_it(open_tab: OpenTab, gateway: ConsoleGateway) -> None:
    kept = waiting_on(gateway, 2)[:2]
    tab = open_tab(LOANS)
    tab.page.get_by_role("link", name="Upgrade to version 6 …").click()
    tab.expect_title("Upgrade to version 6")
    tab.page.get_by_label("Some of them").check()
    tab.page.get_by_label("2", exact=True).check()
    wait_for_plan(tab)
    before = figure(tab, "Will be upgraded")
    tab.page.get_by_text("Leave some out …").click()
    tab.page.get_by_label("Ids to leave out").fill("\n".join(kept))
    expect(tab.page.locator(".figures > div").filter(has_text="Left out").locator(".figure")).to_have_text(
        "2"
    )
    wait_for_plan(tab)
    planned = figure(tab, "Will be upgraded")
    assert planned == before - 2
    expect(tab.page.get_by_role("region", name="Decisions")).to_contain_text("Is another type of element")

    tab.page.reload()  # the address has the whole plan
    wait_for_plan(tab)
    assert figure(tab, "Will be upgraded") == planned
    tab.page.get_by_role("button", name=f"Upgrade {planned} instances …").click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"{planned} instances move to version 6")
    expect(dialog).to_contain_text("2 instances are left out")
    dialog.get_by_label("Reason, for the audit").fill("All but two")
    dialog.get_by_role("button", name=f"Upgrade {planned} now").click()
    expect(tab.page.locator(".badge").filter(has_text="Completed").first).to_be_visible()
    assert figure(tab, "Upgraded") == planned
    expect(tab.text()).to_contain_text("All but two")

    tab.page.get_by_role("button", name="Undo …").click()
    expect(dialog).to_contain_text(f"moves {planned} instances back")
    dialog.get_by_role("button", name="Undo the upgrade").click()
    tab.expect_title("Undo")
    expect(tab.page.locator(".figures > div").filter(has_text="Upgraded").locator(".figure")).to_have_text(
        str(planned)
    )
    assert tab.complaints == []


def test_maps_a_renamed_element_by_keyboard_and_by_clicks(open_tab: OpenTab, gateway: ConsoleGateway) -> None:
    tab = open_tab(f"{PLAN}?select=matching&versions=3")
    wait_for_plan(tab)
    before = figure(tab, "Will be upgraded")
    tab.page.get_by_role("button", name=re.compile("^Version 3")).click()
    tab.page.get_by_role("button", name="Prepare contract", exact=True).press("Enter")
    choice = tab.page.get_by_label("What takes the place of Prepare contract")
    choice.select_option("Task_DraftContract")
    expect(tab.page.get_by_text("mapped by you")).to_be_visible()
    wait_for_plan(tab)
    assert figure(tab, "Will be upgraded") > before
    mapped = figure(tab, "Will be upgraded")
    assert "Task_DraftContract" in tab.page.url
    expect(tab.page.locator(".arrows path")).to_have_count(1)
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.page.get_by_role("button", name="Copy as JSON").click()
    expect(tab.page.locator(".toast")).to_have_text("Copied")
    copied = json.loads(tab.page.evaluate("navigator.clipboard.readText()"))
    gateway_plan = gateway.ask(PLANNED, mappings=copied)["upgradePlan"]
    assert gateway_plan == {"plan": {"upgraded": mapped}, "userErrors": []}
    expect(tab.page.get_by_role("region", name="Decisions")).to_contain_text(
        "Prepare contract → Draft contract"
    )

    choice.select_option("")
    wait_for_plan(tab)
    expect(tab.page.get_by_text("mapped by you")).to_have_count(0)
    expect(tab.page.locator(".arrows path")).to_have_count(0)
    source, target = tab.page.locator(".mapping .diagram").all()
    source.locator('[data-element-id="Task_PrepareContract"] .djs-hit').first.click()
    expect(target.locator('[data-element-id="Task_DraftContract"]').first).to_have_class(
        re.compile("is-pointed")
    )
    target.locator('[data-element-id="End_PaidOut"] .djs-hit').first.click()
    expect(tab.page.locator(".toast")).to_contain_text(
        "Loan paid out cannot take the place of Prepare contract"
    )
    target.locator('[data-element-id="Task_DraftContract"] .djs-hit').first.click()
    expect(tab.page.get_by_text("mapped by you")).to_be_visible()
    wait_for_plan(tab)
    assert figure(tab, "Will be upgraded") == mapped
    assert tab.complaints == []


def test_a_plan_that_is_out_of_date_upgrades_nothing(open_tab: OpenTab, gateway: ConsoleGateway) -> None:
    moving, *_ = waiting_on(gateway, 4)
    tab = open_tab(f"{PLAN}?select=matching&versions=4")
    wait_for_plan(tab)
    planned = figure(tab, "Will be upgraded")
    gateway.ask(REPORT, i=moving, status="RUNNING")
    tab.page.get_by_role("button", name=re.compile(r"^Upgrade [\d,]+ instances …")).click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_role("button", name=re.compile("^Upgrade .* now")).click()
    expect(dialog).to_contain_text("The plan is out of date")
    expect(dialog).to_contain_text(f"Now: {planned - 1} to upgrade")
    dialog.get_by_role("button", name="Look again").click()
    expect(tab.page.locator(".figures .good")).to_have_text(str(planned - 1))


def test_pauses_resumes_and_cancels_and_sees_what_others_do(
    open_tab: OpenTab, gateway: ConsoleGateway
) -> None:
    upgrade = str(gateway.data.queued)
    tab = open_tab(f"#/upgrades/{upgrade}")
    state = tab.page.get_by_role("main").locator(".headline .badge")
    expect(state).to_have_text("Queued")
    expect(tab.page.get_by_role("complementary")).to_contain_text("Plain orders")
    tab.page.get_by_role("button", name="Pause").click()
    expect(state).to_have_text("Paused")
    expect(tab.page.get_by_role("region", name="What happened")).to_contain_text("Paused")
    gateway.ask("mutation ($i: UUID!) {resumeUpgrade(input: {id: $i}) {userErrors {code}}}", i=upgrade)
    expect(state).to_have_text("Queued")  # by the subscription: somebody else resumed it
    tab.page.get_by_role("button", name="Cancel …").click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("A cancelled upgrade cannot be resumed.")
    dialog.get_by_role("button", name="Cancel the upgrade").click()
    expect(state).to_have_text("Cancelled")
    expect(tab.page.get_by_role("complementary")).to_have_count(0)
    assert tab.complaints == []


def test_a_reader_plans_but_cannot_upgrade(open_tab: OpenTab, gateway: ConsoleGateway) -> None:
    tab = open_tab(f"{PLAN}?select=matching&versions=3", key=gateway.data.reader_key)
    button = tab.page.get_by_role("button", name=re.compile(r"^Upgrade [\d,]+ instances …"))
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_attribute("title", "This needs a key with the role system administrator.")
    button.click(force=True)  # Playwright takes it for disabled, a mouse does not
    expect(tab.page.get_by_role("dialog")).to_have_count(0)
    tab.open(f"#/upgrades/{gateway.data.upgrade}")
    expect(tab.page.get_by_role("button", name="Undo …")).to_have_attribute("aria-disabled", "true")


def test_ids_that_are_none_are_named(open_tab: OpenTab, gateway: ConsoleGateway) -> None:
    tab = open_tab(PLAN)
    tab.page.get_by_label("Listed ones").check()
    expect(tab.text()).to_contain_text("No instance is selected")
    field = tab.page.get_by_label("Ids", exact=True)
    field.fill(f"{waiting_on(gateway, 5)[0]}, wrong")
    expect(tab.text()).to_contain_text("“wrong” is not an id")
    wait_for_plan(tab)
    assert figure(tab, "Will be upgraded") == 1


def test_retries_what_was_skipped_when_its_cause_has_passed(
    open_tab: OpenTab, gateway: ConsoleGateway
) -> None:
    busy = waiting_on(gateway, 5)[1]
    gateway.ask(REPORT, i=busy, status="RUNNING")
    upgrade = gateway.ask(UPGRADE, i=busy)["upgradeInstances"]["upgrade"]
    assert (upgrade["upgraded"], upgrade["skipped"]) == (0, 1)
    tab = open_tab(f"#/upgrades/{upgrade['id']}")
    expect(tab.page.get_by_role("region", name="Why instances were skipped")).to_contain_text("Not waiting")
    expect(tab.page.get_by_role("button", name="Undo …")).to_have_attribute(
        "title", "It upgraded no instance."
    )

    gateway.ask(REPORT, i=busy, status="PENDING")
    tab.page.get_by_role("button", name="Retry …").click()
    dialog = tab.page.get_by_role("dialog")
    reason = dialog.get_by_label("Not waiting")
    reason.uncheck()
    expect(dialog.get_by_role("button", name="Retry")).to_have_attribute("aria-disabled", "true")
    reason.check()
    dialog.get_by_label("Reason, for the audit").fill("The agent has finished")
    dialog.get_by_role("button", name="Retry").click()
    tab.expect_title("Retry: Upgrade to version 6")
    expect(tab.page.locator(".badge").filter(has_text="Completed").first).to_be_visible()
    assert figure(tab, "Upgraded") == 1
    expect(tab.text()).to_contain_text("The agent has finished")

    tab.text().get_by_role("link", name="Upgrade to version 6").click()
    tab.expect_title("Upgrade to version 6")
    expect(tab.text().get_by_role("link", name=re.compile("^Retried"))).to_be_visible()
    expect(tab.page.get_by_role("button", name="Retry …")).to_be_visible()
    assert tab.complaints == []


def test_two_operators_see_what_the_other_does(open_tab: OpenTab, gateway: ConsoleGateway) -> None:
    _, other_key = gateway.new_key("night shift", Role.SYSTEM_ADMIN)
    queued = f"#/upgrades/{gateway.queue()}"
    day, night = open_tab(queued), open_tab(queued, key=other_key)
    states = [tab.page.get_by_role("main").locator(".headline .badge") for tab in (day, night)]
    for state in states:
        expect(state).to_have_text("Queued")
    day.page.get_by_role("button", name="Pause").click()
    for state in states:
        expect(state).to_have_text("Paused")
    expect(night.page.get_by_role("button", name="Pause")).to_have_count(0)
    expect(night.page.get_by_role("region", name="What happened")).to_contain_text("admin")
    night.page.get_by_role("button", name="Resume").click()
    for state in states:
        expect(state).to_have_text("Queued")
    expect(day.page.get_by_role("region", name="What happened")).to_contain_text("night shift")
    day.page.get_by_role("button", name="Cancel …").click()
    day.page.get_by_role("button", name="Cancel the upgrade").click()
    expect(states[1]).to_have_text("Cancelled")

    moved = waiting_on(gateway, 5)[0]
    done = gateway.ask(UPGRADE, i=moved)["upgradeInstances"]["upgrade"]["id"]
    for tab in (day, night):
        tab.open(f"#/upgrades/{done}")
        expect(tab.page.get_by_role("button", name="Undo …")).to_be_enabled()
    day.page.get_by_role("button", name="Undo …").click()
    day.page.get_by_role("button", name="Undo the upgrade").click()
    day.expect_title("Undo")
    undone = night.text().get_by_role("link", name="Undone: 1 instance moved back")
    expect(undone).to_be_visible()
    assert day.complaints == night.complaints == []


def test_sees_where_instances_were_skipped_and_why(open_tab: OpenTab, gateway: ConsoleGateway) -> None:
    upgrade = str(gateway.data.upgrade)
    counts = gateway.ask(SKIPPED_AT, i=upgrade)["upgrade"]["countsByElement"]
    count = {it["elementId"]: it["count"] for it in counts}["Task_PayOut"]
    tab = open_tab(f"#/upgrades/{upgrade}")
    where = tab.page.get_by_role("region", name="Where they were skipped")
    label = where.get_by_title(f"{count} instances skipped at Pay out loan")
    expect(label).to_have_text(str(count))
    label.click()
    listed = where.get_by_role("listitem").filter(has_text="Pay out loan").first
    expect(listed).to_contain_text("Is another type of element in the new version")
    assert "at=Task_PayOut" in tab.page.url
    expect(where.locator('[data-element-id="Task_PayOut"].is-chosen').first).to_be_visible()
    where.get_by_role("button", name="Prepare contract").press("Enter")
    expect(where).to_contain_text("Does not exist in the new version")
    expect(where.locator('[data-element-id="Task_PrepareContract"].is-chosen').first).to_be_visible()
    where.get_by_role("button", name="Pay out loan").click()
    listed.get_by_role("link", name="Outcomes of these").click()
    expect(tab.page.get_by_role("row").nth(1)).to_contain_text("Pay out loan")
    assert tab.complaints == []


def test_looks_for_skipped_instances_beyond_an_empty_page(open_tab: OpenTab, gateway: ConsoleGateway) -> None:
    """A page of outcomes looks at a part of them, and may find none."""
    upgrade = str(gateway.data.upgrade)
    tab = open_tab(f"#/upgrades/{upgrade}")

    def answer(route: Route) -> None:
        body: Any = route.request.post_data_json
        if "query SkippedAt" not in body["query"]:
            route.fallback()
        elif body["variables"]["after"] is None:
            outcomes = {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": "first"}}
            route.fulfill(json={"data": {"upgrade": {"id": upgrade, "outcomes": outcomes}}})
        else:
            assert body["variables"]["after"] == "first"
            body["variables"]["after"] = None
            route.fallback(post_data=body)

    tab.page.route("**/graphql", answer)
    where = tab.page.get_by_role("region", name="Where they were skipped")
    where.get_by_role("button", name="Pay out loan").click()
    expect(where).to_contain_text("Is another type of element in the new version")
    assert tab.complaints == []
