"""A document has the same letters, whatever encoding its bytes are in and its declaration names."""

from codecs import BOM_UTF8

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.bpmn_builder import BPMN
from uplift.domain.bpmn import decode_document, encode_document, read_model
from uplift.domain.errors import InvalidModel

law = settings(max_examples=300, deadline=None, derandomize=True)

ALPHABETS = {
    "utf-8": "äЖ審🙂é",
    "utf-16": "äЖ審🙂é",
    "utf-16-le": "äЖ審🙂é",
    "utf-16-be": "äЖ審🙂é",
    "utf-32": "äЖ審🙂é",
    "utf-32-le": "äЖ審🙂é",
    "utf-32-be": "äЖ審🙂é",
    "iso-8859-1": "äéÿß",
    "windows-1252": "äé€œ",
    "iso-8859-15": "äé€œ",
    "windows-1251": "ЖжЁё",
    "koi8-r": "ЖжЁё",
    "shift_jis": "審査ソ表",
    "windows-31j": "審査①表",
    "euc-jp": "審査ソ表",
    "gb18030": "订单é🙂",
    "big5": "訂單功許",
    "us-ascii": "az",
}
"""Encodings with letters that each can write. In Shift JIS and Big5 some of these end with the byte 0x5C."""

UNICODE = "äЖ審🙂é"
MARKED = {
    "utf-8": BOM_UTF8,
    "utf-16-le": b"\xff\xfe",
    "utf-16-be": b"\xfe\xff",
    "utf-32-le": b"\xff\xfe\0\0",
    "utf-32-be": b"\0\0\xfe\xff",
}
"""The encodings whose byte order mark says what they are."""

FORMS = ["plain", "reference", "hex", "cdata"]


def document(declaration: str, letters: str, form: str) -> str:
    """A document with the letters in an id, in a name, and as a condition."""
    written = {
        "reference": "".join(f"&#{ord(letter)};" for letter in letters),
        "hex": "".join(f"&#x{ord(letter):x};" for letter in letters),
    }.get(form, letters)
    condition = f"<![CDATA[{letters}]]>" if form == "cdata" else f"{written}&amp;"
    return (
        f'{declaration}<definitions xmlns="{BPMN}"><process id="p" name="&lt;{written}&gt;">\n'
        f'<intermediateCatchEvent id="{written}" name="{written}">'
        f"<conditionalEventDefinition><condition>{condition}</condition></conditionalEventDefinition>"
        "</intermediateCatchEvent></process></definitions>"
    )


def assert_letters(content: bytes, letters: str, form: str) -> None:
    """Assert that a document has these letters, and still has them when its text is saved again."""
    for saved in (content, encode_document(decode_document(content))):
        model = read_model(saved)
        [element] = model.elements.values()
        assert (element.id, element.name, model.name) == (letters, letters, f"<{letters}>")
        assert element.trigger is not None
        assert element.trigger.detail == (letters if form == "cdata" else f"{letters}&")


DECLARED = st.sampled_from(["", " standalone='yes'", ' standalone="no"'])


@st.composite
def written(draw: st.DrawFn, alphabets: dict[str, str]) -> tuple[str, str, str]:
    """An encoding, letters that it can write, and a form in which they are written."""
    encoding = draw(st.sampled_from(sorted(alphabets)))
    letters = draw(st.text(alphabets[encoding], min_size=1, max_size=5))
    return encoding, letters, draw(st.sampled_from(FORMS))


def declaration(encoding: str, rest: str = "", quote: str = '"') -> str:
    named = f" encoding={quote}{encoding}{quote}" if encoding else ""
    return f"<?xml version={quote}1.0{quote}{named}{rest} ?>\n"


def bytes_in(text: str, encoding: str) -> bytes:
    return text.encode({"windows-31j": "cp932"}.get(encoding, encoding))


@law
@given(written(ALPHABETS), DECLARED, st.sampled_from("\"'"), st.booleans())
def test_bytes_are_read_in_the_encoding_that_they_declare(
    case: tuple[str, str, str], rest: str, quote: str, upper: bool
) -> None:
    encoding, letters, form = case
    name = encoding.upper() if upper else encoding
    text = document(declaration(name, rest, quote), letters, form)
    assert_letters(bytes_in(text, encoding), letters, form)


@law
@given(written(dict.fromkeys(MARKED, UNICODE)), st.sampled_from(["", *ALPHABETS, "klingon", "utf-7"]))
def test_a_byte_order_mark_wins_over_every_declaration(case: tuple[str, str, str], declared: str) -> None:
    encoding, letters, form = case
    for declared_by in ("", declaration(declared)):
        content = MARKED[encoding] + document(declared_by, letters, form).encode(encoding)
        assert_letters(content, letters, form)


@law
@given(written(dict.fromkeys(MARKED, UNICODE)), st.sampled_from(["", "utf-8", "iso-8859-1", "utf-16"]))
def test_wide_bytes_without_a_mark_are_read_by_how_they_begin(
    case: tuple[str, str, str], declared: str
) -> None:
    encoding, letters, form = case
    if encoding == "utf-8":
        declared = ""
    for declared_by in ("", declaration(declared)):
        assert_letters(document(declared_by, letters, form).encode(encoding), letters, form)


@law
@given(
    st.text(UNICODE, min_size=1, max_size=5),
    st.sampled_from(FORMS),
    st.sampled_from(["", *ALPHABETS, "klingon", "rot13", "hex", "idna", "undefined", "UTF-7"]),
    DECLARED,
    st.booleans(),
)
def test_text_keeps_its_letters_whatever_it_declares(
    letters: str, form: str, declared: str, rest: str, marked: bool
) -> None:
    text = document(declaration(declared, rest), letters, form)
    content = encode_document(("\ufeff" if marked else "") + text)

    assert decode_document(content) == text
    assert_letters(content, letters, form)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_returned_as_it_was_saved(text: str) -> None:
    text = text.lstrip("\ufeff")
    if not text.startswith(("\0", "<\0")):
        assert decode_document(encode_document(text)) == text


@pytest.mark.parametrize(
    ("content", "line", "codec", "byte"),
    [
        (b'<?xml version="1.0" encoding="UTF-8"?>\n\n<a n="\xe9"/>', 3, "utf-8", 47),
        (b'<a n="Pr\xfcfen"/>', 1, "utf-8", 9),
        (BOM_UTF8 + b'<a n="\xe9"/>', 1, "utf-8", 10),
        (declaration("us-ascii").encode() + "é".encode(), 2, "ascii", 44),
        (declaration("shift_jis").encode() + b"\x82", 2, "shift_jis", 45),
        (declaration("windows-1252").encode() + b"\x81", 2, "cp1252", 48),
        ("<a n='\ud800'/>".encode("utf-16-le", "surrogatepass"), 1, "utf-16-le", 13),
        (b"\xff\xfe<\0a", 1, "utf-16", 5),
        (b"\xff\xfe\0\0<", 1, "utf-32", 5),
    ],
)
def test_bytes_that_are_invalid_in_their_encoding_are_refused(
    content: bytes, line: int, codec: str, byte: int
) -> None:
    with pytest.raises(InvalidModel) as refused:
        read_model(content)
    assert refused.value.line == line
    assert refused.value.message == (
        f"Expected XML in {codec}, but byte {byte} is not valid there. "
        "Declare the encoding in which the document is, or save it in UTF-8."
    )


@pytest.mark.parametrize(
    "name",
    ["UTF-16", "utf_32", "klingon", "UTF-7", "base64", "rot13", "idna", "punycode", "unicode_escape", "hex",
     "raw-unicode-escape", "undefined", "utf-8-sig", "cp037x", "x" * 10_000],
)  # fmt: skip
def test_bytes_that_declare_an_encoding_in_which_they_are_not_are_refused(name: str) -> None:
    with pytest.raises(InvalidModel) as refused:
        read_model(document(declaration(name), "a", "plain").encode())
    why = "in which its bytes are not." if name in ("UTF-16", "utf_32") else "which is unknown."
    assert refused.value.line == 1
    assert refused.value.message == (
        f"Expected XML in an encoding that can be read (such as UTF-8), but it declares '{name[:100]}', {why}"
    )


def test_half_of_a_surrogate_pair_in_text_is_refused() -> None:
    with pytest.raises(InvalidModel, match="Expected XML in utf-8, but byte 7 is not valid there"):
        read_model(encode_document('<a n="\ud800"/>'))
