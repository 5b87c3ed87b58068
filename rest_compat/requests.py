"""What do path, method and headers of a request say?"""

from collections.abc import Callable, Mapping
from uuid import UUID

from starlette.types import Scope

from uplift.domain.errors import ErrorCode, ProcessNotFound
from uplift.domain.model.access import Authenticate, Caller
from uplift.domain.model.process import ProcessKey, is_name
from uplift.domain.model.selection import UpgradeId
from uplift.rest_compat.body import plain_uuid
from uplift.rest_compat.errors import STATUS_OF, Detail, RequestError, RestCode

UPGRADE_PATH = "/pub/v1/bpm/instance/bytemplate/{namespace}/{code}/version"
STATUS_PATH = "/pub/v1/bpm/upgrades/{upgradeId}"


AllowsOrigin = Callable[[Mapping[str, str]], bool]
"""Tells from the headers (names in lower case) whether a request comes from no web page or an allowed one."""


def no_page(_: Mapping[str, str]) -> bool:
    """Allows no web page, whatever its origin."""
    return False


def check_path(scope: Scope) -> None:
    """Refuse what the router cannot tell from the path: an encoded slash, and a line break at the end."""
    if b"%2f" in (scope.get("raw_path") or b"").lower() or scope["path"].endswith("\n"):
        raise no_such_path(scope)


def check_method(scope: Scope, *allowed: str) -> None:
    """Refuse another method."""
    if scope["method"] not in allowed:
        raise RequestError(
            405,
            RestCode.METHOD_NOT_ALLOWED,
            f"Expected {' or '.join(allowed)}, but got {scope['method']}.",
            headers={"allow": ", ".join(allowed)},
        )


def check_origin(headers: Mapping[bytes, bytes], allows: AllowsOrigin) -> None:
    """Refuse a page of another web origin, which its browser would not let read the answer anyway."""
    origin = headers.get(b"origin")
    if origin is None or allows({name.decode("latin-1"): _decoded(value) for name, value in headers.items()}):
        return
    raise RequestError(
        403,
        RestCode.FORBIDDEN_ORIGIN,
        f"Expected a page of this server or of an allowed origin, but got '{_decoded(origin)}'.",
    )


async def caller_of(headers: Mapping[bytes, bytes], authenticate: Authenticate) -> Caller:
    """Who asks. Raises Unauthenticated."""
    return await authenticate(_text(headers.get(b"authorization")))


def values_of(scope: Scope, header: bytes) -> list[str]:
    """The values of a header, once for each time that it was sent."""
    return [value.decode("latin-1") for name, value in scope["headers"] if name == header]


def process_key(scope: Scope) -> ProcessKey:
    """The process that a path names. Raises ProcessNotFound for a name that no process can have."""
    namespace, code = scope["path_params"]["namespace"], scope["path_params"]["code"]
    if not (is_name(namespace) and is_name(code)):
        raise ProcessNotFound(namespace=namespace, process_code=code)
    return ProcessKey(namespace=namespace, code=code)


def upgrade_id(scope: Scope) -> UpgradeId:
    """The upgrade that a path names. Raises RequestError for what is no id at all."""
    given = scope["path_params"]["upgradeId"]
    plain = plain_uuid(given)
    if plain is None:
        code = ErrorCode.UPGRADE_NOT_FOUND
        message = f"Expected to find upgrade {given[:100]!r}, but there is none."
        details = [Detail(field="upgradeId", message=message)]
        raise RequestError(STATUS_OF[code], code, message, details=details)
    return UpgradeId(UUID(plain))


def path_of_status(upgrade: UpgradeId) -> str:
    """Where the status of an upgrade is found."""
    return STATUS_PATH.format(upgradeId=upgrade)


def no_such_path(scope: Scope) -> RequestError:
    """The refusal of a path that does not exist."""
    sent = _text(scope.get("raw_path")) or scope["path"]
    return RequestError(
        404, RestCode.NOT_FOUND, f"Expected a path like '{UPGRADE_PATH}' to the letter, but got {sent!r}."
    )


def _text(header: bytes | None) -> str | None:
    return None if header is None else _decoded(header)


def _decoded(header: bytes) -> str:
    return header.decode("latin-1")
