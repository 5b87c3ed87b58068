"""Does the wheel hold what it should, and work where nothing else of the project is?"""

import json
import re
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from email.parser import BytesParser
from pathlib import Path, PurePosixPath

import httpx2
import pytest

from tests.gateway.gateway_world import started
from tests.support.builders import an_id
from tests.support.project import ROOT
from uplift.storage.schema import NEWEST

KEY = re.compile(r"uplift_[0-9A-Za-z]{49}")


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A wheel built from the tree, and what is in it."""

    file: Path
    names: frozenset[str]

    def read(self, name: str) -> bytes:
        with zipfile.ZipFile(self.file) as archive:
            return archive.read(name)

    @property
    def metadata(self) -> str:
        return next(name.partition("/")[0] for name in self.names if name.endswith(".dist-info/METADATA"))


def run(*command: str | Path, folder: Path) -> str:
    """Run a program to its good end; returns what it wrote."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, folder=out)
    (file,) = out.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        return Wheel(file=file, names=frozenset(archive.namelist()))


@pytest.fixture(scope="module")
def installed(wheel: Wheel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command in an environment that holds the wheel and what it asks for, and nothing else."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home / "env")
    pip = [sys.executable, "-m", "pip", "--python", str(home / "env"), "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", "--no-compile", wheel.file, folder=home)
    return home / "env/bin/uplift"


def test_holds_what_the_packages_read(wheel: Wheel) -> None:
    assert "uplift/py.typed" in wheel.names
    assert {f"uplift/gateway/demo/consumer-loan-v{number}.bpmn" for number in range(1, 7)} <= wheel.names
    for name in ("graphql_api/schema.graphql", "rest_compat/openapi.json"):
        assert wheel.read(f"uplift/{name}") == (ROOT / name).read_bytes()


def test_holds_the_revisions_of_the_schema(wheel: Wheel) -> None:
    revisions = {f"uplift/{path.relative_to(ROOT)}" for path in (ROOT / "storage/migrations").rglob("*.py")}
    assert revisions <= wheel.names
    assert "uplift/storage/migrations/versions/r0001_first_tables.py" in revisions


def test_holds_the_page_with_its_licences(wheel: Wheel) -> None:
    dist = "uplift/graphql_api/graphiql/dist"
    manifest = json.loads(wheel.read(f"{dist}/manifest.json"))
    assert manifest["licences"] in manifest["files"]
    assert {f"{dist}/{name}.gz" for name in manifest["files"]} <= wheel.names
    assert b"MIT License" in wheel.read(f"{dist}/THIRD_PARTY_LICENSES.txt")


def test_holds_nothing_but_the_packages(wheel: Wheel) -> None:
    metadata = wheel.metadata
    assert {PurePosixPath(name).parts[0] for name in wheel.names} == {"uplift", metadata}
    for name in wheel.names:
        parts = PurePosixPath(name).parts
        assert not {"tests", "bench", "node_modules", "__pycache__"} & set(parts), name
        if parts[1:3] == ("graphql_api", "graphiql"):
            assert parts[3] == "dist", name


def test_tells_its_licence_and_what_it_needs(wheel: Wheel) -> None:
    metadata = wheel.metadata
    said = BytesParser().parsebytes(wheel.read(f"{metadata}/METADATA"))
    assert said["License-Expression"] == "Apache-2.0"
    assert said["Requires-Python"] == ">=3.11"
    assert wheel.read(f"{metadata}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert wheel.read(f"{metadata}/entry_points.txt").decode().split() == [
        "[console_scripts]",
        "uplift",
        "=",
        "uplift.gateway.cli:app",
    ]


RECORDS = [
    {"type": "process", "namespace": "crm", "code": "orders"},
    {"type": "version", "namespace": "crm", "code": "orders", "number": 1},
    {"type": "version", "namespace": "crm", "code": "orders", "number": 2},
    {
        "type": "instance",
        "namespace": "crm",
        "code": "orders",
        "id": str(an_id(1)),
        "version": 1,
        "status": "PENDING",
    },
]


def test_works_where_nothing_else_of_the_project_is(wheel: Wheel, installed: Path, folder: Path) -> None:
    version = wheel.metadata.removeprefix("uplift_gateway-").removesuffix(".dist-info")
    assert run(installed, "--version", folder=folder) == f"{version}\n"

    serve = ("serve", "--port", "0", "--log-level", "warning")
    with started(*serve, folder=folder, command=str(installed)) as program:
        url = program.url()
        (key,) = KEY.findall(program.output)
        (folder / "orders.jsonl").write_text("\n".join(map(json.dumps, RECORDS)))
        said = run(installed, "db", "check", folder=folder)
        assert said == f"The schema is at revision {NEWEST}, the newest.\n"
        said = run(installed, "import", "orders.jsonl", folder=folder)
        assert said == "orders.jsonl: imported 1 process, 2 versions, 1 instance.\n"

        with httpx2.Client(base_url=url, headers={"authorization": f"Bearer {key}"}) as client:
            reply = client.post(
                "/pub/v1/bpm/instance/bytemplate/crm/orders/version", json={"instanceIds": [str(an_id(1))]}
            )
            assert (reply.status_code, reply.json()["updated"]) == (200, 1)

            query = "{ processes { nodes { code cohorts { version status count } } } }"
            assert client.post("/graphql", json={"query": query}).json() == {
                "data": {
                    "processes": {
                        "nodes": [
                            {
                                "code": "orders",
                                "cohorts": [{"version": 2, "status": "PENDING", "count": 1}],
                            }
                        ]
                    }
                }
            }

            page = client.get("/graphql", headers={"accept": "text/html"})
            assert page.status_code == 200
            shown = set(re.findall(r'(?:src|href)="(/graphql/static/[^"]+)"', page.text))
            assert len(shown) == 3
            manifest = json.loads(wheel.read("uplift/graphql_api/graphiql/dist/manifest.json"))
            assert shown <= {f"/graphql/static/{name}" for name in manifest["files"]}
            for name in manifest["files"]:
                assert client.get(f"/graphql/static/{name}").status_code == 200, name
            assert client.get("/openapi.json").json()["openapi"].startswith("3.1")
            assert client.get("/readyz").status_code == 200

        assert program.stop() == 0
        assert program.errors == ""
