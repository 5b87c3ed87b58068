"""Conversion of XML documents between the text in a GraphQL request and the bytes in the store.

An XML document may declare its encoding. Text is encoded and bytes are decoded with the declared encoding, so
that a client gets back the text that it saved.
"""

import re

_DECLARATION = r"""<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']"""
_IN_TEXT = re.compile(_DECLARATION)
_IN_BYTES = re.compile(_DECLARATION.encode())
_UTF_16_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")


def document_of(text: str) -> bytes:
    """Encode a document in its declared encoding, or UTF-8.

    Characters that the encoding lacks become references like `&#233;`.
    """
    declared = _IN_TEXT.match(text)
    try:
        return text.encode(declared[1] if declared else "utf-8", "xmlcharrefreplace")
    except (LookupError, UnicodeError):  # Python does not know the declared encoding
        return text.encode("utf-8", "xmlcharrefreplace")


def text_of(document: bytes) -> str:
    """Decode a document by its byte order mark, its declared encoding or UTF-8, in this order."""
    if document.startswith(_UTF_16_BYTE_ORDER_MARKS):
        return document.decode("utf-16", "replace")
    declared = _IN_BYTES.match(document)
    try:
        return document.decode(declared[1].decode() if declared else "utf-8-sig", "replace")
    except (LookupError, UnicodeError):
        return document.decode("utf-8-sig", "replace")
