"""Describes all settings for the command line's help and for docs/reference/settings.md.

After a change, write the page anew:

    python -m uplift.gateway.settings_reference > docs/reference/settings.md
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from uplift.gateway.limit_settings import LimitSettings
from uplift.gateway.settings import Settings, environment_variable

INTRODUCTION = """\
# Settings

Each setting is an environment variable and an option of `uplift serve`. The option wins over the variable.
`uplift worker` and `uplift demo` have options for the settings that they use; every command that opens a
database has `--database-url`. An invalid value ends the program before it opens the database.

A setting can also come from a file, so that a secret is in no environment: in the folder
`UPLIFT_SECRETS_DIR`, the file `uplift_database_url` has the value of `UPLIFT_DATABASE_URL`, and so on.
Without `UPLIFT_SECRETS_DIR` this is systemd's folder of credentials, if the service has any:
`LoadCredential=uplift_database_url:/etc/uplift/database_url`. A variable wins over a file. Programs read
files when they start.

This page is generated from `gateway/settings.py`, `gateway/limit_settings.py` and their descriptions.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingDescription:
    """One setting in text form.

    `default` is empty when the setting is unset, and `values` when every value of its type is valid.
    """

    name: str
    type: Any
    default: str
    values: str
    text: str
    is_limit: bool

    @property
    def variable(self) -> str:
        return environment_variable(self.name)

    @property
    def flags(self) -> str:
        """The option's names: two for a boolean; for a list the singular, which can be repeated."""
        flag = f"--{self.name.replace('_', '-')}"
        if self.type is bool:
            return f"{flag}/--no-{flag.removeprefix('--')}"
        return re.sub("ies$", "y", flag).removesuffix("s") if self.is_list else flag

    @property
    def metavar(self) -> str | None:
        """What the option's value is called in help; None for a flag or a choice."""
        if self.type is bool or get_origin(self.type) is Literal:
            return None
        return self.flags.rpartition("-")[2].upper()

    @property
    def is_list(self) -> bool:
        return get_origin(self.type) is tuple


def describe_settings() -> dict[str, SettingDescription]:
    """All settings by name: first those of the program, then the limits on requests."""
    descriptions = [_describe(name, field) for name, field in Settings.model_fields.items()]
    return {setting.name: setting for setting in sorted(descriptions, key=lambda setting: setting.is_limit)}


def render_reference() -> str:
    """The page docs/reference/settings.md."""
    settings = describe_settings().values()
    return "\n".join(
        (
            INTRODUCTION,
            "## Programs\n",
            *_table(setting for setting in settings if not setting.is_limit),
            "\n## Limits on requests\n",
            *_table(setting for setting in settings if setting.is_limit),
            "",
        )
    )


def _describe(name: str, field: FieldInfo) -> SettingDescription:
    return SettingDescription(
        name=name,
        type=field.annotation,
        default=_text_of_default(field.default),
        values=_text_of_values(field),
        text=f"{field.description}.",
        is_limit=name in LimitSettings.model_fields,
    )


def _text_of_default(default: Any) -> str:
    if default is None or default == ():
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def _text_of_values(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(get_args(field.annotation))
    bounds = {
        name: f"{bound:,}"
        for constraint in field.metadata
        for name in ("ge", "gt", "le")
        if (bound := getattr(constraint, name, None)) is not None
    }
    match bounds:
        case {"ge": least, "le": largest}:
            return f"{least} to {largest}"
        case {"gt": below, "le": largest}:
            return f"above {below}, up to {largest}"
        case {"ge": least}:
            return f"{least} or more"
    return ""


def _table(settings: Iterable[SettingDescription]) -> Iterable[str]:
    yield "| Variable | Option of `serve` | Default | Values | Description |"
    yield "|---|---|---|---|---|"
    for setting in settings:
        options = ", ".join(f"`{flag}`" for flag in setting.flags.split("/"))
        default = f"`{setting.default}`" if setting.default else "unset"
        text = setting.text.replace("<", r"\<")
        yield f"| `{setting.variable}` | {options} | {default} | {setting.values} | {text} |"


if __name__ == "__main__":
    sys.stdout.write(render_reference())
