"""Times a page of 1,000 instances with 8 fields, against strawberry's own endpoint and `json.dumps`.

Only the execution is timed, without parsing, validation and encoding; `json.dumps` encodes the very data that
came out. The schema has the scalars of Uplift, and garbage is collected as rarely as in a server. They take
turns; in each round the best run of each counts. Run: python -m bench.graphql_page [rows] [rounds] [runs]
"""

import json
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any

import strawberry
from graphql import DocumentNode, GraphQLSchema, parse
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_most, compared
from uplift.gateway.memory import collect_rarely
from uplift.graphql_api.engine.column_executor import CompilingExecutor
from uplift.graphql_api.types.scalars import SCALARS

FIELDS = "id status version createdAt namespace code waitingAt updatedAt"
QUERIES = {
    "nodes": f"{{ page {{ nodes {{ {FIELDS} }} }} }}",
    "edges": f"{{ page {{ edges {{ cursor node {{ {FIELDS} }} }} }} }}",
}


@strawberry.enum
class Status(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"


@strawberry.interface
class Node:
    id: uuid.UUID


@strawberry.type
class Instance(Node):
    status: Status
    version: int
    created_at: datetime
    namespace: str
    code: str
    waiting_at: list[str]
    updated_at: datetime | None


@strawberry.type
class Edge:
    cursor: str
    node: Instance


@strawberry.type
class Connection:
    edges: list[Edge]

    @strawberry.field
    def nodes(self) -> list[Instance]:
        return [edge.node for edge in self.edges]


def an_instance(number: int) -> Instance:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    return Instance(
        id=uuid.UUID(int=number),
        status=list(Status)[number % 3],
        version=number % 5,
        created_at=moment,
        namespace="bank",
        code="loan",
        waiting_at=[f"task_{number % 7}", "gate"],
        updated_at=moment if number % 2 else None,
    )


def a_page(rows: int) -> Connection:
    return Connection(edges=[Edge(cursor=str(number), node=an_instance(number)) for number in range(rows)])


def schema_of(connection: Connection) -> GraphQLSchema:
    """A schema whose only field returns these rows."""

    @strawberry.type
    class Query:
        @strawberry.field
        def page(self) -> Connection:
            return connection

    return strawberry.Schema(Query, config=StrawberryConfig(scalar_map=SCALARS))._schema


def best_of_each(works: Sequence[Callable[[], Any]], runs: int) -> list[float]:
    """The shortest of many runs of each, in milliseconds. They take turns."""
    best = [float("inf")] * len(works)
    for _ in range(runs):
        for place, work in enumerate(works):
            start = time.perf_counter()
            work()
            best[place] = min(best[place], (time.perf_counter() - start) * 1_000)
    return best


def execute(schema: GraphQLSchema, document: DocumentNode, executor: Any) -> Any:
    return executor.build(schema, document).execute_operation().data


def measure(rows: int, rounds: int, runs: int) -> list[Figure]:
    schema, figures = schema_of(a_page(rows)), list[Figure]()
    collect_rarely()
    for name, query in QUERIES.items():
        document = parse(query)
        data = execute(schema, document, CompilingExecutor)
        assert data == execute(schema, document, StrawberryGraphQLCoreExecutionContext)
        works = (
            partial(json.dumps, data),
            partial(execute, schema, document, CompilingExecutor),
            partial(execute, schema, document, StrawberryGraphQLCoreExecutionContext),
        )
        dumps, ours, stock = zip(*(best_of_each(works, runs) for _ in range(rounds)), strict=True)
        figures += [
            compared(name, ours, dumps, unit="ms", beside="json.dumps", target=TARGETS[name]),
            compared(f"{name}, beside strawberry", ours, stock, unit="ms", beside="stock strawberry"),
        ]
    return figures


TARGETS = {name: at_most(name, 1.5) for name in QUERIES}
BENCH = Bench(
    compares="execution of a page of 1,000 instances with 8 fields, beside `json.dumps` of the same data",
    sizes={"rows": (1_000, 50), "rounds": (5, 1), "runs": (15, 3)},
    targets=tuple(TARGETS.values()),
    measure=measure,
)

if __name__ == "__main__":
    run_alone(BENCH)
