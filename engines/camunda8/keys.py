"""Recognises the keys of Camunda 8: each version and instance has one, an int64 that is written as text."""

import re

_KEY = re.compile(r"[1-9][0-9]{0,18}")
_MAX_KEY = 2**63 - 1


def is_key(text: str) -> bool:
    """Whether a text can be a key. The server refuses a whole request for one that cannot."""
    return _KEY.fullmatch(text) is not None and int(text) <= _MAX_KEY
