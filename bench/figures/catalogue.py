"""Lists all benchmarks, in the order in which they run and stand in tables."""

from collections.abc import Sequence
from importlib import import_module

from bench.figures.figure import Bench

NAMES = (
    "upgrade_all_active",
    "upgrade_postgres",
    "upgrade_by_ids",
    "reads_during_upgrade",
    "growth",
    "growth_postgres",
    "import_file",
    "import_postgres",
    "plan",
    "writes_beside",
    "rest_one_id",
    "graphql_small_query",
    "graphql_page",
    "http_server",
    "request_log",
    "subscriptions",
    "worst_requests",
    "compare_models",
    "soak.figures",
    "engines.orders",
    "engines.adapter",
    "engines.operaton",
    "engines.batch",
)
"""The modules of benchmarks, without `bench.`."""


def bench_named(name: str) -> Bench:
    found: Bench = import_module(f"bench.{name}").BENCH
    return found


def chosen(only: Sequence[str], without: Sequence[str]) -> list[str]:
    """The names that a command chose; a package stands for all in it. Raises ValueError."""
    for name in (*only, *without):
        if not any(_is_in(known, name) for known in NAMES):
            raise ValueError(f"Expected the name of a benchmark, but got {name!r}; --list shows all.")
    return [
        name
        for name in NAMES
        if (not only or any(_is_in(name, some) for some in only))
        and not any(_is_in(name, some) for some in without)
    ]


def _is_in(name: str, chosen_name: str) -> bool:
    return name == chosen_name or name.startswith(f"{chosen_name}.")
