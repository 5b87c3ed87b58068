"""The permissions of roles, and the validity of API keys."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from uplift.domain import Caller, Role, require_system_admin
from uplift.domain.errors import ErrorCode, Forbidden, InvalidInput
from uplift.domain.model.access import MAX_NAMESPACES, ApiKey, scope_of
from uplift.testing.builders import ADMIN, EVENING, NOON, ORDERS, READER


def test_a_system_administrator_may_change_things() -> None:
    require_system_admin(ADMIN)


def test_a_reader_may_not() -> None:
    with pytest.raises(Forbidden) as refused:
        require_system_admin(READER)
    assert refused.value.code is ErrorCode.FORBIDDEN
    assert refused.value.message == (
        "Expected a system administrator, but the key 'reader' has the role 'reader'."
    )


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM_ADMIN])
def test_no_role_but_one_may_change_things(role: Role) -> None:
    with pytest.raises(Forbidden):
        require_system_admin(Caller(name="someone", role=role))


def test_a_key_is_valid_until_it_expires_or_is_revoked() -> None:
    key = ApiKey(id=uuid4(), name="ci", role=Role.READER, created_at=NOON)
    assert key.is_valid(EVENING)
    expiring = replace(key, expires_at=EVENING)
    assert expiring.is_valid(EVENING - timedelta(microseconds=1))
    assert not expiring.is_valid(EVENING)
    for revoked in (replace(key, revoked_at=NOON), replace(expiring, revoked_at=NOON)):
        assert not revoked.is_valid(NOON)


def test_a_scope_has_names_of_namespaces() -> None:
    assert scope_of([]) is None
    assert scope_of(["crm", "hr", "crm"]) == frozenset({"crm", "hr"})
    many = [f"n{number}" for number in range(MAX_NAMESPACES)]
    assert scope_of([*many, *many]) == frozenset(many)


@pytest.mark.parametrize(
    ("namespaces", "message"),
    [
        ([""], "Expected each namespace to be 1 to 200 printable characters .* but got ''"),
        (["crm", "a/b"], "Expected each namespace to be .* but got 'a/b'"),
        (["x" * 201], "Expected each namespace to be .* but got 'x{200}'"),
        ([f"n{number}" for number in range(101)], "Expected at most 100 namespaces, but got 101"),
    ],
)
def test_another_scope_is_refused(namespaces: list[str], message: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{message}") as refused:
        scope_of(namespaces)
    assert refused.value.field == ("namespaces",)


def test_a_caller_sees_the_processes_in_its_scope() -> None:
    assert READER.may_see(ORDERS)
    assert replace(READER, namespaces=frozenset({"crm", "hr"})).may_see(ORDERS)
    assert not replace(READER, namespaces=frozenset({"CRM", "cr"})).may_see(ORDERS)


def test_the_caller_of_a_key_has_its_name_role_and_scope() -> None:
    scope = frozenset({"crm"})
    key = ApiKey(id=uuid4(), name="ci", role=Role.SYSTEM_ADMIN, created_at=NOON, namespaces=scope)
    assert key.caller == Caller(name="ci", role=Role.SYSTEM_ADMIN, namespaces=scope)
