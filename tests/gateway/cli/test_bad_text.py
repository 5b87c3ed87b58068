"""Arguments that are no text in UTF-8 are refused, or found nowhere: they break no command."""

from pathlib import Path

import pytest

from tests.gateway.gateway_world import error_of, output_of

BAD = "a\udcff"
"""What Python makes of a byte in another encoding."""


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("keys", "create", BAD), "Expected name to be 1 to 100 printable characters"),
        (("upgrade", f"crm/{BAD}", "--all-active"), "Expected to find process"),
        (("upgrade", "crm/orders", "--all-active", "--reason", BAD), "Expected reason to be text"),
        (("upgrade", "crm/orders", "--all-active", "--idempotency-key", BAD), "Expected an idempotency key"),
        (("upgrade", "crm/orders", "--all-active", "--fingerprint", BAD), "Expected fingerprint"),
        (
            ("keys", "list", "--database-url", f"postgresql://h/{BAD}"),
            "Expected the database URL to be UTF-8",
        ),
        (("keys", "list", "--database-url", f"sqlite:///{BAD}"), "Expected to find the database"),
    ],
)
def test_bytes_in_another_encoding_are_refused(file: Path, command: tuple[str, ...], said: str) -> None:
    assert error_of(*command).startswith(said)


def test_a_list_of_what_cannot_exist_is_empty(file: Path) -> None:
    assert output_of("export-audit", "--process", f"crm/{BAD}") == ""


def test_a_remote_gateway_gets_no_such_bytes(file: Path) -> None:
    key = output_of("keys", "create", "remote", "--role", "system_admin").strip()
    command = ("upgrade", f"crm/{BAD}", "--all-active", "--url", "http://127.0.0.1:1", "--api-key", key)
    assert error_of(*command) == "Expected the arguments to be text, but one holds bytes in another encoding."
