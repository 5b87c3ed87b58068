"""Who may ask for what."""

import pytest

from domain import Caller, Role, require_system_admin
from domain.errors import ErrorCode, Forbidden
from tests.support.builders import ADMIN, READER


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
