"""Signs webhooks by the Standard Webhooks specification 1.0.0, section "Signature scheme"."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from pathlib import Path

from uplift.domain.model.link import SecretPlace, Webhook
from uplift.domain.ports.process_engine import EngineFault
from uplift.engines.credentials import named, read_secret
from uplift.engines.webhooks.errors import WebhookError

MIN_KEY = 24
MAX_KEY = 64
"""The fewest and the most bytes of a key, by the specification."""

_SECRET = re.compile("whsec_([A-Za-z0-9+/]{32,88}={0,2})")


def signature(keys: Sequence[bytes], *, message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: a signature by each key. `timestamp` is in seconds since 1970."""
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    digests = (hmac.digest(key, signed, hashlib.sha256) for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def read_keys(webhook: Webhook) -> list[bytes]:
    """The keys of the secret, and of the one before if there is one. Raises WebhookError.

    They are read anew for each webhook, so that secrets can be rotated while Uplift runs.
    """
    try:
        secrets = [(webhook.secret, read_secret(webhook.secret))]
        if (old := webhook.old_secret) is not None and not _is_missing(old):
            secrets.append((old, read_secret(old)))
    except EngineFault as fault:
        raise WebhookError(fault.message) from fault
    (place, secret), *rest = secrets
    if not secret:
        raise WebhookError(f"Expected the secret of the webhook in {named(place)}, but there is none.")
    return [_key(place, secret), *(_key(old, text) for old, text in rest if text)]


def _is_missing(place: SecretPlace) -> bool:
    return place.file is not None and not Path(place.file).exists()


def _key(place: SecretPlace, secret: str) -> bytes:
    found = _SECRET.fullmatch(secret)
    try:
        key = base64.b64decode(found[1]) if found else b""
    except binascii.Error:  # of a wrong length
        key = b""
    if not MIN_KEY <= len(key) <= MAX_KEY:
        raise WebhookError(
            f"Expected 'whsec_' and {MIN_KEY} to {MAX_KEY} bytes in base64 in {named(place)}, but it has "
            "something else."
        )
    return key
