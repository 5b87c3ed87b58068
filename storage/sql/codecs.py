"""Encodes values of the domain as JSON for one column, and decodes them."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from uplift.domain.bounded_cache import BoundedCache
from uplift.domain.compatibility import Code, Finding
from uplift.domain.model.access import Namespaces
from uplift.domain.model.conditions import Conditions
from uplift.domain.model.decision import ReasonCode, SkipReason
from uplift.domain.model.instance import ElementId, Status
from uplift.domain.model.link import Credentials, CredentialScheme, SecretPlace, TokenEndpoint, Webhook
from uplift.domain.model.mapping import MappingInstruction, VersionMapping
from uplift.domain.model.process import VersionNumber

_REASONS = BoundedCache[str, tuple[SkipReason, ...]](4 * 2**20)
"""Decoded reasons. With their findings they take about eight bytes for each character of the JSON text."""


def encode_reasons(reasons: Sequence[SkipReason]) -> str:
    """The reasons of a decision as JSON."""
    return _json(
        [[reason.code, reason.message, [_finding(found) for found in reason.findings]] for reason in reasons]
    )


def decode_reasons(stored: str) -> tuple[SkipReason, ...]:
    """The reasons of a decision. Cached, because thousands of outcomes share a few decisions."""
    reasons = _REASONS.get(stored)
    if reasons is None:
        reasons = tuple(
            SkipReason(code=ReasonCode(code), message=message, findings=tuple(map(_finding_of, findings)))
            for code, message, findings in json.loads(stored)
        )
        _REASONS.put(stored, reasons, 500 + 8 * len(stored))
    return reasons


def encode_findings(findings: Sequence[Finding]) -> str:
    """The warnings of a decision as JSON."""
    return _json([_finding(finding) for finding in findings])


def decode_findings(stored: str) -> tuple[Finding, ...]:
    """The warnings of a decision."""
    return tuple(map(_finding_of, json.loads(stored)))


def encode_mappings(mappings: Sequence[VersionMapping]) -> str:
    """The mapping instructions of an upgrade as JSON."""
    return _json(
        [
            [mapping.from_version, [[pair.source, pair.target] for pair in mapping.instructions]]
            for mapping in mappings
        ]
    )


def decode_mappings(stored: str) -> tuple[VersionMapping, ...]:
    """The mapping instructions of an upgrade."""
    return tuple(
        VersionMapping(
            from_version=VersionNumber(version),
            instructions=tuple(
                MappingInstruction(source=ElementId(source), target=ElementId(target))
                for source, target in pairs
            ),
        )
        for version, pairs in json.loads(stored)
    )


def encode_conditions(conditions: Conditions | None) -> str | None:
    """The conditions of a selection as JSON."""
    return None if conditions is None else _json(conditions.plain())


def decode_conditions(stored: str | None) -> Conditions | None:
    """The conditions of a selection."""
    if stored is None:
        return None
    versions, elements, statuses, limit = json.loads(stored)
    return Conditions(
        versions=None if versions is None else tuple(map(VersionNumber, versions)),
        elements=None if elements is None else tuple(map(ElementId, elements)),
        statuses=None if statuses is None else tuple(map(Status, statuses)),
        limit=limit,
    )


def encode_refusals(refusals: Mapping[ReasonCode, int]) -> str | None:
    """The counts of refused orders as JSON; None if there is none."""
    return _json(refusals) if refusals else None


def decode_refusals(stored: str | None) -> Mapping[ReasonCode, int]:
    """The counts of refused orders by reason."""
    return {} if stored is None else {ReasonCode(code): count for code, count in json.loads(stored).items()}


def encode_credentials(credentials: Credentials | None) -> str | None:
    """Where a secret is read, as JSON."""
    if credentials is None:
        return None
    endpoint = credentials.token_endpoint
    tokens = None if endpoint is None else [endpoint.url, endpoint.audience, endpoint.scope]
    return _json([credentials.scheme, credentials.user, credentials.environment, credentials.file, tokens])


def decode_credentials(stored: str | None) -> Credentials | None:
    """Where a secret is read."""
    if stored is None:
        return None
    scheme, user, environment, file, tokens = json.loads(stored)
    endpoint = None
    if tokens is not None:
        url, audience, scope = tokens
        endpoint = TokenEndpoint(url=url, audience=audience, scope=scope)
    return Credentials(
        scheme=CredentialScheme(scheme),
        user=user,
        environment=environment,
        file=file,
        token_endpoint=endpoint,
    )


def encode_webhook(webhook: Webhook | None) -> str | None:
    """A webhook as JSON: its URL, and the variable and file of each secret."""
    if webhook is None:
        return None
    places = (webhook.secret, webhook.old_secret)
    return _json([webhook.url, *([place.environment, place.file] for place in places if place)])


def decode_webhook(stored: str | None) -> Webhook | None:
    """The webhook of a link."""
    if stored is None:
        return None
    url, *places = json.loads(stored)
    secret, *old = (SecretPlace(environment=environment, file=file) for environment, file in places)
    return Webhook(url=url, secret=secret, old_secret=old[0] if old else None)


def encode_namespaces(namespaces: Namespaces | None) -> str | None:
    """The scope of an API key as JSON; None for all namespaces."""
    return None if namespaces is None else _json(sorted(namespaces))


def decode_namespaces(stored: str | None) -> Namespaces | None:
    """The scope of an API key."""
    return None if stored is None else frozenset(json.loads(stored))


def _finding(finding: Finding) -> list[str | None]:
    return [finding.code, finding.source, finding.target, finding.name, finding.message]


def _finding_of(kept: Sequence[Any]) -> Finding:
    code, source, target, name, message = kept
    return Finding(code=Code(code), source=source, target=target, name=name, message=message)


_json: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
