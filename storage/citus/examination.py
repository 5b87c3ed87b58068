"""Examines whether a cluster of Citus keeps what Uplift relies on, and refuses one that does not.

Two things are never seen in an error. Citus commits on a worker first: a crash of the coordinator then breaks
a transaction in two, unless Citus knows the tables of the coordinator, and so commits in two phases. And a
worker does not know the lock timeout of a session, so a transaction would wait there without an end.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from uplift.storage.citus.nodes import TableKinds, find_kinds, find_nodes, find_version, on_all_nodes
from uplift.storage.sql.buckets import BUCKETED
from uplift.storage.sql.connection import Connection

MIN_VERSION: Final = (12,)
"""The first version of Citus that may be used; 13.2 was tried."""
REPAIR = "Stop all gateways and workers, and run 'uplift db distribute --yes', which repairs it."
SETTINGS = (
    "SELECT concat_ws('|', current_setting('lock_timeout'), current_setting('max_prepared_transactions'), "
    "current_setting('lc_messages'))"
)
MODIFY_MODE = "SELECT current_setting('citus.multi_shard_modify_mode', true)"
SEQUENTIAL = "sequential"
ENGLISH = ("C", "POSIX", "en")
"""The beginnings of the locales in which messages are English."""
STALE_TRANSACTIONS = "SELECT count(*) FROM pg_prepared_xacts WHERE prepared < now() - interval '5 minutes'"


class Problem(NamedTuple):
    """What is wrong with a cluster, as a clause, and what to do about it, as a sentence."""

    found: str
    advice: str


class UnsafeCluster(Exception):
    """A cluster of Citus on which a crash or a lock could break what Uplift promises; nothing was written."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        advice = dict.fromkeys(problem.advice for problem in problems)
        found = "; ".join(problem.found for problem in problems)
        self.message = f"Expected a safe cluster of Citus, but {found}. {' '.join(advice)}"
        super().__init__(self.message)


async def require_safe(connection: Connection) -> None:
    """Raise UnsafeCluster if something is wrong, and StoreUnavailable if a node does not answer."""
    if problems := await find_problems(connection):
        raise UnsafeCluster(problems)


async def find_problems(connection: Connection) -> tuple[Problem, ...]:
    """All that is wrong with the cluster. Raises StoreUnavailable if a node does not answer."""
    version = await find_version(connection)
    if version is None or version < MIN_VERSION:
        found = "it has no Citus" if version is None else f"it has Citus {'.'.join(map(str, version))}"
        return (
            Problem(
                found,
                f"Install Citus {MIN_VERSION[0]} or newer on all nodes, and run CREATE EXTENSION citus or "
                "ALTER EXTENSION citus UPDATE.",
            ),
        )
    if not any(node.has_shards for node in await find_nodes(connection)):
        return (Problem("no node may have shards", "Add the workers: SELECT citus_add_node('HOST', 5432)."),)
    return (
        *_problems_of_tables(await find_kinds(connection)),
        *_problems_of_settings(await on_all_nodes(connection, SETTINGS)),
        *_problems_of_session((await connection.exec_driver_sql(MODIFY_MODE)).scalar_one()),
    )


async def count_stale_transactions(connection: Connection) -> int:
    """The prepared transactions that Citus should have ended, on all nodes. Their locks hold."""
    return sum(map(int, await on_all_nodes(connection, STALE_TRANSACTIONS)))


def _problems_of_tables(kinds: TableKinds) -> Iterator[Problem]:
    bucketed = frozenset(BUCKETED)
    if missing := bucketed - kinds.distributed:
        yield Problem(f"{_names(missing)} not distributed", REPAIR)
    if kinds.unknown - bucketed:
        yield Problem(
            f"{_names(kinds.unknown - bucketed)} not known to Citus, so that a crash of the coordinator "
            "could break a transaction in two",
            REPAIR,
        )
    if wrong := kinds.reference | (kinds.distributed - bucketed):
        yield Problem(
            f"{_names(wrong)} not local to the coordinator, and Citus locks a reference table as a whole",
            REPAIR,
        )


def _problems_of_settings(nodes: Sequence[str]) -> Iterator[Problem]:
    settings = [node.split("|") for node in nodes]
    if any(lock_timeout == "0" for lock_timeout, _, _ in settings):
        yield Problem(
            "a node lets transactions wait for a lock without an end: its lock_timeout is 0", REPAIR
        )
    if any(prepared == "0" for _, prepared, _ in settings):
        yield Problem(
            "a node cannot commit in two phases: its max_prepared_transactions is 0",
            "Set max_prepared_transactions on all nodes as high as max_connections, and restart them.",
        )
    if any(language and not language.startswith(ENGLISH) for _, _, language in settings):
        yield Problem(
            "a node has other messages than English ones, in which Uplift would not recognise an outage",
            "Set lc_messages to 'C' on all nodes.",
        )


def _problems_of_session(modify_mode: str | None) -> Iterator[Problem]:
    if modify_mode != SEQUENTIAL:
        yield Problem(
            f"citus.multi_shard_modify_mode is not {SEQUENTIAL}, so that Citus refuses to write to several "
            "shards and then to one of them",
            REPAIR,
        )


def _names(tables: Collection[str]) -> str:
    names = sorted(tables)
    return f"the table {names[0]} is" if len(names) == 1 else f"the tables {', '.join(names)} are"
