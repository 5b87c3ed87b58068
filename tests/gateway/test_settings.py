"""Settings come from environment variables and options; errors name bad ones and show no secret."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.gateway.gateway_world import error_of, output_of
from uplift.domain.errors import InvalidInput
from uplift.gateway.cli.runner import local_caller, settings_with
from uplift.gateway.settings import Settings, database_at, without_password


def test_the_defaults_serve_this_machine_from_a_file_in_the_working_directory() -> None:
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.database == Path("uplift.sqlite")
    assert settings.max_body_bytes == 8 * 1024 * 1024
    assert settings.introspection
    assert settings.allowed_origins == ()
    assert (settings.log_format, settings.log_level) == ("console", "info")
    assert (
        settings.graphql_limits().max_body_bytes == settings.rest_limits().max_body_bytes == 8 * 1024 * 1024
    )


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("UPLIFT_DATABASE_URL", "sqlite:////data/x.sqlite", "database_url", "sqlite:////data/x.sqlite"),
        ("UPLIFT_HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("UPLIFT_PORT", "9000", "port", 9000),
        ("UPLIFT_MAX_BODY_BYTES", "1000", "max_body_bytes", 1000),
        ("UPLIFT_INTROSPECTION", "false", "introspection", False),
        (
            "UPLIFT_ALLOWED_ORIGINS",
            '["https://a.example", "https://b.example"]',
            "allowed_origins",
            ("https://a.example", "https://b.example"),
        ),
        ("UPLIFT_LOG_FORMAT", "json", "log_format", "json"),
        ("UPLIFT_LOG_LEVEL", "debug", "log_level", "debug"),
    ],
)
def test_a_setting_is_an_environment_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, name: str, value: object
) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(settings_with(), name) == value


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPLIFT_PORT", "9000")
    monkeypatch.setenv("UPLIFT_HOST", "0.0.0.0")
    settings = settings_with(port=7000, host=None)
    assert (settings.port, settings.host) == (7000, "0.0.0.0")


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("UPLIFT_PORT", "eighty"),
        ("UPLIFT_PORT", "65536"),
        ("UPLIFT_PORT", "-1"),
        ("UPLIFT_PORT", ""),
        ("UPLIFT_MAX_BODY_BYTES", "999"),
        ("UPLIFT_INTROSPECTION", "perhaps"),
        ("UPLIFT_LOG_FORMAT", "xml"),
        ("UPLIFT_LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_value_is_named_and_nothing_begins(folder: Path, variable: str, text: str) -> None:
    said = error_of("serve", code=1, **{variable: text})
    name = variable.removeprefix("UPLIFT_").lower()
    assert said.startswith(f"Expected the setting {name} ({variable}) to be valid, but got {text!r}: ")
    assert list(folder.iterdir()) == []


def test_an_option_that_can_be_repeated_is_a_list() -> None:
    said = error_of("serve", "--allowed-origin", "https://a.example", "--allowed-origin", "b")
    assert "(UPLIFT_ALLOWED_ORIGINS) to be valid, but got ['https://a.example', 'b']" in said


def test_all_bad_values_are_named_at_once() -> None:
    said = error_of("serve", UPLIFT_PORT="x", UPLIFT_LOG_LEVEL="y")
    assert "(UPLIFT_PORT)" in said
    assert "(UPLIFT_LOG_LEVEL)" in said


def test_a_bad_option_is_named() -> None:
    said = error_of("serve", "--port", "65536")
    assert said.startswith("Expected the setting port (UPLIFT_PORT) to be valid, but got 65536: ")


def test_origins_must_be_a_list() -> None:
    said = error_of("serve", UPLIFT_ALLOWED_ORIGINS="https://a.example")
    assert said.startswith("Expected UPLIFT_ALLOWED_ORIGINS to be a JSON list of strings, but: ")
    assert "(UPLIFT_ALLOWED_ORIGINS)" in error_of("serve", UPLIFT_ALLOWED_ORIGINS='{"a": 1}')


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///uplift.sqlite", "uplift.sqlite"),
        ("sqlite:////var/lib/uplift.sqlite", "/var/lib/uplift.sqlite"),
        ("sqlite+aiosqlite:///a/b.db", "a/b.db"),
    ],
)
def test_an_sqlite_url_names_a_file(url: str, file: str) -> None:
    assert database_at(url) == Path(file)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///uplift.sqlite?mode=ro", "mode"),
        ("sqlite:///uplift.sqlite?cache=shared&timeout=5&uri=true", "cache, timeout, uri"),
        ("sqlite:///uplift.sqlite?x", "x"),
        ("sqlite:///uplift.sqlite?", "an empty query"),
    ],
)
def test_parameters_of_an_sqlite_url_are_refused_by_name(url: str, shown: str) -> None:
    with pytest.raises(InvalidInput, match=f"but it has {shown}"):
        database_at(url)


@pytest.mark.parametrize("url", ["sqlite://host/uplift.sqlite", "sqlite+pysqlite:///uplift.sqlite"])
def test_an_sqlite_url_with_a_host_or_another_driver_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="Expected the database URL to be sqlite:///<file>"):
        database_at(url)


def test_a_postgresql_url_names_a_database() -> None:
    url = "postgresql://me:secret@db.example:5433/uplift?sslmode=require"
    assert database_at(url) == make_url(url)


@pytest.mark.parametrize(
    ("url", "rest"), [("sqlite:///uplift.sqlite", 1), ("postgresql://me@db.example/uplift", 0)]
)
def test_a_worker_rests_between_chunks_only_where_one_locks_out_all_others(url: str, rest: int) -> None:
    chunk_policy = Settings(database_url=url, chunk_ms=70).build_worker("me").chunk_policy
    assert (chunk_policy.pause, chunk_policy.target_duration) == (
        timedelta(milliseconds=rest),
        timedelta(milliseconds=70),
    )


@pytest.mark.parametrize(
    "url", ["", "uplift.sqlite", "sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://h/db", "a://b:c/d"]
)
def test_another_url_names_none(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        database_at(url)
    assert caught.value.message == (
        "Expected the database URL to be sqlite:///<file> or postgresql://<user>@<host>/<name>, "
        f"but got {url!r}."
    )
    assert caught.value.field == ("database_url",)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:geheim@host:port/db",
        "postgresql://me:ge/heim@host/db",
        "postgresql://me:geheim@host/db?sslmode=geheim",
        "postgresql://me:geheim@host/db?password=geheim&sslpassword=heim&channel_binding=require",
        "postgresql://me:geheim@host/db?geheim",
        "postgresql://me:geheim@host/db?passfile=%zzheim",
        "postgresql://me:geheim@host/db?service=heim",
        "mysql://me:geheim@host/db",
        "mysql://me:ge@heim@host/db",
        "mysql://geheim@host:port/db",
        "mysql://host/db?password=geheim",
        "me:geheim@host",
    ],
)
def test_a_password_is_never_shown(url: str) -> None:
    for said in (
        error_of("serve", UPLIFT_DATABASE_URL=url),
        error_of("keys", "create", "ops", "--database-url", url),
        without_password(url),
    ):
        assert "geheim" not in said
        assert "heim" not in said
        assert "Expected" in said or "host" in said


@pytest.mark.parametrize("url", ["mysql://host/db?password=ge@heim", "mysql://me:ge?heim@host/db"])
def test_a_url_in_which_a_password_has_no_clear_end_is_not_shown(url: str) -> None:
    assert without_password(url) == "mysql://***"


def test_a_url_without_a_password_is_shown_as_it_is() -> None:
    assert without_password("http://127.0.0.1:8000/graphql") == "http://127.0.0.1:8000/graphql"
    assert without_password("http://me:geheim@127.0.0.1:8000") == "http://***@127.0.0.1:8000"


DATABASE = {"UPLIFT_DATABASE_URL"}


@pytest.mark.parametrize(
    ("command", "variables"),
    [
        (["serve"], {f"UPLIFT_{name.upper()}" for name in Settings.model_fields}),
        (["demo"], {f"UPLIFT_{name.upper()}" for name in Settings.model_fields} - DATABASE),
        (["import"], DATABASE),
        (["upgrade"], DATABASE | {"UPLIFT_URL", "UPLIFT_API_KEY"}),
        (["keys", "create"], DATABASE),
        (["keys", "list"], DATABASE),
        (["keys", "revoke"], DATABASE),
        (["keys", "audit"], DATABASE),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_help_names_the_environment_variables(command: list[str], variables: set[str]) -> None:
    shown = output_of(*command, "--help", COLUMNS="160", TERMINAL_WIDTH="160")
    assert {name for name in variables if name not in shown} == set()


def test_the_caller_on_the_command_line_is_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    assert local_caller().name == "cli:ada"


def test_reports_the_number_of_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)

    def getuid() -> int:
        return 2_000_000_123  # whom no machine has named

    monkeypatch.setattr("os.getuid", getuid)
    assert local_caller().name == "cli:2000000123"


def a_secret(folder: Path, name: str, text: str | bytes) -> None:
    secrets = folder / "secrets"
    secrets.mkdir(exist_ok=True)
    (secrets / name).write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize("variable", ["UPLIFT_SECRETS_DIR", "CREDENTIALS_DIRECTORY"])
def test_a_setting_can_be_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, str(folder / "secrets"))
    a_secret(folder, "uplift_database_url", "postgresql://me:geheim@db.example/uplift\n")
    a_secret(folder, "uplift_port", "9000")
    a_secret(folder, "UPLIFT_ALLOWED_ORIGINS", '["https://a.example"]')
    a_secret(folder, "unrelated", "x")
    settings = settings_with()
    assert settings.database_url == "postgresql://me:geheim@db.example/uplift"
    assert settings.port == 9000
    assert settings.allowed_origins == ("https://a.example",)


def test_a_variable_and_an_option_win_over_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPLIFT_SECRETS_DIR", str(folder / "secrets"))
    a_secret(folder, "uplift_port", "9000")
    a_secret(folder, "uplift_host", "0.0.0.0")
    monkeypatch.setenv("UPLIFT_PORT", "7000")
    settings = settings_with(host="127.0.0.2")
    assert (settings.port, settings.host) == (7000, "127.0.0.2")


def test_the_folder_that_is_named_for_secrets_comes_before_that_of_systemd(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_secret(folder, "uplift_port", "9000")
    monkeypatch.setenv("UPLIFT_SECRETS_DIR", str(folder / "secrets"))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder / "none"))
    assert settings_with().port == 9000


def test_a_folder_or_file_of_secrets_that_cannot_be_read_is_said_in_a_sentence(folder: Path) -> None:
    a_secret(folder, "uplift_port", "none")
    for named in ("nowhere", "secrets/uplift_port"):
        said = error_of("serve", UPLIFT_SECRETS_DIR=named)
        assert said == f"Expected UPLIFT_SECRETS_DIR to be a folder, but got {named!r}."
    assert error_of("serve", CREDENTIALS_DIRECTORY="no").startswith("Expected CREDENTIALS_DIRECTORY to be a ")
    said = error_of("serve", UPLIFT_SECRETS_DIR="secrets")
    assert said.startswith("Expected the setting port (UPLIFT_PORT) to be valid, but got 'none': ")
    (folder / "secrets" / "uplift_port").unlink()
    secret = folder / "secrets" / "uplift_database_url"
    secret.write_bytes(b"\xff\xfe")
    said = error_of("serve", UPLIFT_SECRETS_DIR="secrets")
    assert said.startswith("Expected UPLIFT_DATABASE_URL to be text in UTF-8, but: ")
    secret.unlink()
    secret.mkdir()
    said = error_of("serve", UPLIFT_SECRETS_DIR="secrets")
    assert said == "Expected the secret secrets/uplift_database_url to be a file, but it is none."


def test_proxies_must_be_a_list() -> None:
    said = error_of("serve", UPLIFT_TRUSTED_PROXIES="10.0.0.1")
    assert said.startswith("Expected UPLIFT_TRUSTED_PROXIES to be a JSON list of strings, but: ")
