"""Defines the surrogate keys of an upgrade."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeKeys:
    """The surrogate keys of an upgrade, its process, and the upgrade that it retries or undoes.

    `of_is_linked` says whether that one has orders.
    """

    id: int
    process_id: int
    of_upgrade_id: int | None = None
    of_is_linked: bool = False
