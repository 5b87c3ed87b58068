"""A person upgrades the demo's instances in a real browser, with what the demo prints."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.graphiql_page import CHROMIUM, GraphiQLPage, a_browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]

UPLIFT = Path(sys.executable).with_name("uplift")
TIMEOUT = 60
"""Seconds until the demo is ready on a busy machine."""


@contextmanager
def a_demo(folder: Path) -> Iterator[str]:
    """Runs the demo with 2,000 instances; yields its output."""
    output = folder / "output.txt"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UPLIFT_")}
    with output.open("wb") as out:
        process = subprocess.Popen(
            [UPLIFT, "demo", "--instances", "2000", "--port", "0"],
            cwd=folder,
            env={**environment, "TMPDIR": str(folder)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + TIMEOUT
            while "\nFingerprint " not in output.read_text():
                assert process.poll() is None, output.read_text()
                assert time.monotonic() < deadline, output.read_text()
                time.sleep(0.05)
            yield output.read_text()
            process.terminate()
            assert process.wait(TIMEOUT) == 0, output.read_text()
        finally:
            process.kill()
            process.wait()


def found(pattern: str, printed: str) -> str:
    match = re.search(pattern, printed, re.DOTALL)
    assert match is not None, printed
    return match[1]


def test_upgrades_the_demo_in_graphiql(tmp_path: Path) -> None:
    with a_demo(tmp_path) as printed, a_browser() as browser:
        key = found(r"System administrator key +(\S+)\n", printed)
        address = found(r"GraphiQL +(\S+) ", printed)
        planned = int(found(r"\n([\d,]+) of [\d,]+ would be upgraded", printed).replace(",", ""))
        graphiql = GraphiQLPage(browser)
        graphiql.open(address)

        graphiql.enter_key(key)
        graphiql.run()
        graphiql.expect_result('"code": "consumer-loan"')
        graphiql.expect_result('"latestPublishedVersion"')
        expect(graphiql.page.get_by_role("tab", name="Overview")).to_be_visible()
        graphiql.page.screenshot(path=tmp_path / "example.png")

        mutation = found(r"\n(  mutation \{.*?\n  \}\n)", printed)
        graphiql.enter_query(" ".join(mutation.split()))  # in one line, because the editor indents by itself
        graphiql.prettify()
        graphiql.run()
        graphiql.expect_result(f'"upgraded": {planned}')
        graphiql.expect_result('"userErrors": []')
        graphiql.open_documentation()
        expect(graphiql.documentation()).to_contain_text("Mutation")
        graphiql.editor("Operation Editor").click()
        graphiql.page.keyboard.press("Control+Home")  # the caret stood far to the right
        graphiql.page.screenshot(path=tmp_path / "upgrade.png")

        assert {urlsplit(url).netloc for url in graphiql.requested} == {urlsplit(address).netloc}
        assert graphiql.complaints == []
        assert key not in graphiql.stored()
