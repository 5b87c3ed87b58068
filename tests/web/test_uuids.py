"""Tests that both APIs and the command line read the same spellings of an id."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
import typer
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from uplift.domain.model.selection import ByIds
from uplift.gateway.cli.options import parse_id
from uplift.gateway.files.records import BadLineError, InstanceRecord, records
from uplift.graphql_api.types.scalars import parse_uuid
from uplift.rest_compat.body import read_selection
from uplift.rest_compat.requests import upgrade_id_of
from uplift.web.errors import RequestError
from uplift.web.uuids import read_uuid

TEXT = "01234567-89ab-cdef-0123-456789abcdef"
ID = UUID(TEXT)

SPELLINGS = [
    TEXT,
    TEXT.upper(),
    ID.hex,
    ID.hex.upper(),
    f"{{{TEXT}}}",
    f"{{{ID.hex}}}",
    f"{{{TEXT.upper()}}}",
    f"urn:uuid:{TEXT}",
    f"urn:uuid:{ID.hex}",
    f"URN:UUID:{TEXT.upper()}",
]
NO_IDS = [
    "",
    "order-17",
    TEXT[:-1],
    TEXT + "0",
    f" {TEXT}",
    f"{TEXT}\n",
    f"{{{TEXT}",
    f"{TEXT}}}",
    f"{{{{{TEXT}}}}}",
    f"urn:uuid:{{{TEXT}}}",
    f"{{urn:uuid:{TEXT}}}",
    f"urn:{TEXT}",
    TEXT.replace("-", "", 1),
    TEXT.replace("-", "_"),
    ID.hex[:16] + "_" + ID.hex[17:],
    "0x" + "0" * 30,
    "+" + "0" * 31,
    TEXT.replace("0", "\N{ARABIC-INDIC DIGIT ZERO}"),
    "\N{FULLWIDTH DIGIT ZERO}" * 32,
    "\udcff" * 32,
]


def by_rest_body(text: str) -> UUID:
    selection = read_selection(json.dumps({"instanceIds": [text]}).encode(), max_ids=1)
    assert isinstance(selection, ByIds)
    (instance_id,) = selection.ids
    return instance_id


def by_rest_path(text: str) -> UUID:
    return upgrade_id_of({"path_params": {"upgradeId": text}})


def by_json_lines(text: str) -> UUID:
    line = {"type": "instance", "namespace": "n", "code": "c", "version": 1, "status": "PENDING", "id": text}
    return in_file(json.dumps(line), "instances.jsonl")


def by_csv(text: str) -> UUID:
    file = io.StringIO()
    csv.writer(file).writerows(
        [["namespace", "code", "version", "status", "id"], ["n", "c", "1", "PENDING", text]]
    )
    return in_file(file.getvalue(), "instances.csv")


def in_file(content: str, name: str) -> UUID:
    ((_, record),) = records(io.BytesIO(content.encode("utf-8", "surrogatepass")), Path(name))
    assert isinstance(record, InstanceRecord)
    return record.id


DOORS = [read_uuid, by_rest_body, by_rest_path, parse_uuid, parse_id, by_json_lines, by_csv]
ERRORS = (ValueError, RequestError, GraphQLError, typer.BadParameter, BadLineError)


@pytest.mark.parametrize("text", SPELLINGS)
@pytest.mark.parametrize("door", DOORS)
def test_reads_every_usual_spelling(door: Callable[[str], UUID], text: str) -> None:
    assert door(text) == ID


@pytest.mark.parametrize("text", NO_IDS, ids=ascii)
@pytest.mark.parametrize("door", DOORS)
def test_refuses_a_text_that_only_looks_like_an_id(door: Callable[[str], UUID], text: str) -> None:
    with pytest.raises(ERRORS):
        door(text)


def test_names_the_text_and_not_more_than_its_beginning() -> None:
    with pytest.raises(ValueError, match=r"^Expected a UUID, but got 'x{100}'\.$"):
        read_uuid("x" * 1_000)


@given(st.text())
def test_reads_no_text_that_the_standard_library_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="Expected a UUID"):
        read_uuid(text)


@given(st.uuids())
def test_reads_each_id_that_the_standard_library_writes(uuid: UUID) -> None:
    assert {read_uuid(text) for text in (str(uuid), uuid.hex, uuid.urn)} == {uuid}
