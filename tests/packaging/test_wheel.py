"""What the wheel contains, and that it works where nothing else of the project is."""

import json
import re
from email.parser import BytesParser
from pathlib import Path, PurePosixPath

import httpx2
import pytest
from packaging.metadata import Metadata

from tests.gateway.gateway_world import started
from tests.packaging.distributions import Wheel, run
from tests.support.project import ROOT
from uplift.storage.schema import NEWEST
from uplift.testing.builders import an_id

KEY = re.compile(r"uplift_[0-9A-Za-z]{49}")


def test_holds_what_the_packages_read(wheel: Wheel) -> None:
    assert "uplift/py.typed" in wheel.contents
    demo = {f"uplift/gateway/demo/consumer-loan-v{number}.bpmn" for number in range(1, 7)}
    assert demo <= wheel.contents.keys()
    for name in ("graphql_api/schema.graphql", "rest_compat/openapi.json"):
        assert wheel.contents[f"uplift/{name}"] == (ROOT / name).read_bytes()


def test_holds_the_revisions_of_the_schema(wheel: Wheel) -> None:
    revisions = {f"uplift/{path.relative_to(ROOT)}" for path in (ROOT / "storage/migrations").rglob("*.py")}
    assert revisions <= wheel.contents.keys()
    assert "uplift/storage/migrations/versions/r0001_first_tables.py" in revisions


@pytest.mark.parametrize("dist", ["uplift/graphql_api/graphiql/dist", "uplift/console/dist"])
def test_holds_the_pages_with_their_licences(wheel: Wheel, dist: str) -> None:
    manifest = json.loads(wheel.contents[f"{dist}/manifest.json"])
    assert manifest["licences"] in manifest["files"]
    assert {f"{dist}/{name}.gz" for name in manifest["files"]} <= wheel.contents.keys()
    assert b"MIT License" in wheel.contents[f"{dist}/THIRD_PARTY_LICENSES.txt"]


def test_holds_nothing_but_the_packages(wheel: Wheel) -> None:
    for name in wheel.contents:
        parts = PurePosixPath(name).parts
        assert not {"tests", "bench", "node_modules", "__pycache__"} & set(parts), name
        if parts[1:3] == ("graphql_api", "graphiql"):
            assert parts[3] == "dist", name
        if parts[1] == "console":
            assert parts[2] == "dist" or name.endswith(".py"), name
        assert parts[1:3] != ("web", "page_build"), name


def test_names_its_licence_and_what_it_needs(wheel: Wheel) -> None:
    metadata = wheel.metadata
    Metadata.from_email(wheel.contents[f"{metadata}/METADATA"], validate=True)
    said = BytesParser().parsebytes(wheel.contents[f"{metadata}/METADATA"])
    assert said["License-Expression"] == "Apache-2.0"
    assert said["Requires-Python"] == ">=3.11"
    assert wheel.contents[f"{metadata}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert wheel.contents[f"{metadata}/entry_points.txt"].decode().split() == [
        "[console_scripts]",
        "uplift",
        "=",
        "uplift.gateway.__main__:start",
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


def test_works_where_nothing_else_of_the_project_is(wheel: Wheel, environment: Path, tmp_path: Path) -> None:
    uplift = environment / "bin/uplift"
    version = wheel.metadata.removeprefix("uplift_gateway-").removesuffix(".dist-info")
    assert run(uplift, "--version", folder=tmp_path) == f"{version}\n"

    serve = ("serve", "--port", "0", "--log-level", "warning")
    with started(*serve, folder=tmp_path, command=str(uplift)) as program:
        url = program.url()
        (key,) = KEY.findall(program.output)
        (tmp_path / "orders.jsonl").write_text("\n".join(map(json.dumps, RECORDS)))
        said = run(uplift, "db", "check", folder=tmp_path)
        assert said == f"The schema is at the newest revision, {NEWEST}.\n"
        said = run(uplift, "import", "orders.jsonl", folder=tmp_path)
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
            shown = set(re.findall(r'(?:src|href)="(graphql/static/[^"]+)"', page.text))
            assert len(shown) == 3
            manifest = json.loads(wheel.contents["uplift/graphql_api/graphiql/dist/manifest.json"])
            assert shown <= {f"graphql/static/{name}" for name in manifest["files"]}
            for name in manifest["files"]:
                assert client.get(f"/graphql/static/{name}").status_code == 200, name
            assert client.get("/openapi.json").json()["openapi"].startswith("3.1")
            assert client.get("/readyz").status_code == 200

        assert program.stop() == 0
        assert program.errors == ""
