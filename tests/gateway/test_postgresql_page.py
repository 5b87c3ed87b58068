"""docs/how-to/postgresql.md: the database is created, served and backed up by its commands."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

from tests.support.postgres import the_server, tool
from tests.support.project import DOCS
from tests.support.reader import Reader

NAME = "uplift_of_the_page"


def test_the_commands_of_the_page_serve_a_database(tmp_path: Path) -> None:
    server = the_server()
    at = server.url(NAME)
    (tmp_path / "uplift_database_url").write_text(f"postgresql://{NAME}@{at.host}:{at.port}/{NAME}")
    with ExitStack() as programs:
        programs.callback(lambda: asyncio.run(drop()))
        reader = Reader(
            tmp_path,
            programs,
            PGHOST=str(at.host),
            PGPORT=str(at.port),
            PGUSER=str(at.username),
            PGDATABASE="postgres",
            UPLIFT_SECRETS_DIR=str(tmp_path),
        )
        reader.variables["PATH"] = (
            f"{tool('psql').parent}:{tool('pg_dump').parent}:{reader.variables['PATH']}"
        )
        reader.replaced |= {
            "ROLE uplift": f"ROLE {NAME}",
            "DATABASE uplift OWNER uplift": f"DATABASE {NAME} OWNER {NAME}",
        }
        reader.follow((DOCS / "how-to" / "postgresql.md").read_text(encoding="utf-8"))
        assert reader.variables["UPLIFT_API_KEY"].startswith("uplift_")
    assert (tmp_path / "uplift.dump").stat().st_size > 0


async def drop() -> None:
    """Leave the server as it was."""
    await the_server().execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
    await the_server().execute(f"DROP ROLE IF EXISTS {NAME}")
