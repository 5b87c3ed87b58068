"""The command `python -m bench.soak`; see the package."""

import argparse
import asyncio
import tempfile
from functools import partial
from pathlib import Path

from sqlalchemy.engine import URL

from bench.soak.soak import Report, soak
from tests.support.postgres import a_server


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description="Mixed traffic, then all laws.")
    parser.add_argument("--seconds", type=float, default=60, help="how long clients work")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1, help="what clients do, as far as it can be determined")
    parser.add_argument("--instances", type=int, default=20_000, help="how many there are at the beginning")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        report = (
            on_postgres(arguments, Path(name))
            if arguments.database == "postgres"
            else on_sqlite(arguments, Path(name))
        )
    print(f"{arguments.database}, seed {arguments.seed}, {arguments.instances:,} instances at first")
    print("\n".join(report.lines()))
    if not report.is_good:
        raise SystemExit(1)


def on_sqlite(arguments: argparse.Namespace, folder: Path) -> Report:
    return run(arguments, folder / "soak.sqlite", folder)


def on_postgres(arguments: argparse.Namespace, folder: Path) -> Report:
    with a_server() as server:
        asyncio.run(server.execute("CREATE DATABASE soak"))
        return run(arguments, server.url("soak"), folder)


def run(arguments: argparse.Namespace, database: Path | URL, folder: Path) -> Report:
    return asyncio.run(
        soak(
            database,
            folder,
            seed=arguments.seed,
            instances=arguments.instances,
            seconds=arguments.seconds,
            heavy=True,
            say=partial(print, flush=True),
        )
    )


if __name__ == "__main__":
    main()
