"""Secrets of links: where they are read, when, and what is said if they are not there."""

import base64
import os
from pathlib import Path

import pytest

from tests.engines.scripted_server import in_json, served
from uplift.domain.model.link import Credentials, CredentialScheme
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind
from uplift.engines.client import EngineClient
from uplift.engines.credentials import MAX_SECRET, authorization

BASIC, BEARER = CredentialScheme.BASIC, CredentialScheme.BEARER


def in_file(path: Path, scheme: CredentialScheme = BEARER) -> Credentials:
    return Credentials(scheme=scheme, user="me" if scheme is BASIC else None, file=str(path))


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def test_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret-Ünd ✓\n")
    assert authorization(in_file(file, BASIC)).header == basic("me:s3cret-Ünd ✓")
    file.write_bytes(b"token.with~signs\r\n")
    assert authorization(in_file(file)).header == "Bearer token.with~signs"


def test_a_secret_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_SECRET", "pass:word")
    credentials = Credentials(scheme=BASIC, user="me", environment="ENGINE_SECRET")
    assert authorization(credentials).header == basic("me:pass:word")


@pytest.mark.anyio
async def test_a_secret_that_is_replaced_is_sent_from_the_next_request_on(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    async with served(in_json({})) as server:
        client = EngineClient(server.url, credentials=in_file(file))
        for secret in ("first", "second"):
            file.write_text(secret)
            await client.request("GET", "/version")
        await client.close()
    assert [request.headers["authorization"] for request in server.received] == [
        "Bearer first",
        "Bearer second",
    ]


@pytest.mark.anyio
async def test_no_request_is_sent_without_its_secret(tmp_path: Path) -> None:
    async with served(in_json({})) as server:
        client = EngineClient(server.url, credentials=in_file(tmp_path / "missing"))
        with pytest.raises(EngineFault) as caught:
            await client.request("GET", "/version")
        await client.close()
    assert server.received == []
    assert caught.value.kind is EngineFaultKind.UNAUTHORISED


@pytest.mark.parametrize("text", ["", "\n", "two words", "tab\there", "line\nbreak", "sign-ä"])
def test_what_no_token_can_be_is_refused_without_repeating_it(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINE_SECRET", text)
    with pytest.raises(
        EngineFault, match=r"^Expected .* in the environment variable ENGINE_SECRET, but"
    ) as caught:
        authorization(Credentials(scheme=BEARER, environment="ENGINE_SECRET"))
    assert not text.strip() or text not in caught.value.message


def test_what_is_no_file_with_a_secret_is_named(tmp_path: Path) -> None:
    long, binary, pipe = (tmp_path / name for name in ("long", "binary", "pipe"))
    long.write_bytes(b"x" * (MAX_SECRET + 1))
    binary.write_bytes(b"\xff\xfe")
    os.mkfifo(pipe)
    for path in (long, binary, pipe, tmp_path, tmp_path / "missing", Path("/dev/zero"), long / "below"):
        with pytest.raises(EngineFault, match=r"^Expected ") as caught:
            authorization(in_file(path))
        assert caught.value.kind is EngineFaultKind.UNAUTHORISED
        assert str(path) in caught.value.message
