"""What is kept of a request under its key."""

from tests.support.builders import ADMIN, READER
from uplift.domain.model.idempotency import idempotency_key


def test_a_key_keeps_a_short_digest_of_what_was_asked() -> None:
    kept = idempotency_key("one", caller=ADMIN, asked=("orders", None))
    assert (kept.caller, kept.key, len(kept.digest)) == ("admin", "one", 16)
    assert idempotency_key("two", caller=READER, asked=("orders", None)).digest == kept.digest
    assert idempotency_key("one", caller=ADMIN, asked=("orders", "")).digest != kept.digest
