"""In which media type a request is answered, and what counts as JSON."""

import pytest

from uplift.graphql_api.engine.negotiation import MediaType, is_json, negotiate

GRAPHQL, JSON, EVENTS = MediaType.GRAPHQL, MediaType.JSON, MediaType.EVENTS


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/json", JSON),
        ("application/graphql-response+json", GRAPHQL),
        ("application/graphql-response+json; charset=utf-8, application/json;q=0.9", GRAPHQL),
        ("application/json, application/graphql-response+json", JSON),
        ("application/json;q=0.5, application/graphql-response+json;q=0.8", GRAPHQL),
        ("APPLICATION/JSON", JSON),
        ("text/event-stream", EVENTS),
        ("application/json;q=0.1, text/event-stream", EVENTS),
        ("text/html, */*;q=0.8", JSON),
        ("application/json;q=0, */*", GRAPHQL),
        ("application/json;q=0, application/graphql-response+json;q=0, */*", None),
        ("application/json;q=nonsense", None),
        ("text/html", None),
        ("image/png, text/*", None),
    ],
)
def test_answers_in_what_the_client_likes_best(accept: str, media_type: MediaType | None) -> None:
    assert negotiate(accept) is media_type


@pytest.mark.parametrize(
    ("content_type", "verdict"),
    [
        ("application/json", True),
        ("Application/JSON; Charset=UTF-8", True),
        ('application/json; charset="utf-8"', True),
        ("application/json; charset=latin-1", False),
        ("application/json; charset=utf-8; charset=utf-16", False),
        ("text/plain", False),
        ("application/x-www-form-urlencoded", False),
        ("multipart/form-data; boundary=application/json", False),
        ("application/jsonp", False),
        ("", False),
    ],
)
def test_takes_only_json_in_utf_8_for_json(content_type: str, verdict: bool) -> None:
    assert is_json(content_type) is verdict
