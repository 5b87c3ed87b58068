"""docs/reference/reasons.md and `uplift explain` have each code of the product, with what to do."""

from collections import Counter
from enum import StrEnum

import pytest

from tests.gateway.gateway_world import error_of, output_of
from tests.support.project import DOCS
from uplift.domain import ReasonCode
from uplift.domain.compatibility import Code
from uplift.domain.errors import ErrorCode
from uplift.domain.ports.process_engine import EngineFaultKind
from uplift.gateway.reasons import GROUPS
from uplift.gateway.reasons.reference import render_reference
from uplift.graphql_api.engine.errors import GraphQLCode
from uplift.rest_compat.errors import RestCode
from uplift.web.errors import HttpCode

PAGE = (DOCS / "reference" / "reasons.md").read_text(encoding="utf-8")
ENUMS: tuple[type[StrEnum], ...] = (
    ReasonCode,
    Code,
    ErrorCode,
    HttpCode,
    GraphQLCode,
    RestCode,
    EngineFaultKind,
)
ADVICE = {code: advice for group in GROUPS for code, advice in group.advice}


def test_the_page_is_what_is_rendered() -> None:
    assert render_reference() == PAGE, (
        "Run python -m uplift.gateway.reasons.reference > docs/reference/reasons.md"
    )


@pytest.mark.parametrize("enum", ENUMS)
def test_every_code_is_explained_once(enum: type[StrEnum]) -> None:
    explained = Counter(code for group in GROUPS for code, _ in group.advice if type(code) is enum)
    assert explained == Counter(enum)


def test_nothing_else_is_explained_and_no_two_codes_look_the_same() -> None:
    assert {type(code) for code in ADVICE} == set(ENUMS)
    assert max(Counter(map(str, ADVICE)).values()) == 1


@pytest.mark.parametrize("code", ADVICE, ids=str)
def test_an_advice_is_whole_sentences_that_fit_a_table(code: StrEnum) -> None:
    for text in (ADVICE[code].means, ADVICE[code].do):
        assert text[0].isupper()
        assert text.endswith(".")
        assert "|" not in text
        assert "\n" not in text


@pytest.mark.parametrize(
    ("code", "where"),
    [
        ("UNAUTHENTICATED", "401 | `errors`"),
        ("STORE_UNAVAILABLE", "503 | `errors`"),
        ("WRONG_STATE", "409 | `userErrors`"),
    ],
)
def test_the_page_says_where_an_api_reports_a_code(code: str, where: str) -> None:
    assert f"| `{code}` | {where} |" in PAGE


def test_the_command_explains_a_code_in_any_case() -> None:
    printed = output_of("explain", "not_pending")
    assert printed == (
        "NOT_PENDING is a reason to skip an instance.\n"
        f"It means: {ADVICE[ReasonCode.NOT_PENDING].means}\n"
        f"What to do: {ADVICE[ReasonCode.NOT_PENDING].do}\n"
    )


def test_the_command_says_where_codes_are_when_it_does_not_know_one() -> None:
    assert error_of("explain", "TYPO") == (
        f"Expected one of the {len(ADVICE)} codes of docs/reference/reasons.md, but got 'TYPO'."
    )
