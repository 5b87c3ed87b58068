"""Defines column types for values of the domain, native on PostgreSQL and compact on SQLite."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Dialect,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeDecorator, TypeEngine

Kind = TypeVar("Kind", bound=StrEnum)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Bytes(LargeBinary):
    """Bytes that SQLite gets as they are. SQLAlchemy would put each into a memoryview, which is larger."""

    def bind_processor(self, dialect: Dialect) -> Any:
        return None if dialect.name == "sqlite" else super().bind_processor(dialect)  # type: ignore[no-untyped-call]


class CompactUuid(TypeDecorator[UUID]):
    """A UUID as 16 bytes. Its text would take 36 bytes in the table and again in each index."""

    impl = Bytes(16)
    cache_ok = True

    def process_bind_param(self, value: UUID | None, _: Dialect) -> bytes | None:
        return None if value is None else value.bytes

    def process_result_value(self, value: bytes | None, _: Dialect) -> UUID | None:
        return None if value is None else UUID(bytes=value)


class PackedUuids(TypeDecorator[Sequence[UUID]]):
    """A list of UUIDs as one value, the concatenation of their bytes."""

    impl = Bytes
    cache_ok = True

    def process_bind_param(self, value: Sequence[UUID] | None, _: Dialect) -> bytes | None:
        return None if value is None else b"".join(uuid.bytes for uuid in value)


class PackedDigests(TypeDecorator[Sequence[bytes]]):
    """A list of digests of 16 bytes as one value, their concatenation."""

    impl = Bytes
    cache_ok = True

    def process_bind_param(self, value: Sequence[bytes] | None, _: Dialect) -> bytes | None:
        return None if value is None else b"".join(value)


class NumbersAsJson(TypeDecorator[Sequence[int]]):
    """A list of numbers as one value, for SQLite's `json_each`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[int] | None, _: Dialect) -> str | None:
        return None if value is None else json.dumps(value)


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC as microseconds since 1970, because SQLite has no type for it."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Dialect) -> int | None:
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, _: Dialect) -> datetime | None:
        return None if value is None else EPOCH + value * MICROSECOND


class Duration(TypeDecorator[timedelta]):
    """A span of time in microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, _: Dialect) -> int | None:
        return None if value is None else value // MICROSECOND

    def process_result_value(self, value: int | None, _: Dialect) -> timedelta | None:
        return None if value is None else value * MICROSECOND


class CodedEnum(TypeDecorator[Kind], Generic[Kind]):
    """A member of an enum as its place in `members`, from 1. Never reorder the members, only append."""

    impl = SmallInteger
    cache_ok = True

    def __init__(self, *members: Kind) -> None:
        super().__init__()
        self.members = members
        self._codes = {member: code for code, member in enumerate(members, start=1)}

    def process_bind_param(self, value: Kind | None, _: Dialect) -> int | None:
        return None if value is None else self._codes[value]

    def process_result_value(self, value: int | None, _: Dialect) -> Kind | None:
        return None if value is None else self.members[value - 1]


ID: TypeEngine[UUID] = CompactUuid().with_variant(Uuid(), "postgresql")
IDS: TypeEngine[Sequence[UUID]] = PackedUuids().with_variant(ARRAY(Uuid()), "postgresql")
DIGESTS: TypeEngine[Sequence[bytes]] = PackedDigests().with_variant(ARRAY(Bytes()), "postgresql")
NUMBERS: TypeEngine[Sequence[int]] = NumbersAsJson().with_variant(ARRAY(Integer()), "postgresql")
LONGS: TypeEngine[Sequence[int]] = NumbersAsJson().with_variant(ARRAY(BigInteger()), "postgresql")
TIME: TypeEngine[datetime] = UtcTime().with_variant(TIMESTAMP(timezone=True), "postgresql")
LONG: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
"""The ids of instances. SQLite's INTEGER has 64 bits, and only that type name makes an alias of the rowid."""
NAME: TypeEngine[str] = String().with_variant(String(collation="C"), "postgresql")
"""A text that lists are sorted by. The order is that of Unicode on both databases, not that of a locale."""
