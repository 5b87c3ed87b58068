"""Where in a web application is the legacy REST path, and how is a request to it answered?

app = Starlette(routes=[*rest_routes(store, authenticate), ...])
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from domain.access import Authenticate, require_system_admin
from domain.errors import ProcessNotFound, UpliftError
from domain.paging import Page, PageRequest
from domain.ports import OutcomeFilter, Store
from domain.process import ProcessKey, is_name
from domain.publishing import get_process
from domain.selection import Selection, SelectionKind
from domain.upgrade import Outcome, OutcomeKind, Upgrade
from domain.upgrading import upgrade_instances
from rest_compat.openapi import openapi_document
from rest_compat.refusals import RefusedRequest, RestCode, refusal_of
from rest_compat.replies import json_response, refusal_response, upgrade_response
from rest_compat.request_body import RestLimits, read_body
from rest_compat.selecting import selection_of

__all__ = ["RestLimits", "rest_routes"]

UPGRADE_PATH = "/pub/v1/bpm/instance/bytemplate/{namespace}/{code}/version"
MAX_LISTED = 1_000
"""Most instances that one reply lists (REST.md)."""

_NOTHING: Page[Outcome] = Page(items=(), keys=(), has_next=False)

Answer = Callable[[Scope, Receive], Awaitable[Response]]


def rest_routes(
    store: Store, authenticate: Authenticate, limits: RestLimits | None = None
) -> list[BaseRoute]:
    """The routes of the legacy REST path, of its document, and of a 404 for all else below `/pub`."""
    upgrading = _Upgrading(store, authenticate, limits or RestLimits())
    return [
        Route(UPGRADE_PATH, _Endpoint(upgrading.answer)),
        Route("/openapi.json", _Endpoint(_serving(openapi_document()))),
        # Without these Starlette would redirect a trailing slash, which makes another path here (REST.md).
        Route("/pub/{rest:path}", _Endpoint(_not_found)),
        Route("//pub/{rest:path}", _Endpoint(_not_found)),
    ]


class _Endpoint:
    """An ASGI application that says everything that goes wrong in the error form of this API."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(scope, receive)
        except Exception as error:
            response = refusal_response(refusal_of(error))
        await response(scope, receive, send)


class _Upgrading:
    """Upgrades the instances of a process that the body of a request selects.

    What is wrong is told in this order: the path and method, who asks (401, 403), the process (404), the form
    of the body (415, 413), and its content (400). Nothing is read of the body before it is known who asks.
    """

    def __init__(self, store: Store, authenticate: Authenticate, limits: RestLimits) -> None:
        self._store = store
        self._authenticate = authenticate
        self._limits = limits

    async def answer(self, scope: Scope, receive: Receive) -> Response:
        _check_path(scope)
        _check_method(scope, "POST")
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        caller = await self._authenticate(_text(headers.get(b"authorization")))
        require_system_admin(caller)
        process = _process_key(scope["path_params"])
        upgrade = await upgrade_instances(
            self._store,
            process=process,
            selection=await self._selection(process, headers, receive),
            caller=caller,
        )
        return upgrade_response(upgrade, await self._listed(upgrade))

    async def _selection(
        self, process: ProcessKey, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Selection:
        try:
            return selection_of(await read_body(headers, receive, self._limits))
        except (RefusedRequest, UpliftError):
            # A good request learns from its upgrade whether the process exists, with one question less.
            await get_process(self._store, process)
            raise

    async def _listed(self, upgrade: Upgrade) -> Page[Outcome]:
        """The outcomes that a reply lists: of all ids asked for, or of those skipped among all active."""
        if upgrade.selection is SelectionKind.BY_IDS:
            which = OutcomeFilter()
        elif upgrade.skipped:
            which = OutcomeFilter(kind=OutcomeKind.SKIPPED)
        else:
            return _NOTHING
        pages = await self._store.outcome_pages([upgrade.id], which, PageRequest(first=MAX_LISTED))
        return pages[upgrade.id]


def _serving(document: bytes) -> Answer:
    """Shows a document of JSON to anybody."""

    async def answer(scope: Scope, _: Receive) -> Response:
        _check_method(scope, "GET", "HEAD")
        return json_response(document, status=200)

    return answer


async def _not_found(scope: Scope, _: Receive) -> Response:
    raise _no_such_path(scope)


def _check_path(scope: Scope) -> None:
    """Refuse what the router cannot tell from the path: an encoded slash, and a line break at the end."""
    if b"%2f" in (scope.get("raw_path") or b"").lower() or scope["path"].endswith("\n"):
        raise _no_such_path(scope)


def _check_method(scope: Scope, *allowed: str) -> None:
    if scope["method"] not in allowed:
        raise RefusedRequest(
            405,
            RestCode.METHOD_NOT_ALLOWED,
            f"Expected {' or '.join(allowed)}, but got {scope['method']}.",
            headers={"allow": ", ".join(allowed)},
        )


def _process_key(path_params: Mapping[str, str]) -> ProcessKey:
    """The process that a path names. Raises ProcessNotFound for a name that no process can have."""
    namespace, code = path_params["namespace"], path_params["code"]
    if not (is_name(namespace) and is_name(code)):
        raise ProcessNotFound(namespace=namespace, process_code=code)
    return ProcessKey(namespace=namespace, code=code)


def _no_such_path(scope: Scope) -> RefusedRequest:
    sent = _text(scope.get("raw_path")) or scope["path"]
    return RefusedRequest(
        404,
        RestCode.NOT_FOUND,
        f"Expected a path like '{UPGRADE_PATH}' to the letter, but got {sent!r}.",
    )


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")
