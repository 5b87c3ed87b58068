"""Ids and times are parsed and formatted."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from tests.graphql_api.support.schema_client import ON_SQLITE, WAYS, Client, Way
from tests.graphql_api.support.schema_world import add_instances, add_process, an_instance
from uplift.graphql_api.types.scalars import parse_uuid, read_datetime, write_datetime

ID = UUID("01234567-89ab-cdef-0123-456789abcdef")


@pytest.fixture(params=ON_SQLITE)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


@pytest.mark.parametrize(
    "text",
    [
        "01234567-89ab-cdef-0123-456789abcdef",
        "01234567-89AB-CDEF-0123-456789ABCDEF",
        "0123456789abcdef0123456789abcdef",
        "{01234567-89ab-cdef-0123-456789abcdef}",
        "urn:uuid:01234567-89ab-cdef-0123-456789abcdef",
        "URN:UUID:01234567-89AB-CDEF-0123-456789ABCDEF",
    ],
)
def test_parses_an_id_in_every_common_form(text: str) -> None:
    assert parse_uuid(text) == ID


@pytest.mark.parametrize(
    "value",
    [
        "",
        "order",
        "01234567-89ab-cdef-0123-456789abcde",
        "0123-456789ab-cdef-0123-456789abcdef",
        "{01234567-89ab-cdef-0123-456789abcdef",
        "01234567_89ab_cdef_0123_456789abcdef",
        "0123456789abcdef_123456789abcdef",
        " 01234567-89ab-cdef-0123-456789abcdef",
        "01234567-89ab-cdef-0123-456789abcdef\n",
        "٠1234567-89ab-cdef-0123-456789abcdef",
        7,
        None,
        ["01234567-89ab-cdef-0123-456789abcdef"],
    ],
)
def test_refuses_what_is_not_an_id(value: object) -> None:
    with pytest.raises(GraphQLError, match="Expected a UUID, but got"):
        parse_uuid(value)


@given(st.uuids())
def test_reads_what_it_writes(value: UUID) -> None:
    assert parse_uuid(str(value)) == value


def test_writes_a_time_in_utc() -> None:
    east = timezone(timedelta(hours=3))
    assert write_datetime(datetime(2026, 3, 1, 11, 30, tzinfo=east)) == "2026-03-01T08:30:00Z"


@given(st.lists(st.datetimes(timezones=st.just(UTC)), min_size=1, max_size=5))
def test_writes_a_column_of_times_like_each_of_them(moments: list[datetime]) -> None:
    assert write_datetime.column(moments, datetime) == [write_datetime(moment) for moment in moments]


def test_writes_times_with_other_offsets_one_by_one() -> None:
    east = datetime(2026, 3, 1, 11, 30, tzinfo=timezone(timedelta(hours=3)))
    assert write_datetime.column([datetime(2026, 3, 1, tzinfo=UTC), east], datetime) is None


def test_reads_a_time_with_its_offset() -> None:
    assert read_datetime("2026-03-01T11:30:00+03:00") == datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize("value", ["", "today", "2026-03-01", "2026-03-01T11:30:00", 7, None])
def test_refuses_a_time_without_offset_and_other_values(value: object) -> None:
    with pytest.raises(GraphQLError, match="Expected a date and time"):
        read_datetime(value)


@given(st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_reads_the_time_it_writes(moment: datetime) -> None:
    assert read_datetime(write_datetime(moment)) == moment


@pytest.mark.anyio
async def test_an_id_is_read_from_a_variable_or_a_literal_and_written_in_one_way(client: Client) -> None:
    await add_process(client.store)
    await add_instances(client.store, an_instance(10))
    canonical = "00000000-0000-0000-0000-00000000000a"
    by_literal = await client.ask('{instance(id: "{00000000-0000-0000-0000-00000000000A}") {instanceId}}')
    by_variable = await client.ask(
        "query($id: UUID!) {instance(id: $id) {instanceId}}", id=canonical.replace("-", "")
    )
    assert by_literal == by_variable == {"instance": {"instanceId": canonical}}


@pytest.mark.anyio
async def test_a_bad_id_in_a_list_is_named_with_its_index(client: Client) -> None:
    error = await client.refused(
        """
        mutation($ids: [UUID!]!) {
          upgradeInstances(input: {namespace: "shop", code: "order", selection: {instanceIds: $ids}}) {
            userErrors {code}
          }
        }
        """,
        ids=["00000000-0000-0000-0000-00000000000a", "nonsense"],
    )
    assert (
        error["message"] == "Variable '$ids' has invalid value at [1]: Expected a UUID, but got 'nonsense'."
    )
