"""A client that sends the requests that cost a server most, beside all the others."""

import asyncio
import itertools
from collections.abc import Sequence

from bench.soak.client import Client, Shift
from bench.worst_requests import Worst, worst_requests

PAUSE = 2.0
"""Seconds between two requests."""
ANSWERED = (200, 400, 408, 413, 422)
BUSY = (429, 503)
"""The server may refuse a large body beside others, if it says when to try again."""


def heavy_requests() -> Sequence[Worst]:
    """All of the worst requests but those that request upgrades, which the ledger would not know."""
    return [worst for worst in worst_requests([]) if not worst.requests_upgrade]


class HeavyCaller:
    """Sends one of the worst requests after the other, with a pause between two."""

    def __init__(self, client: Client, requests: Sequence[Worst]) -> None:
        self._client = client
        self._requests = itertools.cycle(requests)

    async def work(self, shift: Shift) -> None:
        await self._client.in_rounds([self.send], shift)

    async def send(self) -> None:
        worst = next(self._requests)
        headers = {"content-type": "application/json"}
        with self._client.measures.timing(f"worst: {worst.name}"):
            answer = await self._client.http.post(worst.path, content=worst.body, headers=headers)
        if answer.status_code in BUSY and "retry-after" in answer.headers:
            self._client.measures.refused[worst.name, str(answer.status_code)] += 1
        else:
            assert answer.status_code in ANSWERED, f"{worst.name}: {answer.status_code} {answer.text[:300]}"
            answer.json()
        await asyncio.sleep(PAUSE)
