"""Tests how the headers `Accept` and `Content-Type` are read."""

import pytest

from uplift.web.media_types import preferred, utf8_media_type


@pytest.mark.parametrize(
    ("accept", "ranges"),
    [
        ("", []),
        (" , ", []),
        ("*/*", [("*/*", 1)]),
        ("Text/HTML", [("text/html", 1)]),
        ("text/html, */*;q=0.8", [("text/html", 1), ("*/*", 0.8)]),
        ("*/*;q=0.8, text/html", [("text/html", 1), ("*/*", 0.8)]),
        ("b/b, a/a", [("b/b", 1), ("a/a", 1)]),
        ("a/a ; charset=utf-8 ; Q = 0.5", [("a/a", 0.5)]),
        ("a/a;q=0", [("a/a", 0)]),
        ("a/a;q=much, b/b;q=0.1", [("b/b", 0.1), ("a/a", 0)]),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", [("br", 1), ("gzip", 0.8), ("*", 0.1)]),
    ],
)
def test_sorts_by_quality(accept: str, ranges: list[tuple[str, float]]) -> None:
    assert list(preferred(accept)) == ranges


@pytest.mark.parametrize(
    ("content_type", "media_type"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; Charset=UTF-8", "application/json"),
        ('application/json; charset="utf-8"', "application/json"),
        ("application/json ; charset = utf8", "application/json"),
        ("multipart/form-data; boundary=application/json", "multipart/form-data"),
        ("", ""),
        ("application/json; charset=latin-1", None),
        ("application/json; charset=utf-8; charset=utf-16", None),
    ],
)
def test_reads_the_media_type_of_utf_8_only(content_type: str, media_type: str | None) -> None:
    assert utf8_media_type(content_type) == media_type
