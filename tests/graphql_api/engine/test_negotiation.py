"""Tests the media types of responses."""

import pytest

from uplift.graphql_api.engine.response import MediaType, negotiate

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
def test_answers_in_the_media_type_that_the_client_prefers(accept: str, media_type: MediaType | None) -> None:
    assert negotiate(accept) is media_type
