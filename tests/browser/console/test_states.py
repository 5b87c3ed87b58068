"""What the console says when something is missing, refused, or away."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.console.conftest import OpenTab
from tests.browser.console.world import LOANS, ConsoleGateway, a_console_gateway
from tests.gateway.gateway_world import started
from tests.support.long_mode import long_only

pytestmark = pytest.mark.browser


def test_a_wrong_key_is_refused_in_words(open_tab: OpenTab) -> None:
    tab = open_tab(key="")
    tab.page.get_by_role("button", name="Sign in").click()
    expect(tab.page.get_by_role("alert")).to_have_text("Enter an API key.")
    tab.sign_in("uplift_wrong")
    expect(tab.page.get_by_role("alert")).to_contain_text("unknown, revoked or expired")
    expect(tab.page.get_by_label("API key", exact=True)).to_be_focused()


def test_a_key_that_is_revoked_leads_to_sign_in_and_back(open_tab: OpenTab, gateway: ConsoleGateway) -> None:
    key, text = gateway.new_key("soon revoked")
    tab = open_tab(f"{LOANS}?tab=versions", key=text)
    tab.expect_title("Consumer loan application")
    gateway.revoke(key)
    # Not by a click: the page may have noticed before, because its subscription ends.
    tab.page.evaluate("address => { location.hash = address }", f"{LOANS}?tab=upgrades")
    tab.expect_title("Sign in")
    expect(tab.page.get_by_role("alert")).to_contain_text("it was revoked, or it expired")
    tab.sign_in(gateway.data.reader_key)
    tab.expect_title("Consumer loan application")


def test_a_process_without_models_shows_its_numbers(open_tab: OpenTab) -> None:
    tab = open_tab("#/processes/shop/plain")
    tab.expect_title("Plain orders")
    expect(tab.text()).to_contain_text("This version has no BPMN model")
    expect(tab.page.locator(".cohorts li")).to_have_count(1)
    tab.open("#/processes/shop/new")
    expect(tab.text()).to_contain_text("This process has no version yet")
    upgrade = tab.page.get_by_role("button", name="Upgrade …")
    expect(upgrade).to_have_attribute("title", "No version is published yet.")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("#/nowhere", "There is no such page"),
        ("#/processes/no/such", "There is no process no/such"),
        ("#/processes?search=zzz", "No process contains “zzz”"),
        ("#/instances/00000000-0000-4000-8000-000000000000", "No instance has this id"),
        ("#/instances/none", "“none” is not the id of an instance"),
        ("#/upgrades?show=stopped", "No upgrade is in this state"),
        (f"{LOANS}?tab=instances&status=FAILED&version=6&at=Nowhere", "No instance matches"),
        ("#/processes/shop/new/compare", "There is only one version"),
    ],
)
def test_says_what_is_not_there(open_tab: OpenTab, address: str, said: str) -> None:
    tab = open_tab(address)
    expect(tab.text()).to_contain_text(said)


def test_says_that_the_gateway_is_away_and_goes_on_when_it_is_back(open_tab: OpenTab) -> None:
    tab = open_tab()
    expect(tab.row("Consumer loan application")).to_be_visible()
    tab.context.set_offline(True)
    expect(tab.page.locator(".banner")).to_contain_text("The gateway does not answer")
    expect(tab.row("Consumer loan application")).to_be_visible()
    tab.context.set_offline(False)
    expect(tab.page.locator(".banner")).to_have_count(0)


@long_only
def test_goes_on_after_a_restart_of_the_gateway(open_tab: OpenTab, tmp_path: Path) -> None:
    with a_console_gateway(tmp_path) as gateway:
        tab = open_tab(f"#/upgrades/{gateway.data.queued}", gateway=gateway)
        state = tab.page.get_by_role("main").locator(".headline .badge")
        expect(state).to_have_text("Queued")
        port = gateway.url.rpartition(":")[2]
        assert gateway.program.stop() == 0
        expect(tab.page.locator(".banner")).to_contain_text("The gateway does not answer", timeout=30_000)
        with started("serve", "--port", port, "--no-worker", folder=tmp_path) as program:
            program.url()
            expect(tab.page.locator(".banner")).to_have_count(0, timeout=40_000)
            tab.page.get_by_role("button", name="Pause").click()
            expect(state).to_have_text("Paused")


def test_a_proxy_that_answers_instead_is_named(open_tab: OpenTab) -> None:
    tab = open_tab(key="")
    tab.page.route(
        "**/graphql", lambda route: route.fulfill(status=200, body="<html>", content_type="text/html")
    )
    tab.sign_in("uplift_any")
    expect(tab.page.get_by_role("alert")).to_contain_text("Something else answers in place of the gateway")


def test_a_rate_limit_is_waited_for(open_tab: OpenTab) -> None:
    tab = open_tab(key="")
    body = '{"errors":[{"message":"slow","extensions":{"code":"RATE_LIMITED","retryAfter":7}}]}'
    kind = "application/graphql-response+json"
    tab.page.route("**/graphql", lambda route: route.fulfill(status=429, body=body, content_type=kind))
    tab.sign_in("uplift_any")
    expect(tab.page.get_by_role("alert")).to_contain_text(
        "Too many requests with this key. The page tries again in 7 seconds."
    )


def test_the_mark_of_bpmn_io_is_fully_visible(open_tab: OpenTab) -> None:
    for theme in ("light", "dark"):
        tab = open_tab(LOANS, theme=theme)
        mark = tab.page.locator(".bjs-powered-by")
        expect(mark).to_be_visible()
        mark.scroll_into_view_if_needed()
        box = mark.bounding_box()
        assert box is not None
        for x in (box["x"] + 2, box["x"] + box["width"] - 2):
            for y in (box["y"] + 2, box["y"] + box["height"] - 2):
                is_on_top = f"document.elementFromPoint({x}, {y})?.closest('.bjs-powered-by') !== null"
                assert tab.page.evaluate(is_on_top), (theme, x, y)
        assert mark.evaluate("it => getComputedStyle(it).backgroundColor") == "rgb(255, 255, 255)"
        assert mark.evaluate("it => getComputedStyle(it).color") == "rgb(64, 64, 64)"
        mark.click()  # what it opens keeps to the policy, too
        expect(tab.page.locator(".bjs-powered-by-lightbox")).to_be_visible()
