"""The manifests in deploy/kubernetes are valid, hardened, and fit the programs that they run."""

import os
import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.gateway.gateway_world import output_of
from tests.support.project import DOCS, ROOT
from uplift.gateway.settings import SECRETS_DIR, Settings

FOLDER = ROOT / "deploy" / "kubernetes"
OLDEST = "1.30"
"""The first version that knows `sleep` before a stop."""


def read(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


KUSTOMIZATION = read("kustomization.yaml")[0]
MANIFESTS = [(path.name, manifest) for path in sorted(FOLDER.glob("*.yaml")) for manifest in read(path.name)]
MANIFESTS = [(name, manifest) for name, manifest in MANIFESTS if manifest["kind"] != "Kustomization"]
PROGRAMS = {
    manifest["metadata"]["name"]: manifest
    for _, manifest in MANIFESTS
    if "template" in manifest.get("spec", {})
}
SETTINGS = read("settings.yaml")[0]["data"]


def pod_of(program: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = program["spec"]["template"]["spec"]
    return pod


def container_of(program: dict[str, Any]) -> dict[str, Any]:
    [container] = pod_of(program)["containers"]
    assert isinstance(container, dict)
    return container


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
@pytest.mark.parametrize(
    ("file", "manifest"), MANIFESTS, ids=[f"{file}-{manifest['kind']}" for file, manifest in MANIFESTS]
)
def test_a_manifest_is_valid(file: str, manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)
    assert file in {*KUSTOMIZATION["resources"], "migrate.yaml"}


def test_a_misspelt_field_is_noticed() -> None:
    manifest = read("gateway.yaml")[0]
    container_of(manifest)["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, OLDEST, strict=True)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_can_do_no_more_than_it_must(name: str) -> None:
    pod, container = pod_of(PROGRAMS[name]), container_of(PROGRAMS[name])
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001, "the user of the image"
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"].keys() == {"cpu", "memory"}
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "env" not in container
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {SETTINGS[SECRETS_DIR], "/tmp"}
    [secret] = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    assert secret == {"secretName": "uplift-database", "defaultMode": 0o440}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_an_existing_command_with_existing_settings(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = container_of(PROGRAMS[name])
    assert "Usage: uplift" in output_of(*container["args"], "--help")
    assert container["envFrom"] == [{"configMapRef": {"name": "uplift-settings"}}]
    assert SETTINGS.keys() <= {f"UPLIFT_{field.upper()}" for field in Settings.model_fields} | {SECRETS_DIR}
    (folder / "uplift_database_url").write_text("postgresql://me:geheim@db.example/uplift")
    for variable, value in SETTINGS.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv(SECRETS_DIR, str(folder))
    settings = Settings()
    assert str(settings.database) == "postgresql://me:***@db.example/uplift"
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
    assert ports.items() <= {"http": settings.port, "metrics": settings.metrics_port}.items()
    if "terminationGracePeriodSeconds" in pod_of(PROGRAMS[name]):
        pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        grace = pod_of(PROGRAMS[name])["terminationGracePeriodSeconds"]
        assert settings.stop_seconds + pause + 5 < grace, "5 seconds for another program's lock"


@pytest.mark.parametrize("name", ["uplift-gateway", "uplift-worker"])
def test_a_deployment_is_probed_spread_and_kept_running(name: str) -> None:
    program = PROGRAMS[name]
    container, labels = container_of(program), program["spec"]["selector"]["matchLabels"]
    ports = {port["name"] for port in container["ports"]}
    for probe, path in (
        ("livenessProbe", "/healthz"),
        ("startupProbe", "/healthz"),
        ("readinessProbe", "/readyz"),
    ):
        assert container[probe]["httpGet"]["path"] == path
        assert container[probe]["httpGet"]["port"] in ports
    assert labels == program["spec"]["template"]["metadata"]["labels"]
    assert program["spec"]["replicas"] > 1
    for spread in pod_of(program)["topologySpreadConstraints"]:
        assert spread["labelSelector"] == {"matchLabels": labels}
    [budget] = [
        manifest["spec"]
        for _, manifest in MANIFESTS
        if manifest["kind"] == "PodDisruptionBudget" and manifest["metadata"]["name"] == name
    ]
    assert budget["selector"] == {"matchLabels": labels}


def test_the_service_and_the_policies_select_what_there_is() -> None:
    labels = {name: program["spec"]["template"]["metadata"]["labels"] for name, program in PROGRAMS.items()}
    [service] = [manifest["spec"] for _, manifest in MANIFESTS if manifest["kind"] == "Service"]
    assert service["selector"] == labels["uplift-gateway"]
    assert service["ports"][0]["targetPort"] == "http"
    every, gateway = (policy["spec"] for policy in read("network.yaml"))
    assert every["policyTypes"] == ["Ingress", "Egress"]
    for of_program in labels.values():
        assert every["podSelector"]["matchLabels"].items() <= of_program.items()
    assert gateway["podSelector"]["matchLabels"] == labels["uplift-gateway"]
    assert [rule["ports"][0]["port"] for rule in (*every["ingress"], *gateway["ingress"])] == [9100, 8000]


def test_the_images_have_one_name_and_no_tag_that_moves() -> None:
    [image] = KUSTOMIZATION["images"]
    named = {container_of(program)["image"] for program in PROGRAMS.values()}
    assert named == {image["name"], f"{image['name']}:{image['newTag']}"}
    assert image["newTag"] != "latest"


KUBECTL = """#!/bin/sh
printf '%s\\n' "$@" "" >> "$LOG"
"""
"""Stands for kubectl: writes its arguments, a line each, and an empty line."""


def test_the_commands_of_the_page_name_what_is_there(tmp_path: Path) -> None:
    page = (DOCS / "how-to" / "kubernetes.md").read_text(encoding="utf-8")
    program, log = tmp_path / "kubectl", tmp_path / "log"
    program.write_text(KUBECTL)
    program.chmod(0o755)
    commands = "".join(re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG": str(log)}
    subprocess.run(["bash", "-eu", "-c", commands], cwd=ROOT, env=environment, check=True)
    calls = [call.splitlines() for call in log.read_text().split("\n\n") if call]
    files = [word for call in calls for before, word in pairwise(call) if before in {"-f", "--kustomize"}]
    assert {*KUSTOMIZATION["resources"], "migrate.yaml", "."} >= set(files)
    assert {"migrate.yaml", "."} <= set(files)
    named = {word for call in calls for word in call if re.match("(job|deployment)/", word)}
    assert named <= {f"{manifest['kind'].lower()}/{name}" for name, manifest in PROGRAMS.items()}
    (secret,) = (call[call.index("secret") + 2] for call in calls if "secret" in call)
    volumes = [volume for program in PROGRAMS.values() for volume in pod_of(program)["volumes"]]
    assert secret in {volume["secret"]["secretName"] for volume in volumes if "secret" in volume}
    spaces = {word for call in calls for before, word in pairwise(call) if before == "-n"}
    assert spaces == {read("namespace.yaml")[0]["metadata"]["name"]}
