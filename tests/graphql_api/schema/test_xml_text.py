"""XML documents are converted between text and bytes without loss."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uplift.graphql_api.xml_text import document_of, text_of

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff")


@given(st.text(CHARACTERS))
def test_decodes_what_it_encoded_without_a_declaration(text: str) -> None:
    assert text_of(document_of(text)) == text


@pytest.mark.parametrize("encoding", ["UTF-8", "utf-16", "ISO-8859-1", "windows-1251", "US-ASCII"])
def test_decodes_what_it_encoded_in_the_declared_encoding(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><task name="OK"/>'
    assert text_of(document_of(text)) == text


def test_writes_in_the_declared_encoding() -> None:
    text = '<?xml version="1.0" encoding="ISO-8859-1"?><task name="Prüfen ✓"/>'
    assert document_of(text) == text.replace("✓", "&#10003;").encode("latin-1")


def test_reads_a_document_with_a_byte_order_mark() -> None:
    assert text_of("<task/>".encode("utf-16")) == "<task/>"
    assert text_of("<task/>".encode("utf-8-sig")) == "<task/>"


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "hex", "idna", "undefined"])
def test_uses_utf_8_instead_of_an_unknown_encoding(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><task name="ü..-"/>'
    assert document_of(text) == text.encode()
    assert text_of(text.encode()) == text


def test_a_character_that_cannot_be_encoded_becomes_a_reference() -> None:
    assert document_of("\ud800") == b"&#55296;"


def test_bytes_that_cannot_be_decoded_become_replacement_characters() -> None:
    assert text_of(b"<task name='\xff'/>") == "<task name='\ufffd'/>"
