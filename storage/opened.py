"""What does the store know of an upgrade that the domain need not know?"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The numbers of an upgrade, its process and the upgrade it is about, and the key where it ends."""

    id: int
    process_id: int
    last_key: int
    of_upgrade_id: int | None = None
