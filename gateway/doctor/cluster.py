"""Examines a database that is distributed by Citus."""

from uplift.gateway.doctor.result import Health, Result
from uplift.storage.citus.examination import count_stale_transactions, find_problems
from uplift.storage.citus.nodes import find_nodes, find_version
from uplift.storage.database import Database
from uplift.storage.sql.buckets import LayoutEngine

PART = "cluster"


async def examine_cluster(database: Database) -> list[Result]:
    """All that is wrong with the cluster of a database with the newest schema; nothing if it is not one."""
    await database.read_layout()
    if database.layout.engine is not LayoutEngine.CITUS:
        return []
    async with database.reading() as connection:
        if problems := await find_problems(connection):
            return [
                Result(part=PART, health=Health.ERROR, found=_sentence(problem.found), advice=problem.advice)
                for problem in problems
            ]
        version = ".".join(map(str, await find_version(connection) or ()))
        workers = sum(node.has_shards for node in await find_nodes(connection))
        stale = await count_stale_transactions(connection)
    found = f"Citus {version}, {len(database.layout.buckets):,} shards on {workers:,} nodes."
    if not stale:
        return [Result(part=PART, health=Health.OK, found=f"{found} It commits in two phases.")]
    return [
        Result(
            part=PART,
            health=Health.WARNING,
            found=f"{found} Prepared transactions older than five minutes, whose locks hold: {stale:,}.",
            advice="The maintenance worker of Citus should have ended them: see the log of the coordinator, "
            "and raise max_worker_processes.",
        )
    ]


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."
