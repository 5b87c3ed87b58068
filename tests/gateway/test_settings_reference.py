"""docs/reference/settings.md and the options of `uplift serve` describe the settings as they are."""

import re

import pytest

from tests.gateway.gateway_world import output_of
from tests.support.project import DOCS
from uplift.gateway.settings import Settings
from uplift.gateway.settings_reference import describe_settings, render_reference

PAGE = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")


def test_the_page_is_what_is_rendered() -> None:
    assert render_reference() == PAGE, (
        "Run python -m uplift.gateway.settings_reference > docs/reference/settings.md"
    )


def test_the_page_lists_every_setting_once() -> None:
    variables = re.findall(r"^\| `(UPLIFT_\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(variables) == sorted(f"UPLIFT_{name.upper()}" for name in Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        (
            "port",
            "| `UPLIFT_PORT` | `--port` | `8000` | 0 to 65,535 | The port to listen on; 0 picks",
        ),
        (
            "worker",
            "| `UPLIFT_WORKER` | `--worker`, `--no-worker` | `true` |  | Run upgrades",
        ),
        ("metrics_port", "| `UPLIFT_METRICS_PORT` | `--metrics-port` | unset | 0 to 65,535 |"),
        ("max_body_bytes", "| `UPLIFT_MAX_BODY_BYTES` | `--max-body-bytes` | `8388608` | 1,000 or more |"),
        (
            "max_head_seconds",
            "| `UPLIFT_MAX_HEAD_SECONDS` | `--max-head-seconds` | `20.0` | above 0, up to 3,600 |",
        ),
        ("allowed_origins", "| `UPLIFT_ALLOWED_ORIGINS` | `--allowed-origin` | unset |  |"),
        ("log_format", "| `UPLIFT_LOG_FORMAT` | `--log-format` | `console` | console, json |"),
    ],
)
def test_a_row_shows_variable_option_default_and_values(name: str, row: str) -> None:
    assert row in PAGE
    assert row.startswith(f"| `{describe_settings()[name].variable}` |")


def test_every_setting_is_an_option_of_serve() -> None:
    shown = output_of("serve", "--help", COLUMNS="200", TERMINAL_WIDTH="200")
    flags = [flag for setting in describe_settings().values() for flag in setting.flags.split("/")]
    assert [flag for flag in flags if f"{flag} " not in shown] == []
