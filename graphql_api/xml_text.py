"""Which bytes are the BPMN document that a client sends as text, and which text are the bytes that are kept?

An XML document may declare its encoding. A client has text, so the bytes are made to agree with the
declaration, and the text is read by it: what was saved is read again unchanged.
"""

import re

_DECLARATION = r"""<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']"""
_IN_TEXT = re.compile(_DECLARATION)
_IN_BYTES = re.compile(_DECLARATION.encode())
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def document_of(text: str) -> bytes:
    """The bytes of a document in its declared encoding, or UTF-8; what that lacks becomes `&#…;`."""
    declared = _IN_TEXT.match(text)
    try:
        return text.encode(declared[1] if declared else "utf-8", "xmlcharrefreplace")
    except (LookupError, UnicodeError):  # declared an encoding that nobody knows
        return text.encode("utf-8", "xmlcharrefreplace")


def text_of(document: bytes) -> str:
    """The characters of a document by its byte order mark, its declared encoding or UTF-8."""
    if document.startswith(_UTF_16_MARKS):
        return document.decode("utf-16", "replace")
    declared = _IN_BYTES.match(document)
    try:
        return document.decode(declared[1].decode() if declared else "utf-8-sig", "replace")
    except (LookupError, UnicodeError):
        return document.decode("utf-8-sig", "replace")
