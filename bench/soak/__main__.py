"""The command `python -m bench.soak`; see the package."""

import argparse
import asyncio
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from sqlalchemy.engine import URL

from bench.soak.soak import Report, soak
from tests.support.postgres import a_server
from tests.support.stores import DIVIDED, an_open_database, divide


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description="Mixed traffic, then all laws.")
    parser.add_argument("--seconds", type=float, default=60, help="how long clients work")
    parser.add_argument("--database", choices=("sqlite", "postgres", "buckets"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1, help="what clients do, as far as it can be determined")
    parser.add_argument("--instances", type=int, default=20_000, help="how many there are at the beginning")
    arguments = parser.parse_args()
    report = soak_on(**vars(arguments))
    print(f"{arguments.database}, seed {arguments.seed}, {arguments.instances:,} instances at first")
    print("\n".join(report.lines()))
    if not report.is_good:
        raise SystemExit(1)


def soak_on(database: str, *, seed: int, instances: int, seconds: float) -> Report:
    """Soak a new server on a new database: `sqlite`, `postgres`, or `buckets` for eight hash partitions."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        where: Path | URL = folder / "soak.sqlite"
        if database != "sqlite":
            server = stack.enter_context(a_server())
            asyncio.run(server.execute("CREATE DATABASE soak"))
            where = server.url("soak")
        if isinstance(where, URL) and database == "buckets":
            asyncio.run(_divide(where))
        say = partial(print, flush=True)
        running = soak(where, folder, seed=seed, instances=instances, seconds=seconds, heavy=True, say=say)
        return asyncio.run(running)


async def _divide(where: URL) -> None:
    async with an_open_database(where) as store:
        await divide(store.database, DIVIDED["buckets"])


if __name__ == "__main__":
    main()
