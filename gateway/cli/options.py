"""Command-line options that several commands share. Options for settings derive from `Settings`."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, Concatenate, ParamSpec
from uuid import UUID

import typer

from uplift.domain.errors import InvalidInput
from uplift.domain.model.process import ProcessKey
from uplift.gateway.cli.runner import settings_with
from uplift.gateway.settings import Settings
from uplift.gateway.settings_reference import describe_settings
from uplift.web.uuids import read_uuid

SETTINGS = describe_settings()
P = ParamSpec("P")


def setting_option(name: str) -> Any:
    """The option for a setting. Its help shows the default and the environment variable."""
    setting = SETTINGS[name]
    default = f" \\[default: {setting.default}]" if setting.default else ""
    return typer.Option(
        setting.flags,
        metavar=setting.metavar,
        help=f"{setting.text}{default} \\[env var: {setting.variable}]",
        rich_help_panel="Limits on requests" if setting.is_limit else None,
        show_default=False,
    )


DatabaseUrl = Annotated[str | None, setting_option("database_url")]
GatewayUrl = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", envvar="UPLIFT_URL", help="Call this gateway instead of a database."
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option("--api-key", metavar="KEY", envvar="UPLIFT_API_KEY", help="The API key for the gateway."),
]


def parse_id(text: str) -> UUID:
    """Parse an id in any form that the APIs accept. Raises BadParameter."""
    try:
        return read_uuid(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def parse_process(name: str) -> ProcessKey:
    """Parse the name of a process, NAMESPACE/CODE. Raises InvalidInput."""
    namespace, slash, code = name.partition("/")
    if not slash or not namespace or not code:
        raise InvalidInput(f"Expected the process as NAMESPACE/CODE, but got {name!r}.")
    return ProcessKey(namespace=namespace, code=code)


def with_settings(*names: str) -> Callable[[Callable[Concatenate[Settings, P], None]], Callable[..., None]]:
    """Gives a command an option for each named setting, and passes it the resulting `Settings` first."""

    def decorate(command: Callable[Concatenate[Settings, P], None]) -> Callable[..., None]:
        @wraps(command)
        def run_command(**options: Any) -> None:
            settings = settings_with(**{name: options.pop(name) for name in names})
            command(settings, **options)  # type: ignore[call-arg]  # typer passes the parameters of the command

        _, *own = signature(command).parameters.values()
        derived = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(name))
            for name in names
        ]
        # typer reads the options of a command from its signature.
        run_command.__signature__ = Signature(  # type: ignore[attr-defined]  # of a function
            [*(parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in own), *derived]
        )
        return run_command

    return decorate


def _annotation(name: str) -> Any:
    setting = SETTINGS[name]
    return Annotated[list[str] | None if setting.is_list else setting.type | None, setting_option(name)]
