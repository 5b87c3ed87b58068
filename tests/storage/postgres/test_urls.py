"""A database URL means what psql takes it to mean, or is refused by the name of the parameter."""

import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy.engine import URL

from tests.storage.postgres.on_postgres import ask
from tests.support.postgres import the_server
from tests.support.stores import an_open_database
from uplift.domain.errors import InvalidInput, StoreUnavailable
from uplift.storage.database import Database
from uplift.storage.postgres.connect import connect, connect_options
from uplift.storage.postgres.url import read_postgres_url

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("postgres://me@db/uplift", ["postgresql://me@db/uplift"]),
        ("postgresql+asyncpg://me@db/uplift", ["postgresql://me@db/uplift"]),
        ("postgresql://db:6000/uplift", ["postgresql://db:6000/uplift"]),
        ("postgresql://a:1,b,[::1]:3/x", [f"postgresql://{at}/x" for at in ("a:1", "b:5432", "[::1]:3")]),
        ("postgresql://a,b/x?port=7", ["postgresql://a:7/x", "postgresql://b:7/x"]),
        ("postgresql:///x?host=a,b&port=1,2", ["postgresql://a:1/x", "postgresql://b:2/x"]),
        ("postgresql:///x?host=/run/db", ["postgresql:///x?host=%2Frun%2Fdb&port=5432"]),
        ("postgresql://%2Frun%2Fdb:9/x", ["postgresql:///x?host=%2Frun%2Fdb&port=9"]),
        ("postgresql://me:p%40%2f+@db/a%20b", ["postgresql://me:p%40%2F+@db/a b"]),
        ("postgresql://me@db/x?password=a+b%2B&dbname=y", ["postgresql://me:a+b+@db/y"]),
        ("postgresql:///x?user=me&host=db", ["postgresql://me@db/x"]),
        ("postgresql://db/x?ssl=true", ["postgresql://db/x?sslmode=require"]),
        ("postgresql://db/x?sslmode=disable&sslmode=prefer", ["postgresql://db/x?sslmode=prefer"]),
        ("postgresql://db/x?sslmode=", ["postgresql://db/x"]),
    ],
)
def test_the_parts_of_a_url_are_read_as_libpq_does(text: str, hosts: list[str]) -> None:
    assert list(connect_options(read_postgres_url(text)).hosts) == hosts


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ("channel_binding=require", "Expected channel_binding in the database URL to be disable or prefer"),
        ("gssencmode=require", "Expected gssencmode in the database URL to be disable or prefer"),
        ("load_balance_hosts=random", "Expected load_balance_hosts in the database URL to be disable"),
        ("client_encoding=latin1", "Expected client_encoding in the database URL to be UTF8"),
        ("sslsni=0", "Expected sslsni in the database URL to be 1"),
        ("sslcompression=1", "Expected sslcompression in the database URL to be 0"),
        ("sslmode=yes", "Expected sslmode in the database URL to be disable or allow"),
        ("sslrootcert=system&sslmode=require", "to be verify-full, because sslrootcert is system"),
        ("target_session_attrs=write", "Expected target_session_attrs in the database URL to be any"),
        ("connect_timeout=soon", "Expected connect_timeout in the database URL to be an integer"),
        ("keepalives_idle=1s", "Expected keepalives_idle in the database URL to be an integer"),
        ("service=none", "Expected to find the service of the database URL"),
        ("port=0", "to have ports from 1 to 65535"),
        ("port=1,2", "to have one port, or one for each of its 1 hosts"),
        ("user=%00", "to have a percent sign only before two hexadecimal digits other than 00"),
        ("user=%ff", "to be UTF-8"),
        ("secret", "to have parameters as name=value"),
        *(
            (f"{name}=1", f"uses? parameters that Uplift honours, but it has {name}")
            for name in (
                *("hostaddr", "require_auth", "requirepeer", "replication", "sslcrldir", "sslcertmode"),
                *("gssdelegation", "min_protocol_version", "requiressl", "statement_timeout", "database"),
            )
        ),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(parameter: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        read_postgres_url(f"postgresql://me:geheim@host/x?{parameter}")
    assert caught.value.field == ("database_url",)
    assert "geheim" not in caught.value.message


@pytest.mark.parametrize("name", ["sslrootcert", "sslcert", "sslkey", "sslcrl"])
def test_a_certificate_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"Expected {name} in the database URL to be a file"):
        Database.at(read_postgres_url(f"postgresql://db/x?{name}=/nowhere"))


def test_parameters_win_over_those_of_a_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "services"
    file.write_text(
        "# ours\n[other]\nhost=no\n[loans]\nhost=db\nport=6000\ndbname=x\nuser=me\n\n[next]\nport=1\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    url = read_postgres_url("postgresql://?service=loans&user=you")
    assert connect_options(url).hosts == ("postgresql://you@db:6000/x",)
    file.write_text("[loans]\nnonsense=1\n")
    with pytest.raises(InvalidInput, match="but it has nonsense"):
        read_postgres_url("postgresql://?service=loans")


@pytest.mark.parametrize(("seconds", "timeout"), [("3", 3), ("0", None), ("-1", None)])
def test_the_timeout_of_a_connection_is_that_of_the_url(seconds: str, timeout: int | None) -> None:
    assert connect_options(read_postgres_url(f"postgres://db/x?connect_timeout={seconds}")).timeout == timeout
    assert connect_options(read_postgres_url("postgres://db/x")).timeout == 5


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", "uplift"),
        ("fallback_application_name=a", "a"),
        ("application_name=b&fallback_application_name=a", "b"),
    ],
)
async def test_connections_have_the_name_and_the_settings_of_the_url(query: str, shown: str) -> None:
    options = quote("-c work_mem=5MB -c lock_timeout=7s")
    async with the_server().database() as url:
        text = f"{url.render_as_string()}?{query}&options={options}"
        async with an_open_database(read_postgres_url(text)) as store:
            assert await ask(store, "SHOW application_name") == shown
            assert await ask(store, "SHOW work_mem") == "5MB"
            assert await ask(store, "SHOW lock_timeout") == "7s"
            assert await ask(store, "SHOW jit") == "off"


async def test_a_folder_of_sockets_is_a_host() -> None:
    server = the_server()
    async with server.database() as url:
        text = f"postgresql://uplift@/{url.database}?host={server.folder}&port={server.port}"
        async with an_open_database(read_postgres_url(text)) as store:
            assert await ask(store, "SELECT inet_server_addr()") is None


async def test_the_first_host_that_answers_and_has_the_role_is_used() -> None:
    server = the_server()
    for role in ("any", "primary", "read-write", "prefer-standby"):
        text = f"postgres://uplift@127.0.0.1:1,127.0.0.1:{server.port}/postgres?target_session_attrs="
        connection = await connect(connect_options(read_postgres_url(f"{text}{role}")))
        assert connection.get_server_pid()
        await connection.close()
    database = Database.at(read_postgres_url(f"{text}standby"))
    with pytest.raises(StoreUnavailable, match="no host of its URL has the role"):
        await database.ping()


async def test_a_host_that_accepts_and_never_answers_does_not_use_up_the_time_of_the_next() -> None:
    server = the_server()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        hosts = f"127.0.0.1:{deaf.getsockname()[1]},127.0.0.1:{server.port}"
        url = read_postgres_url(f"postgres://uplift@{hosts}/postgres?connect_timeout=1")
        connection = await connect(connect_options(url))
        assert connection.get_server_pid()
        await connection.close()


async def test_keepalives_are_set_on_the_socket() -> None:
    """Also names the private attribute of the driver that this needs."""

    async def options_of(query: str, *names: int) -> list[int]:
        url = the_server().url().update_query_string(query)
        connection = await connect(connect_options(url))
        try:
            opened = connection._transport.get_extra_info("socket")
            alive = opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            return [alive, *(opened.getsockopt(socket.IPPROTO_TCP, name) for name in names)]
        finally:
            await connection.close()

    names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
    query = "keepalives_idle=11&keepalives_interval=12&keepalives_count=13&tcp_user_timeout=14000"
    assert await options_of(query, *names) == [1, 11, 12, 13, 14_000]
    assert await options_of("") == [1]
    assert await options_of(f"keepalives=0&{query}") == [0]


async def test_wrong_logins_are_outages_that_name_no_user(tmp_path: Path) -> None:
    for url in (the_server().url("nowhere"), the_server().url().set(username="nobody")):
        database = Database.at(url)
        with pytest.raises(StoreUnavailable) as caught:
            await database.ping()
        assert "nobody" not in caught.value.message
        assert "nowhere" not in caught.value.message
        with suppress(StoreUnavailable):
            await database.close()


def test_a_url_of_several_hosts_keeps_its_password_out_of_sight() -> None:
    url: URL = read_postgres_url("postgres://me:geheim@a,b/x")
    assert "geheim" not in str(url)
