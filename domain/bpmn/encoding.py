"""Converts BPMN documents between bytes and text, whatever encoding their XML declaration names."""

import re
from codecs import BOM_UTF8, lookup

from uplift.domain.errors import InvalidModel

_BYTE_ORDER_MARK = "\ufeff"

_SIGNATURES = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"<\x00\x00\x00", "utf-32-le"),
    (b"\x00\x00\x00<", "utf-32-be"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"<\x00", "utf-16-le"),
    (b"\x00<", "utf-16-be"),
    (BOM_UTF8, "utf-8"),
)
"""How documents begin, with a byte order mark or without, that are in an encoding whatever they declare.

Source: XML 1.0, appendix F. The mark of UTF-32 begins with that of UTF-16, so it comes first.
"""

_DECLARATION = r"""<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']"""
_IN_TEXT = re.compile(_DECLARATION)
_IN_BYTES = re.compile(_DECLARATION.encode())

_READABLE = re.compile(
    r"utf-8|ascii|iso8859-\d+|cp\d+|koi8-[rtu]|kz1048|ptcp154|tis-620|mac-\w+"
    r"|shift_jis\w*|euc_\w+|iso2022_\w+|johab|big5\w*|gb2312|gbk|gb18030"
)
"""Python's names of the encodings that a document may declare. They write a declaration as ASCII does, except
for some of IBM's (cp037), in which nobody finds the declaration."""

_ALIASES = {"windows-31j": "cp932"}
"""Names of encodings, as IANA registers them, that Python does not know."""


def encode_document(text: str) -> bytes:
    """Encode a document that was received as text. `decode_document` returns this text.

    The text is already decoded, so the encoding that it declares no longer applies. If that is not UTF-8, a
    byte order mark says so.
    """
    text = text.removeprefix(_BYTE_ORDER_MARK)
    declared = _IN_TEXT.match(text)
    mark = b"" if declared is None or _codec(declared[1]) == "utf-8" else BOM_UTF8
    # Half of a surrogate pair has no encoding. Its bytes are stored nowhere: no reader accepts them.
    return mark + text.encode("utf-8", "surrogatepass")


def decode_document(document: bytes) -> str:
    """Decode a document by how it begins, or else by the encoding that it declares, or else by UTF-8.

    A byte order mark is removed. It wins over the declaration (RFC 7303, section 3): no document has it by
    chance, and no other encoding makes it well-formed XML. Raises InvalidModel if the document declares an
    encoding that is unknown or that it cannot have, or if its bytes are invalid in its encoding.
    """
    codec = _codec_of(document)
    try:
        return document.decode(codec).removeprefix(_BYTE_ORDER_MARK)
    except UnicodeError as error:
        position = error.start if isinstance(error, UnicodeDecodeError) else 0
        raise InvalidModel(
            f"Expected XML in {codec}, but byte {position + 1:,} is not valid there. "
            "Declare the encoding in which the document is, or save it in UTF-8.",
            line=document[:position].decode(codec, "replace").count("\n") + 1,
        ) from error


def _codec_of(document: bytes) -> str:
    for signature, codec in _SIGNATURES:
        if document.startswith(signature):
            return codec
    declared = _IN_BYTES.match(document)
    if declared is None:
        return "utf-8"
    name = declared[1].decode()
    codec_name = _codec(name)
    if codec_name is None or not _READABLE.fullmatch(codec_name):
        raise InvalidModel(
            f"Expected XML in an encoding that can be read (such as UTF-8), but it declares '{name[:100]}', "
            + ("in which its bytes are not." if _is_wide(codec_name) else "which is unknown."),
            line=1,
        )
    return codec_name


def _codec(name: str) -> str | None:
    """Python's name of an encoding, or None if it is unknown."""
    try:
        return lookup(_ALIASES.get(name.lower(), name)).name
    except LookupError:
        return None


def _is_wide(codec: str | None) -> bool:
    return codec is not None and codec.startswith(("utf-16", "utf-32"))
