"""The text of the schema is complete, described, and consistent with the domain."""

from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    build_ast_schema,
    parse,
)
from graphql import build_schema as build_from_text
from strawberry.types.base import get_object_definition

from uplift import domain, graphql_api
from uplift.domain import compatibility
from uplift.domain.errors import (
    ErrorCode,
    Forbidden,
    InvalidModel,
    OutsideScope,
    StoreUnavailable,
    TooManyRequests,
    Unauthenticated,
    UpliftError,
)
from uplift.domain.model.selection import SelectionKind
from uplift.graphql_api.schema import build_schema, print_schema
from uplift.graphql_api.types.processes.comparisons import Element, ElementChange, MappingPair, VersionMapping
from uplift.graphql_api.types.processes.instances import Cohort, ProcessInstance
from uplift.graphql_api.types.processes.versions import Version
from uplift.graphql_api.types.reasons import ElementCount, Finding, FindingCount, ReasonCount, SkipReason
from uplift.graphql_api.types.upgrades.histories import HistoryEntry
from uplift.graphql_api.types.upgrades.outcomes import Outcome
from uplift.graphql_api.types.upgrades.plans import PlannedCohort
from uplift.graphql_api.types.upgrades.upgrades import Upgrade
from uplift.graphql_api.types.user_errors import USER_ERRORS, InvalidModelError, user_error_from_domain

COMMITTED = Path(graphql_api.__file__).with_name("schema.graphql")
BUILT_IN = {"Boolean", "Float", "ID", "Int", "String"}
NOT_ABOUT_THE_INPUT: set[type[UpliftError]] = {
    Unauthenticated,
    Forbidden,
    OutsideScope,
    TooManyRequests,
    StoreUnavailable,
}


def test_the_committed_text_equals_the_schema() -> None:
    assert COMMITTED.read_text() == print_schema(), (
        "write it again: uplift print-schema > graphql_api/schema.graphql"
    )


def test_the_schema_has_a_description_in_its_text_and_for_introspection() -> None:
    described = build_schema().execute_sync("{ __schema { description } }")
    assert described.data
    text = described.data["__schema"]["description"]
    assert text == build_from_text(print_schema()).description
    assert text.startswith("Upgrades running process instances in bulk")
    assert "`@deprecated`" in text


def test_the_text_is_a_valid_schema_on_its_own() -> None:
    assert build_ast_schema(parse(print_schema())).query_type is not None


def test_everything_is_described() -> None:
    described = build_from_text(COMMITTED.read_text())
    missing = [
        name
        for type_ in described.type_map.values()
        if not type_.name.startswith("__") and type_.name not in BUILT_IN
        for name, description in descriptions_in(type_)
        if not (description or "").strip()
    ]
    assert missing == []


def descriptions_in(type_: GraphQLNamedType) -> Iterator[tuple[str, str | None]]:
    yield type_.name, type_.description
    if isinstance(type_, GraphQLEnumType):
        for name, value in type_.values.items():
            yield f"{type_.name}.{name}", value.description
    if isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType, GraphQLInputObjectType)):
        for name, field in type_.fields.items():
            yield f"{type_.name}.{name}", field.description
            for argument_name, argument in getattr(field, "args", {}).items():
                yield f"{type_.name}.{name}({argument_name})", argument.description


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("Status", domain.Status),
        ("VersionState", domain.VersionState),
        ("SelectionKind", SelectionKind),
        ("UpgradeState", domain.UpgradeState),
        ("OutcomeKind", domain.OutcomeKind),
        ("ReasonCode", domain.ReasonCode),
        ("Verdict", domain.Verdict),
        ("Severity", compatibility.Severity),
        ("FindingCode", compatibility.Code),
        ("ChangedAspect", compatibility.Aspect),
        (
            "UserErrorCode",
            [code for code in ErrorCode if code not in {error.code for error in NOT_ABOUT_THE_INPUT}],
        ),
    ],
)
def test_an_enum_has_the_members_of_the_domain(name: str, members: Iterable[Enum]) -> None:
    described = build_from_text(print_schema()).type_map[name]
    assert isinstance(described, GraphQLEnumType)
    assert list(described.values) == [member.name for member in members]


def test_every_refusal_of_the_domain_is_a_user_error_if_it_is_about_the_input() -> None:
    assert set(UpliftError.__subclasses__()) == {*USER_ERRORS, *NOT_ABOUT_THE_INPUT}


@pytest.mark.parametrize(
    "refusal",
    [
        Unauthenticated(),
        Forbidden(caller="dashboard", role="reader"),
        TooManyRequests(caller="dashboard", allowed="2 requests per minute", retry_after=3),
        StoreUnavailable("it is locked"),
    ],
)
def test_a_refusal_that_is_not_about_the_input_is_raised(refusal: UpliftError) -> None:
    with pytest.raises(type(refusal)):
        user_error_from_domain(refusal)


def test_an_invalid_model_has_line_and_element() -> None:
    user_error = user_error_from_domain(InvalidModel("Expected …, but …", line=3, element="approve"))
    assert isinstance(user_error, InvalidModelError)
    assert (user_error.code, user_error.field, user_error.line, user_error.element) == (
        ErrorCode.INVALID_MODEL,
        ["bpmn"],
        3,
        "approve",
    )


@pytest.mark.parametrize(
    ("cls", "resolved"),
    [
        (ProcessInstance, {"process", "history"}),
        (HistoryEntry, set()),
        (Cohort, set()),
        (Version, {"bpmn", "elements", "process", "tokens"}),
        (
            Upgrade,
            {
                "workers",
                "process",
                "of",
                "undone_by",
                "events",
                "retries",
                "counts_by_reason",
                "counts_by_finding",
                "counts_by_element",
                "outcomes",
            },
        ),
        (Outcome, {"instance"}),
        (SkipReason, set()),
        (ReasonCount, set()),
        (PlannedCohort, {"instances"}),
        (Finding, set()),
        (FindingCount, set()),
        (ElementCount, set()),
        (MappingPair, set()),
        (VersionMapping, set()),
        (Element, set()),
        (ElementChange, set()),
    ],
)
def test_types_in_long_lists_have_resolvers_only_for_other_objects(cls: type, resolved: set[str]) -> None:
    fields = get_object_definition(cls, strict=True).fields
    assert {field.python_name for field in fields if not field.is_basic_field} == resolved


def test_schemas_can_be_built_side_by_side() -> None:
    first, second = build_schema(), build_schema()
    assert first.execute_sync("{__typename}").data == second.execute_sync("{__typename}").data
