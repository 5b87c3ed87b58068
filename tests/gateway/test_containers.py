"""Containerfile and compose.yaml name only commands, settings and files that exist."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.gateway.gateway_world import output_of, started
from tests.support.project import ROOT
from uplift.gateway.health_check import places
from uplift.gateway.settings import SECRETS_DIR, Settings

COMPOSE_TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
OTHERS = {"PATH", "PYTHONUNBUFFERED", SECRETS_DIR}
"""Variables of Python, and the folder with files of secrets."""
CHECK = ["-m", "uplift.gateway.health_check"]


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
        *("ENTRYPOINT", "CMD", "ARG"),
    }
    base, version = values_of("ARG")
    assert re.fullmatch(r"PYTHON_IMAGE=\S+/python:[\d.]+-slim-\w+", base)
    assert OURS["worker"]["build"]["args"]["PYTHON_IMAGE"] == f"${{{base.replace('=', ':-')}}}"
    assert OURS["worker"]["build"]["args"]["UPLIFT_VERSION"] == f"${{{version.replace('=', ':-')}}}"
    stages = [re.fullmatch(r"\$\{PYTHON_IMAGE\}(?: AS (\w+))?", value) for value in values_of("FROM")]
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
    assert {f"!{source.partition('/')[0]}" for source in copied} <= set(kept)
    links = {link.readlink().name for link in (ROOT / "src/uplift").iterdir() if link.is_symlink()}
    assert {"src", *links} <= set(copied)


def test_the_image_runs_the_server_as_an_unprivileged_user(monkeypatch: pytest.MonkeyPatch) -> None:
    assert values_of("USER") == ["10001"]
    assert [json.loads(value) for value in values_of("ENTRYPOINT")] == [["tini", "--", "uplift"]]
    assert [json.loads(value) for value in values_of("CMD")] == [["serve"]]
    settings = settings_in(environment_of_image(), monkeypatch)
    assert settings.database == Path("uplift.sqlite")
    assert values_of("WORKDIR")[-1:] == values_of("VOLUME") == ["/data"]
    assert [str(settings.port)] == values_of("EXPOSE")
    assert settings.host == "::"


@pytest.fixture
def secrets(folder: Path) -> Path:
    """The secrets of our services as files, made by the commands in compose.yaml."""
    commands = re.findall(r"^#   ((?:mkdir|printf|chmod).*?)(?: +# .*)?$", COMPOSE_TEXT, re.MULTILINE)
    assert len(commands) == 4
    subprocess.run(["bash", "-euc", "\n".join(commands)], cwd=folder, check=True)
    mounted = folder / "mounted"
    mounted.mkdir()
    for name, secret in COMPOSE["secrets"].items():
        assert (folder / secret["file"]).stat().st_mode & 0o777 == 0o644
        (mounted / name).write_bytes((folder / secret["file"]).read_bytes())
    assert (folder / "secrets").stat().st_mode & 0o777 == 0o700
    return mounted


@pytest.mark.parametrize("service", OURS)
def test_a_service_runs_an_existing_command_with_existing_settings(
    service: str, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, environment = OURS[service]["command"], OURS[service]["environment"]
    assert "Usage: uplift" in output_of(*command, "--help")
    monkeypatch.setenv(SECRETS_DIR, str(secrets))
    settings = settings_in({**environment_of_image(), **environment, SECRETS_DIR: str(secrets)}, monkeypatch)
    assert environment[SECRETS_DIR] == "/run/secrets"
    assert str(settings.database) == "postgresql://uplift:***@database/uplift"
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
            assert "PASSWORD" not in name or value == "/run/secrets/postgres_password"
            assert "URL" not in name
        for secret in service["secrets"]:
            assert secret in COMPOSE["secrets"]
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in COMPOSE["volumes"]
    for service in OURS.values():
        assert "database" in service["depends_on"], "what needs the database is stopped before it"
    documented = re.findall(r"docker compose run --rm migrate (.*?)\s*#", COMPOSE_TEXT)
    assert [command for command in documented if command] == ["keys create admin --role system_admin"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "cpus"} <= service.keys()
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:")
    assert set(service["networks"]) <= COMPOSE["networks"].keys()


def test_only_our_services_reach_the_database_which_wants_a_password() -> None:
    database = SERVICES["database"]
    assert database["networks"] == ["database"]
    assert COMPOSE["networks"]["database"] == {"internal": True}
    assert "ports" not in database
    assert database["user"] == "postgres"
    environment = database["environment"]
    assert environment["POSTGRES_HOST_AUTH_METHOD"] == "scram-sha-256"
    assert environment["POSTGRES_INITDB_ARGS"] == "--auth-local=scram-sha-256 --auth-host=scram-sha-256"
    assert database["secrets"] == ["postgres_password"]
    assert all(service["secrets"] == ["uplift_database_url"] for service in OURS.values())


def test_the_health_checks_are_those_of_the_package() -> None:
    [check] = values_of("HEALTHCHECK")
    assert json.loads(check.partition("CMD ")[2]) == ["python", *CHECK]
    assert SERVICES["worker"]["healthcheck"]["test"] == ["CMD", "python", *CHECK, "--metrics"]


@pytest.mark.parametrize(
    ("environment", "metrics", "called"),
    [
        ({}, False, [("127.0.0.1", 8000)]),
        ({"UPLIFT_HOST": "0.0.0.0", "UPLIFT_PORT": "9000"}, False, [("127.0.0.1", 9000)]),
        ({"UPLIFT_HOST": "::"}, False, [("127.0.0.1", 8000), ("::1", 8000)]),
        ({"UPLIFT_HOST": ""}, False, [("127.0.0.1", 8000), ("::1", 8000)]),
        ({"UPLIFT_HOST": "::1"}, False, [("::1", 8000)]),
        ({"UPLIFT_HOST": "10.0.0.7"}, False, [("10.0.0.7", 8000)]),
        ({"UPLIFT_HOST": "x", "UPLIFT_METRICS_PORT": "9100"}, True, [("127.0.0.1", 9100)]),
        ({"UPLIFT_METRICS_HOST": "uplift", "UPLIFT_METRICS_PORT": "9100"}, True, [("uplift", 9100)]),
    ],
)
def test_a_health_check_calls_where_the_program_listens(
    environment: dict[str, str], metrics: bool, called: list[tuple[str, int]]
) -> None:
    assert places(environment, metrics=metrics) == called


@pytest.mark.parametrize(("command", "host"), [("serve", "::"), ("worker", "127.0.0.1")])
def test_a_health_check_tells_a_program_that_works_from_one_that_does_not(
    folder: Path, file: Path, command: str, host: str
) -> None:
    of_program = {"UPLIFT_METRICS_HOST": host, "UPLIFT_METRICS_PORT": "0"}
    options = ("--host", host, "--port", "0") if command == "serve" else ()
    with started(command, *options, folder=folder, **of_program) as program:
        if command == "serve":
            port = program.wait_for(r"Uplift serves http://[^ ]+:(\d+) ")
            environment = {"UPLIFT_HOST": host, "UPLIFT_PORT": port}
        else:
            port = program.wait_for(r"at http://[^ ]+:(\d+)/metrics")
            environment = {"UPLIFT_METRICS_HOST": host, "UPLIFT_METRICS_PORT": port}
        check = [sys.executable, *CHECK, *(["--metrics"] if command == "worker" else [])]

        def code() -> int:
            done = subprocess.run(check, env={**os.environ, **environment}, capture_output=True, check=False)
            return done.returncode

        assert code() == 0
        assert program.stop() == 0
        assert code() == 1
