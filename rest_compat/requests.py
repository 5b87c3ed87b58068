"""Reads the path, the origin and the caller of a request."""

from collections.abc import Mapping

from starlette.types import Scope

from uplift.domain.errors import ErrorCode, ProcessNotFound
from uplift.domain.model.access import Authenticate, Caller
from uplift.domain.model.process import ProcessKey, is_name
from uplift.domain.model.selection import UpgradeId
from uplift.rest_compat.errors import Detail, RestCode, RestError
from uplift.web.error_status import STATUS_OF
from uplift.web.origins import Origins
from uplift.web.uuids import read_uuid

UPGRADE_PATH = "/pub/v1/bpm/instance/bytemplate/{namespace}/{code}/version"
STATUS_PATH = "/pub/v1/bpm/upgrades/{upgradeId}"


def require_path(scope: Scope) -> None:
    """Raises RestError (404) for paths that the router takes by mistake.

    It decodes an encoded slash before it matches, and its patterns allow a line break at the end.
    """
    if b"%2f" in (scope.get("raw_path") or b"").lower() or scope["path"].endswith("\n"):
        raise path_not_found(scope)


def require_origin(scope: Scope, origins: Origins) -> None:
    """Raises RequestError (403) for a request of a web page that is not allowed."""
    headers = {_decoded(name): _decoded(value) for name, value in scope["headers"]}
    origins.require_allowed(headers, scheme=scope.get("scheme", "http"))


async def identify(headers: Mapping[bytes, bytes], authenticate: Authenticate) -> Caller:
    """The caller. Raises Unauthenticated."""
    authorization = headers.get(b"authorization")
    return await authenticate(None if authorization is None else _decoded(authorization))


def header_values(scope: Scope, name: bytes) -> list[str]:
    """The values of a header that may be repeated."""
    return [_decoded(value) for header, value in scope["headers"] if header == name]


def process_key_of(scope: Scope) -> ProcessKey:
    """The process in the path. Raises ProcessNotFound for a name that no process can have."""
    namespace, code = scope["path_params"]["namespace"], scope["path_params"]["code"]
    if not (is_name(namespace) and is_name(code)):
        raise ProcessNotFound(namespace=namespace, process_code=code)
    return ProcessKey(namespace=namespace, code=code)


def upgrade_id_of(scope: Scope) -> UpgradeId:
    """The upgrade in the path. Raises RestError (404) for a text that is not an id."""
    text = scope["path_params"]["upgradeId"]
    try:
        return UpgradeId(read_uuid(text))
    except ValueError:
        code = ErrorCode.UPGRADE_NOT_FOUND
        message = f"Expected to find upgrade {text[:100]!r}, but there is none."
        details = [Detail(field="upgradeId", message=message)]
        raise RestError(STATUS_OF[code], code, message, details=details) from None


def root_path_of(scope: Scope) -> str:
    """The path below which a proxy serves the gateway; empty for the root."""
    root_path: str = scope.get("root_path", "")
    return root_path


def status_path(upgrade_id: UpgradeId, root_path: str) -> str:
    """The path of the status of an upgrade, as its client sees it."""
    return root_path + STATUS_PATH.format(upgradeId=upgrade_id)


def path_not_found(scope: Scope) -> RestError:
    """The error of a path that does not exist."""
    path = _decoded(scope.get("raw_path") or b"") or scope["path"]
    expected = root_path_of(scope) + UPGRADE_PATH
    return RestError(
        404, RestCode.NOT_FOUND, f"Expected a path of exactly the form '{expected}', but got {path!r}."
    )


def _decoded(header: bytes) -> str:
    return header.decode("latin-1")
