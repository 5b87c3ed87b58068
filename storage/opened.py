"""What does the store know of an upgrade that the domain need not know?"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The numbers of an upgrade and of its process, and the key at which its selection ends."""

    id: int
    process_id: int
    last_key: int
