"""The scalars for ids and times."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from uplift.graphql_api.engine.leaf_columns import ColumnSerializer, decode_texts, encode_json
from uplift.web.uuids import read_uuid


def parse_uuid(value: object) -> UUID:
    """Parse a UUID as `read_uuid` does. Raises GraphQLError."""
    if isinstance(value, str):
        try:
            return read_uuid(value)
        except ValueError as error:
            raise GraphQLError(str(error)) from None
    raise GraphQLError(f"Expected a UUID, but got {_quoted(value)}.")


def read_datetime(value: object) -> datetime:
    """Parse a time with its UTC offset and convert it to UTC. Raises GraphQLError for anything else."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # a time at the end of the calendar may have no equivalent in UTC
        pass
    raise GraphQLError(f"Expected a date and time with its offset from UTC, but got {_quoted(value)}.")


class DateTimeWriter(ColumnSerializer):
    """Formats times in UTC by RFC 3339."""

    def __call__(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")

    def column(self, values: Sequence[datetime], class_: type) -> list[str] | None:
        # msgspec writes times in UTC alike.
        if class_ is not datetime or {value.tzinfo for value in values} != {UTC}:
            return None
        return decode_texts(encode_json(values))


write_datetime = DateTimeWriter()


def _quoted(value: object) -> str:
    return repr(value)[:100]


SCALARS: Mapping[object, ScalarDefinition] = MappingProxyType(
    {
        UUID: strawberry.scalar(
            name="UUID",
            description=(
                "A UUID. Results are in lower case with hyphens. Inputs may be in upper or lower case, with "
                "or without hyphens, and in braces or after `urn:uuid:`."
            ),
            specified_by_url="https://www.rfc-editor.org/rfc/rfc9562",
            serialize=str,
            parse_value=parse_uuid,
        ),
        datetime: strawberry.scalar(
            name="DateTime",
            description="A date and time by RFC 3339. Results are in UTC (`Z`). Inputs need a UTC offset.",
            specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
            serialize=write_datetime,
            parse_value=read_datetime,
        ),
    }
)
