"""Tests how the size of a document is measured, with its fragments in place."""

import pytest
from graphql import get_introspection_query, parse

from uplift.graphql_api.engine.limits import Limits, Size, exceeded, measure


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("{ a }", Size(depth=1, fields=1, root_fields=1)),
        ("{ a { b { c } d } }", Size(depth=3, fields=4, root_fields=1)),
        ("{ x: a y: b { z: c } }", Size(depth=2, fields=3, aliases=3, root_fields=2)),
        ("{ ... { a ... on Q { b } } c }", Size(depth=1, fields=3, root_fields=3)),
        ("query A { a } query B { b { c } }", Size(depth=2, fields=2, root_fields=1)),
        ("{ a @x @y b @x }", Size(depth=1, fields=2, root_fields=2, directives=2)),
        ("query($v: Int @x @y @z) @x { a }", Size(depth=1, fields=1, root_fields=1, directives=3)),
        ("fragment F on Q @x @y { a } { ...F }", Size(depth=1, fields=1, root_fields=1, directives=2)),
        ("{ ...F @x } fragment F on Q { a }", Size(depth=1, fields=1, root_fields=1, directives=1)),
        ("{ __schema { types { name } } }", Size(depth=1, fields=3, root_fields=1)),
    ],
)
def test_measures_a_document(text: str, size: Size) -> None:
    assert measure(parse(text)) == size


def test_counts_a_fragment_as_often_as_it_is_spread() -> None:
    text = "{ a { ...F } b { ...F } } fragment F on T { x: c d { e } }"
    assert measure(parse(text)) == Size(depth=3, fields=8, aliases=2, root_fields=2)


def test_measures_fragments_that_double_each_other_at_once() -> None:
    text = "{ ...F0 }" + "".join(
        f"fragment F{number} on T {{ a {{ ...F{number + 1} }} b {{ ...F{number + 1} }} }}"
        for number in range(60)
    )
    assert measure(parse(text)).fields == 2 * (2**60 - 1)


def test_counts_fragments_that_form_a_cycle_once() -> None:
    text = "{ ...F } fragment F on T { a { ...G } } fragment G on T { b { ...F } }"
    assert measure(parse(text)).fields == 2


def test_measures_a_document_of_types_only() -> None:
    assert measure(parse("type T { a: Int }")) == Size()


@pytest.mark.parametrize(
    ("text", "limits", "allowed"),
    [
        ("{ a { b { c } } }", Limits(max_depth=2), "nested fields of depth 2"),
        ("{ a b c }", Limits(max_fields=2), "2 fields"),
        ("{ x: a y: b }", Limits(max_aliases=1), "1 aliases"),
        ("{ a b c }", Limits(max_root_fields=2), "2 fields at the top of an operation"),
        ("{ a @x @x @x }", Limits(max_directives=2), "2 directives at one place"),
    ],
)
def test_names_the_limit_that_is_exceeded(text: str, limits: Limits, allowed: str) -> None:
    assert exceeded(parse(text), limits) == [f"Expected at most {allowed}, but the document has more."]


def test_names_every_limit_that_is_exceeded() -> None:
    assert len(exceeded(parse("{ x: a { b { c } } }"), Limits(max_depth=1, max_aliases=0))) == 2


def test_allows_a_document_at_its_limits() -> None:
    limits = Limits(max_depth=2, max_fields=3, max_aliases=1, max_root_fields=2, max_directives=1)
    assert exceeded(parse("{ x: a @d b { c } }"), limits) == []


def test_allows_the_introspection_of_tools() -> None:
    text = get_introspection_query(specified_by_url=True, input_value_deprecation=True, one_of=True)
    assert exceeded(parse(text), Limits()) == []


def test_refuses_a_chain_of_fragments_too_long_to_follow() -> None:
    text = "{ ...F0 }" + "".join(f"fragment F{n} on T {{ ...F{n + 1} }}" for n in range(2_000))
    assert exceeded(parse(text), Limits()) == [
        "Expected fragments of limited nesting, but they are nested too deeply."
    ]
