"""Reads ids from the command line, in the spellings that the APIs read."""

from uuid import UUID

import typer

from uplift.web.uuids import read_uuid


def parse_id(text: str) -> UUID:
    """The id of an argument or option. Raises BadParameter."""
    try:
        return read_uuid(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
