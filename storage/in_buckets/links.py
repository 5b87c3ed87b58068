"""Refuses links: orders lie beside outcomes and links at once, which a chunk within a bucket cannot write."""

from uplift.domain.errors import InvalidInput
from uplift.domain.model.link import Link
from uplift.storage.repositories.links import SqlLinkRepository


class BucketLinkRepository(SqlLinkRepository):
    """Implements uplift.domain.ports.LinkRepository for a database that has no links."""

    async def add(self, link: Link) -> None:
        raise InvalidInput(
            f"Expected a database without buckets for the link '{link.name}', but its tables are divided. "
            "Linked processes and buckets exclude each other."
        )
