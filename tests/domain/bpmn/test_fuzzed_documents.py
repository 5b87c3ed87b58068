"""A broken document raises InvalidModel and no other error."""

from contextlib import suppress
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.bpmn_builder import BPMN
from tests.support.process_strategies import recipes, written
from uplift.domain.bpmn import read_model
from uplift.domain.compatibility import breaking_positions, compare
from uplift.domain.errors import InvalidModel

fuzz = settings(max_examples=250, deadline=None, derandomize=True)

PIECES = (
    b"<", b">", b"/>", b'"', b"&", b"&#0;", b"&lt;", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"<?x ?>",
    b"<!DOCTYPE a>", b'<!ENTITY a "b">', b"<subProcess", b"<bpmn:task/>", b' id="start"', b' id=""',
    b' sourceRef="gone"', b' attachedToRef="start"', b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xc3", b"\r\n",
    BPMN.encode(), b"definitions", b"process",
)  # fmt: skip


def read_or_refuse(document: bytes) -> None:
    """Read a document and compare it with itself. Every error but InvalidModel fails the test."""
    with suppress(InvalidModel):
        model = read_model(document)
        assert breaking_positions(compare(model, model)) == ()


@fuzz
@given(st.binary(max_size=200))
@example(b"\xfe\xff")
@example(b"\x00\x00\xfe\xff")
@example(b'<?xml version="1.0" encoding="utf-32"?><a/>')
def test_random_bytes_are_refused(document: bytes) -> None:
    read_or_refuse(document)


@fuzz
@given(st.text(max_size=200))
def test_random_text_in_a_process_is_read_or_refused(text: str) -> None:
    read_or_refuse(
        f'<definitions xmlns="{BPMN}"><process id="p">{text}</process></definitions>'.encode(errors="ignore")
    )


@fuzz
@given(recipes, st.integers(0, 10_000), st.integers(1, 5))
def test_mutated_documents_are_read_or_refused(
    recipe: tuple[tuple[str, object], ...], seed: int, times: int
) -> None:
    chance = Random(seed)
    document = written(recipe).xml()
    for _ in range(times):
        document = _mutated(document, chance)
        read_or_refuse(document)


@fuzz
@given(recipes, st.integers(0, 10_000))
def test_documents_with_exchanged_words_are_read_or_refused(
    recipe: tuple[tuple[str, object], ...], seed: int
) -> None:
    chance = Random(seed)
    words = written(recipe).xml().split(b'"')
    first, second = chance.randrange(len(words)), chance.randrange(len(words))
    words[first], words[second] = words[second], words[first]
    read_or_refuse(b'"'.join(words))


def _mutated(document: bytes, chance: Random) -> bytes:
    begin = chance.randrange(len(document) + 1)
    end = min(len(document), begin + chance.choice((0, 0, 1, 5, 40)))
    put = chance.choice((b"", chance.choice(PIECES), document[end : end + 30], chance.randbytes(2)))
    return document[:begin] + put + document[end:]
