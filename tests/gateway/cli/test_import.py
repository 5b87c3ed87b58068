"""`uplift import` stores the records of a file, and reports a bad line by its number."""

import gc
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.gateway_world import Place, error_of, everything, output_of, with_store
from tests.support.bpmn_builder import a_process
from uplift.domain import Instance, ProcessKey, Status, VersionState
from uplift.domain.bpmn import read_model
from uplift.domain.model.process import VersionModel, VersionNumber
from uplift.gateway.files.importer import BATCH, Imported, ImportFailedError, import_file
from uplift.gateway.files.records import COLUMNS, MAX_LINE_BYTES, Record, records
from uplift.gateway.memory import few_full_collections
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import ADMIN, ORDERS, an_id, an_instance, at
from uplift.testing.stores import Everything, by_id

DATABASE = Path("uplift.sqlite")
DOCUMENT = a_process("orders").start().user_task("approve").end().xml()
PROCESS = {"type": "process", "namespace": "crm", "code": "orders"}
VERSION = {"type": "version", "namespace": "crm", "code": "orders", "number": 1}


def an_instance_record(number: int, **different: Any) -> dict[str, Any]:
    record = {
        "type": "instance",
        "namespace": "crm",
        "code": "orders",
        "id": str(an_id(number)),
        "version": 1,
        "status": "PENDING",
    }
    return {**record, **different}


def lines(*records: dict[str, Any] | bytes, ending: bytes = b"\n") -> bytes:
    """A file of these lines: records as JSON, bytes as they are."""
    texts = (line if isinstance(line, bytes) else json.dumps(line).encode() for line in records)
    return b"".join(text + ending for text in texts)


def a_file(content: bytes, name: str = "orders.jsonl") -> Path:
    file = Path(name)
    file.write_bytes(content)
    return file


def kept(place: Place = DATABASE) -> Everything | None:
    """The content of the database, if it exists."""
    return everything(place) if place != DATABASE or DATABASE.exists() else None


def instances(place: Place = DATABASE) -> dict[Any, Instance]:
    return with_store(place, lambda store: by_id(store, ORDERS))


def test_takes_over_every_kind_of_record(empty: Place) -> None:
    document = DOCUMENT
    Path("drawings").mkdir()
    Path("drawings/two.bpmn").write_bytes(document)
    file = a_file(
        lines(
            {**PROCESS, "title": "Orders of customers"},
            VERSION,
            {**VERSION, "number": 2, "bpmnFile": "drawings/two.bpmn"},
            {**VERSION, "number": 3, "state": "PUBLISHED", "bpmn": document.decode()},
            {**VERSION, "number": 4, "state": "DRAFT"},
            an_instance_record(1),
            an_instance_record(2, version=3, status="FAILED", position=["approve", "pay"]),
            an_instance_record(3, id=an_id(3).hex.upper()),
        )
    )
    assert output_of("import", file) == "orders.jsonl: imported 1 process, 4 versions, 3 instances.\n"

    found = kept(empty)
    assert found is not None
    assert [(process.key, process.title) for process in found.processes] == [(ORDERS, "Orders of customers")]
    assert [(version.number, version.state) for version in found.versions[ORDERS]] == [
        (1, VersionState.PUBLISHED),
        (2, VersionState.PUBLISHED),
        (3, VersionState.PUBLISHED),
        (4, VersionState.DRAFT),
    ]
    assert [found.models[ORDERS, VersionNumber(number)] for number in range(1, 5)] == [
        None,
        VersionModel(document=document, process_id="orders"),
        VersionModel(document=document, process_id="orders"),
        None,
    ]
    assert found.instances[ORDERS] == [
        an_instance(1, position=at()),
        an_instance(2, version=3, status=Status.FAILED, position=at("approve", "pay")),
        an_instance(3, position=at()),
    ]


def test_the_same_file_again_changes_nothing(empty: Place) -> None:
    file = a_file(lines(PROCESS, VERSION, {**VERSION, "number": 2}, an_instance_record(1)))
    said = output_of("import", file)
    before = kept(empty)
    assert output_of("import", file) == said
    assert kept(empty) == before


def test_a_later_file_updates_the_instances(empty: Place) -> None:
    output_of("import", a_file(lines(PROCESS, VERSION, an_instance_record(1), an_instance_record(2))))
    output_of("import", a_file(lines(an_instance_record(1, status="COMPLETED"))))
    assert {number: instance.status for number, instance in instances(empty).items()} == {
        an_id(1): Status.COMPLETED,
        an_id(2): Status.PENDING,
    }


def test_several_files_are_imported_in_their_order() -> None:
    first = a_file(lines(PROCESS, VERSION), "processes.jsonl")
    second = a_file(lines(an_instance_record(1)), "instances.jsonl")
    assert output_of("import", first, second) == (
        "processes.jsonl: imported 1 process, 1 version, 0 instances.\n"
        "instances.jsonl: imported 0 processes, 0 versions, 1 instance.\n"
    )


def test_instances_of_several_processes_may_alternate() -> None:
    other = {"namespace": "crm", "code": "invoices"}
    output_of(
        "import",
        a_file(
            lines(
                PROCESS,
                VERSION,
                {**PROCESS, **other},
                {**VERSION, **other},
                an_instance_record(1),
                an_instance_record(2, **other),
                an_instance_record(3),
            )
        ),
    )
    found = kept()
    assert found is not None
    assert {key: len(several) for key, several in found.instances.items()} == {
        ORDERS: 2,
        ProcessKey(namespace="crm", code="invoices"): 1,
    }


@pytest.mark.parametrize(
    "content",
    [
        lines(PROCESS, VERSION, an_instance_record(1), ending=b"\r\n"),
        b"\xef\xbb\xbf" + lines(PROCESS, VERSION, an_instance_record(1)),
        b"\xef\xbb\xbf\n" + lines(PROCESS, VERSION, an_instance_record(1)),
        lines(PROCESS, b"", b"  ", VERSION, an_instance_record(1), b""),
        lines(PROCESS, VERSION, an_instance_record(1)).removesuffix(b"\n"),
    ],
    ids=["crlf", "byte order mark", "only a mark in the first line", "empty lines", "no last line break"],
)
def test_reads_text_as_systems_write_it(content: bytes) -> None:
    assert (
        output_of("import", a_file(content)) == "orders.jsonl: imported 1 process, 1 version, 1 instance.\n"
    )
    assert list(instances()) == [an_id(1)]


@pytest.mark.parametrize("name", ["orders.jsonl", "orders.csv"])
@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf"], ids=["nothing", "a line", "a mark"])
def test_an_empty_file_has_no_records(name: str, content: bytes) -> None:
    said = output_of("import", a_file(content, name))
    assert said == f"{name}: imported 0 processes, 0 versions, 0 instances.\n"


GOOD: Sequence[dict[str, Any]] = (PROCESS, VERSION, an_instance_record(1))
REQUIRED = "Object missing required field"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"{", "Input data was truncated."),
        (b"nonsense", "JSON is malformed: invalid character (byte 4)."),
        (b"[]", "Expected `object`, got `array`."),
        (b"{}", f"{REQUIRED} `type`."),
        ({"type": "job"}, "Invalid value 'job' - at `$.type`."),
        ({**an_instance_record(2), "nme": "x"}, "Object contains unknown field `nme`."),
        ({"type": "instance", "namespace": "crm", "code": "orders"}, f"{REQUIRED} `id`."),
        (an_instance_record(2, id="order-17"), "Invalid UUID - at `$.id`."),
        (an_instance_record(2, status="WAITING"), "Invalid enum value 'WAITING' - at `$.status`."),
        (an_instance_record(2, version="1"), "Expected `int`, got `str` - at `$.version`."),
        (an_instance_record(2, position="approve"), "Expected `array`, got `str` - at `$.position`."),
        (
            an_instance_record(2, version=9),
            "Expected version to be a published version of process 'crm/orders', but got 9.",
        ),
        (
            an_instance_record(2, position=["a\nb"]),
            "Expected position to name elements by 1 to 500 printable characters, but it names 'a\\nb'.",
        ),
        (
            an_instance_record(1),
            f"Expected each instance once, but {an_id(1)} is in line 3 already.",
        ),
        (
            an_instance_record(2, code="nothing"),
            "Expected to find process 'crm/nothing', but there is none.",
        ),
        (
            {**VERSION, "code": "nothing"},
            "Expected to find process 'crm/nothing', but there is none.",
        ),
        (
            {**PROCESS, "namespace": "a/b"},
            "Expected namespace to be 1 to 200 printable characters without spaces and '/', but got 'a/b'.",
        ),
        ({**VERSION, "number": 0}, "Expected number to be from 1 to 2,147,483,647, but got 0."),
        ({**VERSION, "number": 2**70}, "Expected number to be from 1 to 2,147,483,647, but got "),
        ({**VERSION, "state": "GONE"}, "Invalid enum value 'GONE' - at `$.state`."),
        ({**VERSION, "number": 2, "bpmn": "<a/>"}, "Expected "),
        ({**VERSION, "number": 2, "bpmn": "<a/>", "bpmnFile": "x"}, "Expected either bpmn or bpmnFile, but "),
        (
            {**VERSION, "number": 2, "bpmnFile": "gone.bpmn"},
            "Expected to read bpmnFile 'gone.bpmn', but: No such file or directory.",
        ),
        (
            {**VERSION, "number": 2, "bpmnFile": "."},
            "Expected to read bpmnFile '.', but: Is a directory.",
        ),
        (
            {**VERSION, "number": 2, "bpmnFile": "a\0b"},
            "Expected to read bpmnFile 'a\\x00b', but: no file can have this name.",
        ),
        (
            {**VERSION, "number": 2, "bpmnFile": "../secret.bpmn"},
            "Expected bpmnFile to stay in the folder of the imported file, but got '../secret.bpmn'.",
        ),
        (
            {**VERSION, "number": 2, "bpmnFile": "/etc/hostname"},
            "Expected bpmnFile to stay in the folder of the imported file, but got '/etc/hostname'.",
        ),
        (json.dumps(PROCESS).encode("utf-16"), "Expected UTF-8 text, but the line is in another encoding."),
        (
            json.dumps({**PROCESS, "title": "Überweisung"}, ensure_ascii=False).encode("latin-1"),
            "Expected UTF-8 text, but the line is in another encoding.",
        ),
        (b'{"type": "process", "namespace": "crm", "code": "\\ud800"}', "Input data was truncated."),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, str) else "",
)
def test_reports_a_bad_line_by_number_and_writes_nothing_of_its_batch(
    bad: dict[str, Any] | bytes, why: str
) -> None:
    file = a_file(lines(*GOOD, bad, an_instance_record(4)))
    said = error_of("import", file)
    assert said.startswith(f"Expected to import orders.jsonl, but line 4 is invalid: {why}")
    assert said.endswith("Correct the line and import the file again.")

    found = kept()
    assert found is not None
    assert len(found.processes) == len(found.versions[ORDERS]) == 1
    count = len(found.instances[ORDERS])
    assert f"Imported so far: 1 process, 1 version, {count} instance" in said
    assert [instance.id for instance in found.instances[ORDERS]] == [an_id(1)][:count]


def test_imports_the_rest_after_the_line_is_corrected(empty: Place) -> None:
    error_of("import", a_file(lines(*GOOD, b"nonsense", an_instance_record(4))))
    output_of("import", a_file(lines(*GOOD, an_instance_record(4))))
    assert set(instances(empty)) == {an_id(1), an_id(4)}


def test_reports_a_refused_batch_by_the_line_that_caused_it() -> None:
    strangers = [an_instance_record(number, code="nothing") for number in (7, 8)]
    said = error_of("import", a_file(lines(PROCESS, VERSION, *strangers, {**VERSION, "number": 2})))
    assert "but line 3 is invalid: Expected to find process 'crm/nothing'" in said
    said = error_of(
        "import",
        a_file(lines(PROCESS, VERSION, an_instance_record(1, version=7), b"", {**VERSION, "number": 2})),
    )
    assert "but line 3 is invalid: Expected version to be" in said


def test_a_link_out_of_the_folder_is_not_followed(folder: Path) -> None:
    (folder / "outside.bpmn").write_bytes(DOCUMENT)
    inside = folder / "inside"
    inside.mkdir()
    (inside / "link.bpmn").symlink_to(folder / "outside.bpmn")
    (inside / "orders.jsonl").write_bytes(lines(PROCESS, {**VERSION, "bpmnFile": "link.bpmn"}))
    said = error_of("import", inside / "orders.jsonl")
    assert "Expected bpmnFile to stay in the folder of the imported file, but got 'link.bpmn'." in said


BOTH = a_process("both").start("begin").user_task("check").end("stop").xml()
BOTH = BOTH.replace(b"</bpmn:definitions>", DOCUMENT[DOCUMENT.index(b"<bpmn:process") :])


def test_letters_are_kept_whatever_the_declaration_of_a_document_says() -> None:
    text = DOCUMENT.decode().replace("UTF-8", "ISO-8859-15").replace("approve", "prüfen_審査")
    in_bytes = text.replace("審査", "€").encode("iso-8859-15")
    Path("bytes.bpmn").write_bytes(in_bytes)
    records = [{**VERSION, "bpmn": text}, {**VERSION, "number": 2, "bpmnFile": "bytes.bpmn"}]
    for _ in range(2):
        output_of("import", a_file(lines(PROCESS, *records)))
    found = kept()
    assert found is not None
    first, second = (model for model in found.models.values() if model is not None)
    assert "prüfen_審査" in read_model(first.document, process_id="orders").elements
    assert second.document == in_bytes
    assert "prüfen_€" in read_model(second.document, process_id="orders").elements


def test_a_record_may_name_the_process_of_its_document() -> None:
    bpmn = BOTH.decode()
    records = [
        {**VERSION, "bpmn": bpmn, "processId": "both"},
        {**VERSION, "number": 2, "bpmn": bpmn},
        {**VERSION, "number": 3, "state": "DRAFT", "bpmn": bpmn, "processId": "orders"},
    ]
    for _ in range(2):
        output_of("import", a_file(lines(PROCESS, *records)))
        found = kept()
        assert found is not None
        meant = [version.model_process_id for version in found.versions[ORDERS]]
        assert meant == ["both", "orders", "orders"]

    output_of("import", a_file(lines({**records[2], "processId": "both"})))
    changed = kept()
    assert changed is not None
    assert changed.versions[ORDERS][2].model_process_id == "both"
    said = error_of("import", a_file(lines({**records[0], "processId": "orders"})))
    assert "Expected version 1 of process 'crm/orders' to be as it was published, but its content" in said
    assert kept() == changed


def test_a_document_with_another_process_is_refused_with_the_choice_and_the_line() -> None:
    record = {**VERSION, "bpmn": BOTH.decode(), "processId": "gone"}
    said = error_of("import", a_file(lines(PROCESS, record)))
    assert (
        "but line 2 is invalid: Expected a process with the id 'gone' in the BPMN document, but it has: "
        "'both' (executable, 3 elements), 'orders' (executable, 3 elements). (line 3 of the document)"
    ) in said
    said = error_of("import", a_file(lines(PROCESS, {**VERSION, "processId": "orders"})))
    assert "Expected a process id only together with a BPMN document, but there is no document." in said


def test_a_document_beyond_the_limit_is_refused() -> None:
    Path("large.bpmn").write_bytes(b" " * 5_000_100)
    said = error_of("import", a_file(lines(PROCESS, {**VERSION, "bpmnFile": "large.bpmn"})))
    assert "but line 2 is invalid: Expected a BPMN document of at most 5,000,000 bytes, but it has " in said


@pytest.mark.parametrize("name", ["orders.jsonl", "orders.csv"])
def test_a_huge_line_is_refused_before_it_is_read(name: str) -> None:
    said = error_of("import", a_file(b"x" * (MAX_LINE_BYTES + 2), name))
    assert f"line 1 is invalid: Expected at most {MAX_LINE_BYTES:,} bytes, but the line is longer." in said


def test_a_changed_published_version_is_refused(empty: Place) -> None:
    output_of("import", a_file(lines(PROCESS, VERSION)))
    before = kept(empty)
    said = error_of("import", a_file(lines({**VERSION, "bpmn": DOCUMENT.decode()})))
    assert "but line 1 is invalid: Expected version 1 of process 'crm/orders' to be as it was" in said
    assert kept(empty) == before


@pytest.mark.anyio
async def test_batches_before_a_bad_one_stay() -> None:
    count = BATCH + 3
    records = [an_instance_record(number) for number in range(count)]
    records[BATCH + 1]["version"] = 9
    file = a_file(lines(PROCESS, VERSION, *records))
    store = InMemoryStore()
    with pytest.raises(Exception, match=f"but line {BATCH + 4:,} is invalid: .*{BATCH:,} instances"):
        await import_file(store, file, caller=ADMIN)
    assert len(await by_id(store, ORDERS)) == BATCH


@pytest.mark.anyio
@pytest.mark.parametrize("also_bad", [False, True], ids=["one", "two"])
async def test_reports_the_first_of_two_bad_lines_even_if_it_is_found_later(also_bad: bool) -> None:
    records = [an_instance_record(number) for number in range(BATCH + 2)]
    records[7]["version"] = 9
    if also_bad:
        records[BATCH + 1]["status"] = "WAITING"
    store = InMemoryStore()
    with pytest.raises(ImportFailedError, match=r"but line 10 is invalid: .*got 9.*0 instances") as caught:
        await import_file(store, a_file(lines(PROCESS, VERSION, *records)), caller=ADMIN)
    assert caught.value.line == 10
    assert await by_id(store, ORDERS) == {}


@pytest.mark.anyio
async def test_a_batch_is_sent_before_much_of_the_next_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0
    read_at_transactions: list[int] = []

    def counted(*arguments: Any) -> Iterator[tuple[int, Record]]:
        nonlocal read
        for line, record in records(*arguments):
            read = line
            yield line, record

    class Watched(InMemoryStore):
        def transaction(self, **options: Any) -> Any:
            read_at_transactions.append(read)
            return super().transaction(**options)

    monkeypatch.setattr("uplift.gateway.files.importer.records", counted)
    file = a_file(lines(PROCESS, VERSION, *(an_instance_record(number) for number in range(2 * BATCH))))
    await import_file(Watched(), file, caller=ADMIN)
    # The database works on the first batch while the second one is read.
    assert BATCH < read_at_transactions[-2] < BATCH + BATCH // 2
    assert read_at_transactions[-1] == 2 * BATCH + 2


@pytest.mark.parametrize("number", [1, 9])
def test_full_collections_are_rare_until_it_ends(
    empty: Place, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    during: list[tuple[int, int, int]] = []
    before = gc.get_threshold()
    with few_full_collections():
        few = gc.get_threshold()

    async def watched(*arguments: Any, **options: Any) -> Imported:
        during.append(gc.get_threshold())
        return await import_file(*arguments, **options)

    monkeypatch.setattr("uplift.gateway.cli.commands.import_files.import_file", watched)
    file = a_file(lines(PROCESS, VERSION, an_instance_record(1, version=number)))
    (output_of if number == 1 else error_of)("import", file)
    assert (during, gc.get_threshold()) == ([few], before)


@pytest.mark.anyio
async def test_progress_ends_at_the_size_of_the_file() -> None:
    file = a_file(lines(PROCESS, VERSION, *(an_instance_record(number) for number in range(2_500))))
    seen: list[int] = []
    await import_file(InMemoryStore(), file, caller=ADMIN, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == file.stat().st_size
    assert len(seen) == 3


@pytest.mark.parametrize("arguments", [["gone.jsonl"], ["."], []], ids=["missing", "a folder", "none"])
def test_what_is_no_file_is_refused(folder: Path, arguments: list[str]) -> None:
    error_of("import", *arguments, code=2)
    assert list(folder.iterdir()) == []


CSV = f"""\
type,namespace,code,title,number,state,bpmnFile,id,version,status,position
process,crm,orders,"Orders, of customers",,,,,,,
version,crm,orders,,1,,,,,,
version,crm,orders,,2,DRAFT,two.bpmn,,,,
instance,crm,orders,,,,,{an_id(1)},1,PENDING,approve pay
,crm,orders,,,,,{an_id(2)},1,COMPLETED,
"""


@pytest.mark.parametrize("spelt", [CSV.encode(), CSV.encode("utf-8-sig"), CSV.replace("\n", "\r\n").encode()])
def test_csv_holds_the_same_records(spelt: bytes) -> None:
    Path("two.bpmn").write_bytes(DOCUMENT)
    said = output_of("import", a_file(spelt, "Orders.CSV"))
    assert said == "Orders.CSV: imported 1 process, 2 versions, 2 instances.\n"
    found = kept()
    assert found is not None
    assert found.processes[0].title == "Orders, of customers"
    assert found.models[ORDERS, VersionNumber(2)] == VersionModel(document=DOCUMENT, process_id="orders")
    assert found.instances[ORDERS] == [
        an_instance(1, position=at("approve", "pay")),
        an_instance(2, status=Status.COMPLETED, position=at()),
    ]
    output_of("import", a_file(spelt, "Orders.CSV"))
    assert kept() == found


HEADER = "namespace,code,id,version,status,position"
ROW = f"crm,orders,{an_id(1)},1,PENDING,approve"


@pytest.mark.parametrize(
    ("rows", "line", "why"),
    [
        ([HEADER, ROW, "crm,orders,x,1,PENDING,"], 3, "Invalid UUID - at `$.id`."),
        ([HEADER, ROW, "", "crm,orders,x,1,PENDING,"], 4, "Invalid UUID - at `$.id`."),
        ([HEADER, f"crm,orders,{an_id(2)},one,PENDING,"], 2, "Expected `int`, got `str` - at `$.version`."),
        ([HEADER, f"crm,orders,{an_id(2)},1,pending,"], 2, "Invalid enum value 'pending' - at `$.status`."),
        ([HEADER, f"crm,,{an_id(2)},1,PENDING,"], 2, "Object missing required field `code`."),
        ([HEADER, ROW + ",more"], 2, "Expected 6 cells, one per column, but found 7."),
        ([HEADER, ROW.removesuffix(",approve")], 2, "Expected 6 cells, one per column, but found 5."),
        (
            [HEADER + ",colour", ROW + ",red"],
            1,
            f"Expected columns named {', '.join(COLUMNS)}, but found 'colour'.",
        ),
        ([HEADER.replace(",", ";"), ROW.replace(",", ";")], 1, "Expected columns named "),
        ([HEADER + ",id", ROW + ",x"], 1, "Expected each column once, but found 'id' twice."),
        ([HEADER, 'crm,orders,"open', ROW], 3, "unexpected end of data."),
        ([HEADER, 'crm,"ord"ers,x,1,PENDING,'], 2, "',' expected after '\"'."),
        ([HEADER, ROW, ROW], 3, f"Expected each instance once, but {an_id(1)} is in line 2 already."),
        ([HEADER, ROW.replace(",1,", ",9,")], 2, "Expected version to be a published version of process "),
    ],
)
def test_reports_a_bad_line_of_csv_by_number(rows: list[str], line: int, why: str) -> None:
    output_of("import", a_file(lines(PROCESS, VERSION)))
    before = kept()
    said = error_of("import", a_file("\n".join(rows).encode(), "orders.csv"))
    assert said.startswith(f"Expected to import orders.csv, but line {line} is invalid: {why}")
    assert kept() == before


def test_reports_csv_in_another_encoding_by_line() -> None:
    output_of("import", a_file(lines(PROCESS, VERSION)))
    before = kept()
    for encoding, line in (("latin-1", 3), ("utf-16", 1)):
        content = f"{HEADER}\n{ROW}\ncrm,orders,{an_id(2)},1,PENDING,prüfen\n".encode(encoding)
        said = error_of("import", a_file(content, "orders.csv"))
        assert f"but line {line} is invalid: Expected UTF-8 text" in said
    assert kept() == before


def test_a_row_of_csv_may_name_the_process_of_its_document() -> None:
    Path("both.bpmn").write_bytes(BOTH)
    rows = "type,namespace,code,number,bpmnFile,processId\nprocess,crm,orders,,,\n"
    output_of("import", a_file(f"{rows}version,crm,orders,1,both.bpmn,both\n".encode(), "orders.csv"))
    found = kept()
    assert found is not None
    assert found.versions[ORDERS][0].model_process_id == "both"


def test_a_document_in_a_cell_of_csv_may_be_large() -> None:
    document = DOCUMENT.decode() + "<!--" + "x" * 200_000 + "-->\n"
    quoted = document.replace('"', '""')
    content = f'type,namespace,code,number,bpmn\nprocess,crm,orders,,\nversion,crm,orders,1,"{quoted}"\n'
    output_of("import", a_file(content.encode(), "orders.csv"))
    found = kept()
    assert found is not None
    assert found.models[ORDERS, VersionNumber(1)] == VersionModel(
        document=document.encode(), process_id="orders"
    )
