"""Command-line options that several commands share. Options for settings derive from `Settings`."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from uplift.gateway.cli.runner import settings_with
from uplift.gateway.settings import Settings
from uplift.gateway.settings_reference import describe_settings

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
        run_command.__signature__ = Signature(  # type: ignore[attr-defined]
            [*(parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in own), *derived]
        )
        return run_command

    return decorate


def _annotation(name: str) -> Any:
    setting = SETTINGS[name]
    return Annotated[list[str] | None if setting.is_list else setting.type | None, setting_option(name)]
