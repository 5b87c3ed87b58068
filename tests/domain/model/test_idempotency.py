"""An idempotency key keeps its caller and the digest of its request."""

from uplift.domain.model.idempotency import idempotency_key
from uplift.testing.builders import ADMIN


def test_a_key_keeps_its_caller_and_the_digest_of_its_request() -> None:
    kept = idempotency_key("one", caller=ADMIN, digest=b"0123456789abcdef")
    assert (kept.caller, kept.key, kept.digest) == ("admin", "one", b"0123456789abcdef")
