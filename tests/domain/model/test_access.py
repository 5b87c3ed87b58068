"""The permissions of roles, and the validity of API keys."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from uplift.domain import Caller, Role, require_system_admin
from uplift.domain.errors import ErrorCode, Forbidden
from uplift.domain.model.access import ApiKey
from uplift.testing.builders import ADMIN, EVENING, NOON, READER


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
