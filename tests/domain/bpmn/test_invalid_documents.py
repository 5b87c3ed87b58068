"""An invalid document is refused with the line and the element at fault."""

from typing import Any

import pytest

from tests.support.bpmn_builder import BPMN
from tests.support.process_shapes import one_task
from uplift.domain.bpmn import DocumentLimits, read_model
from uplift.domain.bpmn.tree import read_tree
from uplift.domain.errors import InvalidModel


def refusal(document: bytes, **options: Any) -> InvalidModel:
    with pytest.raises(InvalidModel) as refused:
        read_model(document, **options)
    return refused.value


def in_process(*lines: str) -> bytes:
    """A document whose process holds these lines, the first of them on line 3."""
    inside = "\n".join(lines)
    return f'<definitions xmlns="{BPMN}">\n<process id="p">\n{inside}\n</process>\n</definitions>'.encode()


@pytest.mark.parametrize(
    ("document", "line"),
    [
        (b"", 1),
        (b"not xml", 1),
        (b"<a>\n<b>\n</a>", 3),
        (b"<a>\n<a", 2),
        (b"<a/>\n<a/>", 2),
        (b"<x:a/>", 1),
        (b"<a>\x00</a>", 1),
        (b"<a>&nbsp;</a>", 1),
        (b"\xff\xfe<\x00a", 1),
        (b'<?xml version="1.0" encoding="UTF-8"?><a>\xe9</a>', 1),
    ],
)
def test_refuses_what_is_not_well_formed_with_the_line(document: bytes, line: int) -> None:
    found = refusal(document)
    assert found.line == line
    assert " XML" in found.message


@pytest.mark.parametrize(
    "declaration",
    [
        "<!DOCTYPE definitions>",
        '<!DOCTYPE definitions SYSTEM "http://example.org/evil.dtd">',
        '<!DOCTYPE definitions [<!ENTITY a "aaaa">]>',
        '<!DOCTYPE definitions [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE definitions [<!ENTITY % a SYSTEM "http://example.org/a"> %a;]>',
    ],
)
def test_refuses_document_types_and_entities(declaration: str) -> None:
    document = f'{declaration}\n<definitions xmlns="{BPMN}"><process id="p"/></definitions>'

    found = refusal(document.encode())
    assert found.line == 1
    assert found.message == (
        "Expected a BPMN document without document type, entities and external references, "
        "but it declares one. Remove it."
    )


@pytest.mark.parametrize(
    "root",
    [
        "<definitions/>",
        '<definitions xmlns="http://www.omg.org/spec/BPMN/20040101/MODEL"/>',
        f'<process xmlns="{BPMN}" id="p"/>',
        "<html><body/></html>",
    ],
)
def test_refuses_what_is_not_bpmn(root: str) -> None:
    found = refusal(root.encode())

    assert found.line == 1
    assert "Expected BPMN 2.0 'definitions'" in found.message


def test_refuses_a_document_without_a_process() -> None:
    document = f'<definitions xmlns="{BPMN}"/>'.encode()

    assert refusal(document).message == "Expected a process in the BPMN document, but it has none."


def test_lists_the_processes_when_there_are_several() -> None:
    document = f'<definitions xmlns="{BPMN}"><process id="b"/><process id="a"/></definitions>'.encode()

    assert refusal(document).message == (
        "Expected one process in the BPMN document, or only one that is executable or has elements, "
        "but it has several: 'a' (not executable, no elements), 'b' (not executable, no elements). "
        "Choose one of them by its id."
    )
    assert refusal(document, preferred_id="c").message == refusal(document).message


@pytest.mark.parametrize(
    ("lines", "line", "element"),
    [
        (['<task id="t"/>', '<task id="t"/>'], 4, "t"),
        (['<task id="t"/>', '<subProcess id="s">', '<task id="t"/>', "</subProcess>"], 5, "t"),
        (['<task id="p"/>'], 3, "p"),
        (['<task name="no id"/>'], 3, None),
        (['<task id=""/>'], 3, None),
        (['<task id="t"/>', '<sequenceFlow sourceRef="t" targetRef="gone"/>'], 4, None),
        (['<task id="t"/>', '<sequenceFlow id="f" sourceRef="t" targetRef="gone"/>'], 4, "f"),
        (['<task id="t"/>', '<sequenceFlow id="f" sourceRef="gone" targetRef="t"/>'], 4, "f"),
        (['<task id="t"/>', '<sequenceFlow id="f" sourceRef="t"/>'], 4, "f"),
        (['<boundaryEvent id="b" attachedToRef="gone"/>'], 3, "b"),
        (['<boundaryEvent id="b"/>'], 3, "b"),
        (['<boundaryEvent id="b" attachedToRef="b"/>'], 3, "b"),
        (['<startEvent id="s"/>', '<boundaryEvent id="b" attachedToRef="s"/>'], 4, "b"),
    ],
)
def test_refuses_dangling_references_and_ids_with_line_and_element(
    lines: list[str], line: int, element: str | None
) -> None:
    found = refusal(in_process(*lines))

    assert (found.line, found.element) == (line, element)
    assert found.message.startswith("Expected ")


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (
            '<task id="t"/><sequenceFlow id="f" sourceRef="t" targetRef="gone"/>',
            (
                "Expected 'gone', the targetRef of 'f', to be an element in the same process, but it is not "
                "there. Correct the reference, or remove what has it."
            ),
        ),
        (
            '<boundaryEvent id="b"/>',
            (
                "Expected '', the attachedToRef of 'b', to be an activity in the same process, but it is not "
                "there. Correct the reference, or remove what has it."
            ),
        ),
        (
            '<task id="t"/><sequenceFlow sourceRef="t" targetRef="gone"/>',
            (
                "Expected 'gone', the targetRef of the sequenceFlow without an id, to be an element in the "
                "same process, but it is not there. Correct the reference, or remove what has it."
            ),
        ),
        (
            "<userTask/>",
            (
                "Expected each userTask to have an id, because instances can wait there, but one has none. "
                "Give it an id."
            ),
        ),
        (
            '<startEvent id="s"/><boundaryEvent id="b" attachedToRef="s"/>',
            (
                "Expected 's', the attachedToRef of 'b', to be an activity in the same process, but it is "
                "the startEvent on line 3. Correct the reference."
            ),
        ),
        (
            '<task id="t"/>\n<task id="t"/>',
            "Expected each id once, but 't' is on lines 3 and 4. Give one of them another id.",
        ),
    ],
    ids=[
        "attribute",
        "no attribute",
        "flow without id",
        "no id",
        "host",
        "twice",
    ],
)
def test_names_what_is_dangling_or_duplicate(tags: str, message: str) -> None:
    assert refusal(in_process(tags)).message == message


def test_refuses_a_flow_to_an_element_of_another_process() -> None:
    document = (
        f'<definitions xmlns="{BPMN}"><process id="a"><task id="t"/></process>\n'
        '<process id="b"><task id="u"/>\n<sequenceFlow id="f" sourceRef="u" targetRef="t"/></process>'
        "</definitions>"
    )

    found = refusal(document.encode(), process_id="b")
    assert (found.line, found.element) == (3, "f")
    assert found.message == (
        "Expected 't', the targetRef of 'f', to be an element in the same process, but it is in process 'a'. "
        "Connect processes by message flows."
    )


@pytest.mark.parametrize(
    "tags",
    [
        '<task id="{0}"/><task id="{0}"/>',
        '<task id="t"/><sequenceFlow id="{0}" sourceRef="t" targetRef="{0}{0}"/>',
        '<subProcess id="{0}"><userTask/></subProcess>',
    ],
)
def test_a_long_id_is_shown_in_part(tags: str) -> None:
    assert len(refusal(in_process(tags.format("x" * 10_000))).message) < 500


def test_refuses_a_document_that_is_too_large() -> None:
    document = one_task().xml()

    assert read_model(document, limits=DocumentLimits(max_bytes=len(document))).elements
    assert refusal(document, limits=DocumentLimits(max_bytes=len(document) - 1)).message == (
        f"Expected a BPMN document of at most {len(document) - 1} bytes, but it has {len(document)} bytes."
    )


def scopes_inside_each_other(depth: int) -> bytes:
    opened = "".join(f'<subProcess id="s{number}">' for number in range(depth))
    return in_process(opened + "</subProcess>" * depth)


def test_refuses_a_document_that_is_nested_too_deeply() -> None:
    around, limits = 2, DocumentLimits(max_depth=20)

    assert len(read_model(scopes_inside_each_other(20 - around), limits=limits).elements) == 20 - around
    found = refusal(scopes_inside_each_other(20 - around + 1), limits=limits)
    assert (found.line, found.message) == (
        3,
        "Expected at most 20 tags inside each other, but the document has more.",
    )
    assert "200 tags inside each other" in refusal(b"<a>" * 100_000).message


def test_refuses_a_document_with_too_many_tags() -> None:
    tasks = in_process('<task id="a"/><task id="b"/>')

    assert len(read_model(tasks, limits=DocumentLimits(max_tags=4)).elements) == 2
    assert refusal(tasks, limits=DocumentLimits(max_tags=3)).message == (
        "Expected at most 3 tags outside of diagrams, but the document has more."
    )


def test_keeps_and_counts_no_diagrams() -> None:
    shapes = "<d:Shape><d:Bounds/>text</d:Shape>" * 100
    document = (
        f'<definitions xmlns="{BPMN}" xmlns:d="diagrams"><process id="a"><task id="t"/></process>'
        f"<d:Diagram>{shapes}</d:Diagram></definitions>"
    ).encode()
    limits = DocumentLimits(max_tags=3, max_depth=4)

    assert [node.bpmn_name for node in read_tree(document, limits=limits).children] == ["process"]
    assert list(read_model(document, limits=limits).elements) == ["t"]
    assert "inside each other" in refusal(document, limits=DocumentLimits(max_depth=3)).message


def test_names_the_field_that_carried_the_document() -> None:
    assert refusal(b"").field == ("bpmn",)
