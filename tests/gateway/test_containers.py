"""Containerfile and compose.yaml name only commands, settings and files that exist."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.gateway.gateway_world import output_of, started
from tests.support.project import ROOT
from uplift.gateway.settings import Settings

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
OTHERS = {"PATH", "PYTHONUNBUFFERED", "PGPASSWORD"}
"""Variables of Python and PostgreSQL."""


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Containerfile, each with its value."""
    text = (ROOT / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, value.strip()) for name, _, value in (line.partition(" ") for line in lines)]


def values_of(instruction: str) -> list[str]:
    return [value for name, value in instructions() if name == instruction]


def environment_of_image() -> dict[str, str]:
    pairs = (pair.partition("=") for value in values_of("ENV") for pair in value.split())
    return {name: value for name, _, value in pairs}


def settings_in(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings from these variables, each of which must be a setting."""
    fields = {f"UPLIFT_{name.upper()}" for name in Settings.model_fields}
    assert environment.keys() <= fields | OTHERS
    for name, value in environment.items():
        if name in fields:
            monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.database
    return settings


def test_the_image_is_built_of_what_is_there() -> None:
    assert {name for name, _ in instructions()} <= {
        *("FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK"),
        *("ENTRYPOINT", "CMD"),
    }
    stages = [re.fullmatch(r"\S+/python:[\d.]+-slim-\w+(?: AS (\w+))?", value) for value in values_of("FROM")]
    assert all(stages)
    names = {stage[1] for stage in stages if stage}
    copied = []
    for value in values_of("COPY"):
        *sources, _ = value.split()
        if sources[0].startswith("--from="):
            assert sources[0].removeprefix("--from=") in names
        else:
            copied += sources
    assert all((ROOT / source).exists() for source in copied)
    kept = (ROOT / ".dockerignore").read_text().split("\n")
    assert {f"!{source}" for source in copied} <= set(kept)
    links = {link.readlink().name for link in (ROOT / "src/uplift").iterdir() if link.is_symlink()}
    assert {"src", *links} <= set(copied)


def test_the_image_runs_the_server_as_an_unprivileged_user(monkeypatch: pytest.MonkeyPatch) -> None:
    assert values_of("USER") == ["10001"]
    assert [json.loads(value) for value in values_of("ENTRYPOINT")] == [["tini", "--", "uplift"]]
    assert [json.loads(value) for value in values_of("CMD")] == [["serve"]]
    settings = settings_in(environment_of_image(), monkeypatch)
    assert settings.database == Path("/data/uplift.sqlite")
    assert [str(settings.port)] == values_of("EXPOSE")
    assert settings.host == "0.0.0.0"


@pytest.mark.parametrize("service", OURS)
def test_a_service_runs_an_existing_command_with_existing_settings(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, environment = OURS[service]["command"], OURS[service]["environment"]
    assert "Usage: uplift" in output_of(*command, "--help")
    settings = settings_in({**environment_of_image(), **environment}, monkeypatch)
    assert str(settings.database) == "postgresql://uplift@database/uplift"
    assert settings.stop_seconds < int(OURS[service]["stop_grace_period"].removesuffix("s"))
    for port in OURS[service].get("ports", ()):
        assert port.endswith(f":{settings.port}")


def test_services_wait_for_services_and_no_secret_is_written_down() -> None:
    conditions = {"service_healthy", "service_completed_successfully"}
    for service in SERVICES.values():
        for name, dependency in service.get("depends_on", {}).items():
            assert dependency["condition"] in conditions
            has_check = "test" in SERVICES[name].get("healthcheck", {})
            assert has_check or dependency["condition"] == "service_completed_successfully"
        for name, value in service["environment"].items():
            assert "PASSWORD" not in name or value.startswith("${POSTGRES_PASSWORD:?")
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in COMPOSE["volumes"]
    for service in OURS.values():
        assert "database" in service["depends_on"], "what needs the database is stopped before it"
    documented = re.findall(r"docker compose run --rm migrate (.*?)\s*#", (ROOT / "compose.yaml").read_text())
    assert [command for command in documented if command] == ["keys create admin --role system_admin"]


def python_of(check: list[str]) -> str:
    assert check[-3:-1] == ["python", "-c"]
    return check[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "port"),
    [
        (
            ("serve", "--port", "0"),
            python_of(json.loads(values_of("HEALTHCHECK")[0].partition("CMD ")[2])),
            "8000",
        ),
        (("worker",), python_of(SERVICES["worker"]["healthcheck"]["test"]), "9100"),
    ],
    ids=["server", "worker"],
)
def test_a_health_check_tells_a_program_that_works_from_one_that_does_not(
    folder: Path, database: Path, arguments: tuple[str, ...], code: str, port: str
) -> None:
    with started(*arguments, folder=folder, UPLIFT_METRICS_PORT="0") as program:
        said = (
            r"Uplift serves http://[^ ]+:(\d+) " if "serve" in arguments else r"at http://[^ ]+:(\d+)/metrics"
        )
        here = code.replace(f":{port}/", f":{program.wait_for(said)}/")
        assert here != code
        check = [sys.executable, "-c", here]
        assert subprocess.run(check, capture_output=True, check=False).returncode == 0
        assert program.stop() == 0
        assert subprocess.run(check, capture_output=True, check=False).returncode == 1
