"""Tests that lists completed a column at a time equal those of graphql-core, errors included."""

import asyncio
import enum
import json
import uuid
from collections.abc import Awaitable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, NewType

import pytest
import strawberry
from graphql import DocumentNode, ExecutionResult, Undefined, parse, validate
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry import UNSET
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from tests.support.long_mode import IS_LONG
from uplift.graphql_api.engine import column_executor as compiled
from uplift.graphql_api.engine import columns
from uplift.graphql_api.engine.column_executor import CompilingExecutor, LongLists
from uplift.graphql_api.types.scalars import SCALARS
from uplift.web.request_memory import RequestMemory

Even = NewType("Even", int)


def even(value: Any) -> Any:
    """Refuse 1, and return null for other odd numbers."""
    if value == 1:
        raise ValueError("1 is odd")
    return value if value % 2 == 0 else None


@strawberry.enum
class Status(enum.StrEnum):
    PENDING = "waiting"
    RUNNING = "running"


@strawberry.enum
class Level(enum.IntEnum):
    LOW = 0
    HIGH = 1


@strawberry.interface
class Named:
    id: uuid.UUID
    name: str


@strawberry.type
class Process:
    code: str
    owner: str | None


@strawberry.type
class Instance(Named):
    status: Status
    level: Level | None
    version: int
    score: float | None
    active: bool
    created: datetime
    tags: list[str]
    marks: list[int | None] | None
    grid: list[list[str]] | None
    even: Even | None
    process: Process
    parent: Process | None
    siblings: list[Process]

    @strawberry.field
    def shout(self) -> str:
        if self.active:
            raise RuntimeError("too loud")
        return "LOUD"

    @strawberry.field
    async def later(self) -> int:
        return 1

    @strawberry.field
    def times(self, factor: int = 2) -> int:
        return 3 * factor


@strawberry.type
class Note(Named):
    text: str


@strawberry.type
class Edge:
    cursor: str
    node: Instance | None


@strawberry.type
class Connection:
    edges: list[Edge | None]
    nodes: list[Instance]
    maybe: list[Instance | None] | None
    named: list[Named]


@strawberry.type
class Query:
    page: Connection | None


SCHEMA = strawberry.Schema(
    Query,
    types=[Note],
    config=StrawberryConfig(
        scalar_map={Even: strawberry.scalar(name="Even", serialize=even, parse_value=int), **SCALARS}
    ),
)


STOCK = StrawberryGraphQLCoreExecutionContext


def in_pieces() -> type[CompilingExecutor]:
    """An executor that completes every list item by item, and waits in between."""
    long_lists = LongLists(RequestMemory(max_body_bytes=0))
    return type(
        "InPieces", (CompilingExecutor,), {"long_lists": long_lists, "piece_items": 1, "piece_bytes": 0}
    )


class Later:
    """An attribute that has to be awaited, any number of times."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Generator[None, None, object]:
        yield from asyncio.sleep(0).__await__()
        return self.value

    def __repr__(self) -> str:
        return f"Later({self.value!r})"


@dataclass
class Stranger:
    """Has the attributes of the fields, but is of no type of the schema."""

    id: str = "x"
    code: str = "x"


def odd_values() -> list[Any]:
    """Values that a resolver may return by mistake; new each time, because some are mutable."""
    return [
        *(None, 0, 1, 2**40, 0.5, float("nan"), "", "x", True, Status.RUNNING, Level.HIGH, UNSET, Undefined),
        *([], ["a", None], ["a", 1], ("a",), [[None]], {}, {"code": "x"}, {"a"}),
        *(RuntimeError("in the data"), Later(None), Later("x"), Later(["x"]), ["a", Later("x")]),
        *(Process(code="x", owner=None), Note(id=uuid.UUID(int=9), name="n", text="t"), Stranger()),
    ]


ODD_VALUES = st.integers(0, len(odd_values()) - 1).map(lambda index: odd_values()[index])
TEXT = st.sampled_from(["", "a", "bank", "é"])
PROCESSES = st.builds(Process, code=TEXT, owner=st.none() | TEXT)
INSTANCES = st.builds(
    Instance,
    id=st.just(uuid.UUID(int=7)),
    name=TEXT,
    status=st.sampled_from(Status),
    level=st.none() | st.sampled_from(Level),
    version=st.integers(-(2**31), 2**31 - 1),
    score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    active=st.booleans(),
    created=st.sampled_from(
        [datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=zone) for zone in (UTC, UTC, timezone(timedelta(hours=3)))]
    ),
    tags=st.lists(TEXT, max_size=2),
    marks=st.none() | st.lists(st.none() | st.integers(0, 9), max_size=2),
    grid=st.none() | st.lists(st.lists(TEXT, max_size=2).map(tuple), max_size=2),
    even=st.none() | st.sampled_from([0, 2]),
    process=PROCESSES,
    parent=st.none() | PROCESSES,
    siblings=st.lists(PROCESSES, max_size=2),
)
NOTES = st.builds(Note, id=st.just(uuid.UUID(int=8)), name=TEXT, text=TEXT)
CONNECTIONS = st.builds(
    Connection,
    edges=st.lists(st.none() | st.builds(Edge, cursor=TEXT, node=INSTANCES), min_size=1, max_size=2),
    nodes=st.lists(INSTANCES, min_size=1, max_size=2),
    maybe=st.none() | st.lists(st.none() | INSTANCES, min_size=1, max_size=2),
    named=st.lists(INSTANCES | NOTES, max_size=2),
)


def spoil(page: Connection, selection: str, choice: int, value: object) -> None:
    """Puts this value somewhere into the page where the query finds it."""
    places = [place for place in places_of(page) if not isinstance(place[1], str) or place[1] in selection]
    where, key = places[choice % len(places)]
    if isinstance(key, str):
        setattr(where, key, value)
    else:
        where[key] = value


def places_of(value: object) -> list[tuple[Any, str | int]]:
    """Every attribute and list item in this value, outside in."""
    if isinstance(value, list):
        found: list[tuple[Any, str | int]] = [(value, index) for index in range(len(value))]
        return found + [place for item in value for place in places_of(item)]
    if isinstance(value, (Connection, Edge, Instance, Note, Process)):
        found = [(value, name) for name in vars(value)]
        return found + [place for item in vars(value).values() for place in places_of(item)]
    return []


LEAVES = {
    "Process": ["code", "owner"],
    "Named": ["id", "name"],
    "Note": ["id", "name", "text"],
    "Edge": ["cursor"],
    "Connection": [],
    "Instance": [
        *("id", "name", "status", "level", "version", "score", "active", "created", "tags", "marks", "grid"),
        *("even", "shout", "later", "times", "times(factor: $factor)"),
    ],
}
OBJECTS = {
    "Instance": {"process": "Process", "parent": "Process", "siblings": "Process"},
    "Edge": {"node": "Instance"},
    "Connection": {"edges": "Edge", "nodes": "Instance", "maybe": "Instance", "named": "Named"},
}
PLAIN_FIRST = {"Instance": 12}  # the others have resolvers
FRAGMENT_TYPES = {"Instance": ["Instance", "Named", ""], "Named": ["Named", "Instance", "Note", ""]}
DIRECTIVES = [
    "",
    "",
    "",
    "",
    "@include(if: $yes)",
    "@skip(if: $yes)",
    "@include(if: $no)",
    "@skip(if: false)",
]


@st.composite
def selection_sets(draw: st.DrawFn, type_: str, depth: int) -> str:
    """A selection set of this type, valid in any merge with others."""
    selections = draw(st.lists(selections_of(type_, depth), min_size=1, max_size=4))
    return "{ " + " ".join(selections) + " }"


@st.composite
def selections_of(draw: st.DrawFn, type_: str, depth: int) -> str:
    directive = draw(st.sampled_from(DIRECTIVES))
    kind = draw(st.sampled_from(["leaf", "leaf", "leaf", "leaf", "object", "fragment", "typename"]))
    if type_ == "Connection" and kind == "leaf":
        kind = "object"
    if kind == "object" and depth > 0 and type_ in OBJECTS:
        field = draw(st.sampled_from(sorted(OBJECTS[type_])))
        inner = draw(selection_sets(OBJECTS[type_][field], depth - 1))
        return f"{draw(aliases(field))} {directive} {inner}"
    if kind == "fragment" and depth > 0:
        on = draw(st.sampled_from(FRAGMENT_TYPES.get(type_, [type_, ""])))
        if on == "Named" and draw(st.booleans()):
            return f"...Common {directive}"
        inner = draw(selection_sets(on or type_, depth - 1))
        return f"... {'on ' + on if on else ''} {directive} {inner}"
    fields = LEAVES[type_]
    if kind == "typename" or not fields:
        return f"{draw(aliases('__typename'))} {directive}"
    plain = fields[: PLAIN_FIRST.get(type_, len(fields))]
    field = draw(st.sampled_from(plain if draw(st.integers(0, 9)) else fields))
    return f"{draw(aliases(field))} {directive}"


@st.composite
def aliases(draw: st.DrawFn, field: str) -> str:
    """The field, perhaps under an alias that no other field can have."""
    name = field.partition("(")[0]
    if name != field:
        return f"more_{name}: {field}"
    return draw(st.sampled_from([field, field, f"other_{name}: {field}"]))


def query(selection: str) -> str:
    used = [
        declaration
        for name, declaration in {
            "$yes": "$yes: Boolean!",
            "$no": "$no: Boolean!",
            "$factor": "$factor: Int",
        }.items()
        if name in selection
    ]
    head = f"query({', '.join(used)})" if used else "query"
    common = "fragment Common on Named { name __typename }" if "...Common" in selection else ""
    return f"{head} {{ page {selection} }} {common}"


def run(executor: Any, text: str, page: Connection) -> ExecutionResult:
    """The result by this executor of a query that must be valid."""
    variables = {"yes": True, "no": False, "factor": 5}
    built = executor.build(SCHEMA._schema, document(text), Query(page=page), None, variables)

    async def in_loop() -> ExecutionResult:
        result = built.execute_operation()
        return await settled(result) if built.is_awaitable(result) else result

    return asyncio.run(in_loop())


@lru_cache
def document(text: str) -> DocumentNode:
    found = parse(text)
    assert validate(SCHEMA._schema, found) == [], text
    return found


async def settled(result: Awaitable[ExecutionResult]) -> ExecutionResult:
    """The result once all work in the background has ended, too."""
    found = await result
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
    return found


def as_text(result: ExecutionResult) -> tuple[str, list[tuple[Any, ...]]]:
    """Data with the order of its entries, and all that a client sees of the errors."""
    errors = [(error.message, error.path, error.locations) for error in result.errors or ()]
    return json.dumps(result.data), errors


@settings(max_examples=2_000 if IS_LONG else 100, deadline=None)
@given(
    selection=selection_sets("Connection", 4),
    page=CONNECTIONS,
    spoilt=st.lists(st.tuples(st.integers(0, 999), ODD_VALUES), max_size=2),
)
def test_agrees_with_graphql_core_on_any_query_and_data(
    selection: str, page: Connection, spoilt: list[tuple[int, object]]
) -> None:
    for choice, value in spoilt:
        spoil(page, selection, choice, value)
    text = query(selection)
    ours, pieces, stock = (run(executor, text, page) for executor in (CompilingExecutor, in_pieces(), STOCK))
    assert as_text(ours) == as_text(stock)
    # A list that is awaited reports its errors later.
    data, errors = as_text(pieces)
    assert (data, sorted(errors, key=repr)) == (as_text(stock)[0], sorted(as_text(stock)[1], key=repr))


@pytest.mark.parametrize("index", range(len(odd_values())), ids=lambda index: repr(odd_values()[index])[:20])
def test_agrees_with_graphql_core_on_an_odd_value_in_any_place(index: int) -> None:
    text = """{ page {
      nodes { id name status level version score active created tags marks grid even process { code owner } }
      edges { cursor node { name parent { code } siblings { owner } } }
      maybe { __typename id }
    } }"""
    # Each value gets to a third of the places, and each place a third of the values; in the long mode, all.
    every, places = 1 if IS_LONG else 3, len(places_of(a_page(an_instance())))
    for choice in range(index % every, places, every):
        executors = (CompilingExecutor, in_pieces(), STOCK)
        pages = [a_page(an_instance(), an_instance()) for _ in executors]
        for page in pages:
            spoil(page, text, choice, odd_values()[index])
        ours, pieces, stock = (
            run(executor, text, page) for executor, page in zip(executors, pages, strict=True)
        )
        assert as_text(ours) == as_text(stock)
        assert as_text(pieces)[0] == as_text(stock)[0]


@pytest.mark.parametrize("type_", [Instance, Note, Named])
def test_agrees_with_graphql_core_on_an_object_that_is_cast(type_: type) -> None:
    pages = [a_page(an_instance(), strawberry.cast(type_, an_instance())) for _ in range(2)]
    ours, stock = (
        run(executor, "{ page { nodes { id name } named { __typename name } } }", page)
        for executor, page in zip((CompilingExecutor, STOCK), pages, strict=True)
    )
    assert as_text(ours) == as_text(stock)


@pytest.mark.parametrize(
    ("characters", "pieces"), [(1, [100, 400, 500]), (400, [100, 309, 309, 282]), (10_000, [100] * 10)]
)
def test_pieces_of_a_list_grow_until_they_are_large(characters: int, pieces: list[int]) -> None:
    seen: list[int] = []

    class Recording(CompilingExecutor):
        def _complete_piece(self, complete: Any, values: Any, completed: list[Any], items: int) -> int:
            before = len(completed)
            following = super()._complete_piece(complete, values, completed, items)
            seen.append(len(completed) - before)
            return following

    page = Connection(
        edges=[], nodes=[an_instance(name="x" * characters) for _ in range(1_000)], maybe=None, named=[]
    )
    result = run(Recording, "{ page { nodes { name } } }", page)
    assert result.data is not None
    assert len(result.data["page"]["nodes"]) == 1_000
    assert seen == pieces


@dataclass
class Counts:
    fast: int = 0
    refused: int = 0


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counts:
    """How many objects were completed a column at a time."""
    found = Counts()
    complete_objects = columns.complete_objects

    def counting(type_: Any, columns: Any, objects: Any, classes: Any) -> Any:
        try:
            completed = complete_objects(type_, columns, objects, classes)
        except Exception:
            found.refused += len(objects)
            raise
        found.fast += len(objects)
        return completed

    monkeypatch.setattr(compiled, "complete_objects", counting)
    return found


def an_instance(**changes: Any) -> Instance:
    values: dict[str, Any] = {
        "id": uuid.UUID(int=7),
        "name": "a",
        "status": Status.PENDING,
        "level": Level.LOW,
        "version": 1,
        "score": 0.5,
        "active": True,
        "created": datetime(2026, 1, 2, tzinfo=UTC),
        "tags": ["x", "y"],
        "marks": [1, None],
        "grid": [["g"], []],
        "even": 2,
        "process": Process(code="loan", owner=None),
        "parent": Process(code="bank", owner="b"),
        "siblings": [Process(code="old", owner="c")],
    }
    return Instance(**{**values, **changes})


def a_page(*instances: Instance) -> Connection:
    edges: list[Edge | None] = [Edge(cursor="c", node=instance) for instance in instances]
    return Connection(edges=edges, nodes=list(instances), maybe=list(instances), named=list(instances))


def test_completes_the_nodes_of_a_page_at_once(counts: Counts) -> None:
    result = run(
        CompilingExecutor, "{ page { nodes { id status tags marks created } } }", a_page(an_instance())
    )
    assert result == ExecutionResult(
        {
            "page": {
                "nodes": [
                    {
                        "id": "00000000-0000-0000-0000-000000000007",
                        "status": "PENDING",
                        "tags": ["x", "y"],
                        "marks": [1, None],
                        "created": "2026-01-02T00:00:00Z",
                    }
                ]
            }
        },
        None,
    )
    assert counts == Counts(fast=1)


def test_completes_edges_with_their_nodes_and_nested_objects_at_once(counts: Counts) -> None:
    text = "{ page { edges { cursor node { __typename version process { code } parent { code } } } } }"
    result = run(CompilingExecutor, text, a_page(an_instance()))
    node = {"__typename": "Instance", "version": 1, "process": {"code": "loan"}, "parent": {"code": "bank"}}
    assert result.data == {"page": {"edges": [{"cursor": "c", "node": node}]}}
    assert counts == Counts(fast=4)  # the edge, its node, and the node's two processes


def test_honours_aliases_fragments_and_directives(counts: Counts) -> None:
    text = """
        query($yes: Boolean!) {
          page {
            nodes { n: name ...Common ... @include(if: $yes) { version } ... @skip(if: $yes) { shout } }
          }
        }
        fragment Common on Named { id n: name }
    """
    result = run(CompilingExecutor, text, a_page(an_instance()))
    expected = {"n": "a", "id": "00000000-0000-0000-0000-000000000007", "version": 1}
    assert result.data == {"page": {"nodes": [expected]}}
    assert counts == Counts(fast=1)


def test_leaves_a_list_with_a_null_where_none_may_be_to_graphql_core(counts: Counts) -> None:
    broken: Any = None
    page = Connection(edges=[], nodes=[], maybe=[an_instance(), an_instance(name=broken)], named=[])
    result = run(CompilingExecutor, "{ page { maybe { name } } }", page)
    assert result.data == {"page": {"maybe": [{"name": "a"}, None]}}
    assert as_text(result)[1] == [
        ("Cannot return null for non-nullable field Instance.name.", ["page", "maybe", 1, "name"], [(1, 18)])
    ]
    assert counts == Counts(refused=2)


@pytest.mark.parametrize("field", ["shout", "later", "times"])
def test_leaves_a_list_with_a_resolver_to_graphql_core(counts: Counts, field: str) -> None:
    run(CompilingExecutor, f"{{ page {{ nodes {{ id {field} }} }} }}", a_page(an_instance(active=False)))
    assert counts == Counts()


def test_leaves_a_list_of_an_interface_to_graphql_core(counts: Counts) -> None:
    result = run(CompilingExecutor, "{ page { named { id name } } }", a_page(an_instance()))
    assert result.errors is None
    assert counts == Counts()


def test_leaves_lists_to_an_extension_that_sees_every_field(counts: Counts) -> None:
    class Shouting(SchemaExtension):
        def resolve(self, _next: Any, root: Any, info: Any, *args: Any, **kwargs: Any) -> Any:
            value = _next(root, info, *args, **kwargs)
            return value.upper() if info.field_name == "code" else value

    @strawberry.type
    class Processes:
        @strawberry.field
        def all(self) -> list[Process]:
            return [Process(code="loan", owner="bank")]

    schema = strawberry.Schema(Processes, extensions=[Shouting], execution_context_class=CompilingExecutor)
    result = schema.execute_sync("{ all { code owner } }")
    assert result.data == {"all": [{"code": "LOAN", "owner": "bank"}]}
    assert counts == Counts()


def test_works_as_the_execution_context_class_of_a_strawberry_schema(counts: Counts) -> None:
    @strawberry.type
    class Processes:
        @strawberry.field
        def all(self) -> list[Process]:
            return [Process(code="loan", owner="bank")]

    schema = strawberry.Schema(Processes, execution_context_class=CompilingExecutor)
    assert schema.execute_sync("{ all { code } }").data == {"all": [{"code": "loan"}]}
    assert counts == Counts(fast=1)


def test_asks_for_every_streamed_item_when_streaming_is_on(counts: Counts) -> None:
    config = StrawberryConfig(enable_experimental_incremental_execution=True)

    @strawberry.type
    class Processes:
        @strawberry.field
        def all(self) -> list[Process]:
            return [Process(code="loan", owner="bank")]

    schema = strawberry.Schema(Processes, config=config, execution_context_class=CompilingExecutor)
    assert schema.execute_sync("{ all { code } }").data == {"all": [{"code": "loan"}]}
    assert counts == Counts()
