"""What operators do in the console, each goal in a real browser at a real gateway."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.console.conftest import OpenTab
from tests.browser.console.world import LOANS, ConsoleGateway

pytestmark = pytest.mark.browser

COHORTS = (
    """{process(namespace: "lending", code: "consumer-loan") {cohorts {version status position count}}}"""
)

ENDED = """
mutation ($id: UUID!) {
  reportInstances(input: {instances: [{id: $id, status: COMPLETED}]}) {userErrors {code}}
}
"""
WAITING = """
{process(namespace: "lending", code: "consumer-loan") {
  instances(filter: {versions: [2], statuses: [PENDING], elements: ["Task_PayOut"]}, first: 1) {
    nodes {instanceId}
  }
}}"""


def waiting_at_payout(gateway: ConsoleGateway) -> str:
    instance: str = gateway.ask(WAITING)["process"]["instances"]["nodes"][0]["instanceId"]
    return instance


def test_signs_in_and_goes_where_the_address_says(open_tab: OpenTab, gateway: ConsoleGateway) -> None:
    tab = open_tab(f"{LOANS}?tab=versions", key="")
    tab.expect_title("Sign in")
    tab.sign_in(f"  Bearer {gateway.data.admin_key} ")
    tab.expect_title("Consumer loan application")
    expect(tab.row("Version 6")).to_contain_text("latest")
    assert gateway.data.admin_key not in json.dumps(
        [tab.stored()["local"], tab.stored()["cookies"], tab.requested]
    )

    tab.page.reload()
    tab.expect_title("Consumer loan application")
    tab.page.get_by_role("button", name="Settings and API key: admin").click()
    tab.page.get_by_role("button", name="Sign out").click()
    tab.expect_title("Sign in")
    assert gateway.data.admin_key not in json.dumps(tab.stored())
    assert tab.complaints == []


def test_finds_a_process_by_a_part_of_its_title(open_tab: OpenTab) -> None:
    tab = open_tab()
    expect(tab.row("Consumer loan application")).to_contain_text("lending/consumer-loan")
    expect(tab.row("A new process")).to_contain_text("Nothing published")
    tab.page.keyboard.press("/")
    tab.page.keyboard.type("loan")
    expect(tab.page.get_by_role("row")).to_have_count(2)
    assert "search=loan" in tab.page.url
    tab.page.get_by_role("link", name="Consumer loan application").click()
    tab.expect_title("Consumer loan application")
    expect(tab.page.get_by_role("heading", level=1)).to_be_focused()


def test_sees_where_instances_wait_on_the_diagram_and_in_the_table(
    open_tab: OpenTab, gateway: ConsoleGateway
) -> None:
    cohorts = gateway.ask(COHORTS)["process"]["cohorts"]
    tab = open_tab(
        f"{LOANS}?version=2"
    )  # it has no diagram of its own, so that its subprocess is drawn closed
    waiting = [it for it in cohorts if it["version"] == 2 and it["status"] == "PENDING"]
    at_payout = sum(it["count"] for it in waiting if it["position"] == ["Task_PayOut"])
    figure = tab.page.locator(".diagram")
    expect(figure.get_by_title(f"{at_payout} instances at Pay out loan")).to_have_text(str(at_payout))
    assessed = {"Task_AssessRisk", "Task_SecondOpinion"}
    inside = sum(it["count"] for it in waiting if assessed & set(it["position"]))
    expected = figure.get_by_title(f"{inside} instances inside of Risk assessment")
    expect(expected).to_have_text(f"{inside} inside")

    # Numbers follow what happens, by the subscription.
    gateway.ask(ENDED, id=waiting_at_payout(gateway))
    at_payout -= 1
    expect(figure.get_by_title(f"{at_payout} instances at Pay out loan")).to_have_text(str(at_payout))

    # From the diagram to the table, and back.
    tab.page.locator('[data-element-id="Task_PayOut"] .djs-hit').first.click()
    expect(tab.page.get_by_role("heading", name="At Pay out loan")).to_be_visible()
    expect(tab.page.locator(".cohorts li")).to_have_count(1)
    assert "at=Task_PayOut" in tab.page.url
    tab.page.get_by_role("button", name="Show all").click()
    tab.page.get_by_role("button", name="Inform applicant").click()
    expect(tab.page.locator('[data-element-id="Task_InformApplicant"]').first).to_have_class(
        re.compile("is-chosen")
    )

    tab.page.locator(".cohort-count").first.click()
    expect(tab.page.get_by_role("row").nth(1)).to_contain_text("Inform applicant")
    assert tab.complaints == []


def test_compares_two_versions_by_keys(open_tab: OpenTab) -> None:
    tab = open_tab(f"{LOANS}/compare?from=1&to=6")
    tab.expect_title("Version 1 and version 6")
    expect(tab.page.locator(".djs-container svg[data-element-id], .djs-container > svg")).to_have_count(2)
    expect(tab.page.locator('[data-element-id="Task_PrepareContract"]').first).to_have_class(
        re.compile("is-blocked")
    )
    expect(tab.page.locator('[data-element-id="Task_DraftContract"]').first).to_have_class(
        re.compile("is-added")
    )
    tab.page.keyboard.press("n")
    expect(tab.page.get_by_role("button", pressed=True)).to_contain_text("Pay out loan")
    expect(tab.page.locator('[data-element-id="Task_PayOut"].is-chosen').first).to_be_visible()
    tab.page.keyboard.press("n")
    expect(tab.page.get_by_role("button", pressed=True)).to_contain_text("Prepare contract")
    tab.page.keyboard.press("p")
    expect(tab.page.get_by_role("button", pressed=True)).to_contain_text("Pay out loan")
    tab.page.get_by_role("button", name="Swap the versions").click()
    tab.expect_title("Version 6 and version 1")
    assert tab.complaints == []


def test_opens_an_instance_and_an_upgrade_by_id(open_tab: OpenTab, gateway: ConsoleGateway) -> None:
    tab = open_tab()
    tab.expect_title("Processes")
    tab.page.keyboard.press("Control+k")
    finder = tab.page.get_by_role("combobox", name="Search or go to")
    finder.fill(str(gateway.data.instance).upper())
    expect(tab.page.get_by_role("dialog").get_by_role("option")).to_have_count(1)
    expect(tab.page.get_by_role("dialog").get_by_role("option")).to_contain_text("Plain orders")
    tab.page.keyboard.press("Enter")
    tab.expect_title("Instance")
    history = tab.page.get_by_role("region", name="History")
    expect(history).to_contain_text("Version 1 → 2")
    expect(history).to_contain_text("One order, first")
    expect(tab.page.get_by_role("button", name="Upgrade to version 2 …")).to_have_attribute(
        "aria-disabled", "true"
    )

    tab.page.keyboard.press("Control+k")
    finder.fill("00000000-0000-4000-8000-000000000000")
    expect(tab.page.get_by_role("dialog")).to_contain_text("No instance and no upgrade has this id.")
    tab.page.keyboard.press("Escape")
    expect(tab.page.get_by_role("dialog")).to_have_count(0)


def test_reads_why_instances_were_skipped_and_saves_them(
    open_tab: OpenTab, gateway: ConsoleGateway, tmp_path: Path
) -> None:
    skipped = gateway.ask("query ($id: UUID!) {upgrade(id: $id) {skipped}}", id=str(gateway.data.upgrade))
    tab = open_tab(f"#/upgrades/{gateway.data.upgrade}/outcomes")
    tab.page.get_by_role("button", name=re.compile("^Skipped")).click()
    reason = tab.page.get_by_role("combobox", name="Reason")
    reason.select_option("INCOMPATIBLE")
    expect(tab.page.get_by_role("row").nth(1)).to_contain_text("Its place has no counterpart")
    reason.select_option("")
    with tab.page.expect_download() as download:
        tab.page.get_by_role("button", name="Download as CSV").click()
    download.value.save_as(tmp_path / "outcomes.csv")
    lines = (tmp_path / "outcomes.csv").read_text().splitlines()
    assert lines[0].startswith("instance,outcome,reasons")
    assert len(lines) == 1 + skipped["upgrade"]["skipped"]
    assert all(",SKIPPED," in line for line in lines[1:])


def test_reads_the_page_in_another_language(open_tab: OpenTab) -> None:
    tab = open_tab(language="ru-RU")
    tab.expect_title("Процессы")
    tab.page.get_by_role("button", name="Настройки и ключ API: admin").click()
    tab.page.get_by_label("Язык").select_option("de")
    tab.expect_title("Prozesse")
    expect(tab.page.locator("html")).to_have_attribute("lang", "de")
    tab.page.reload()
    tab.expect_title("Prozesse")
