"""Provides a client of the gateway that sends requests until its shift ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import httpx2
from websockets.exceptions import WebSocketException

from bench.soak.ledger import Ledger
from bench.soak.measures import Measures
from uplift.domain import ProcessKey

TIMEOUT = 180.0
"""Seconds after which a server that does not finish an operation counts as dead.

Beside the worst requests, and other work of the machine, a small one may take a minute.
"""
SOON = 0.004
"""Seconds within which a client hangs up."""

UNEXPECTED = (AssertionError, KeyError, OSError, httpx2.HTTPError, WebSocketException)
"""The errors of a client when the server answers wrongly. OSError includes timeouts."""

Act = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How long clients work: a number of rounds, in which each does all its acts, or a number of seconds."""

    rounds: float = float("inf")
    seconds: float = float("inf")
    began: float = field(default_factory=time.monotonic)

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.began + self.seconds


@dataclass(kw_only=True)
class Client:
    """A client: its connection and random generator, and the ledger and measures that all clients share."""

    name: str
    http: httpx2.AsyncClient
    chance: Random
    ledger: Ledger
    measures: Measures

    async def in_rounds(self, acts: Sequence[Act], shift: Shift) -> None:
        """Do all acts in a random order, again and again."""
        rounds = 0
        while not shift.is_over and rounds < shift.rounds:
            for act in self.chance.sample(acts, len(acts)):
                if shift.is_over:
                    return
                try:
                    await act()
                except UNEXPECTED as error:
                    self.measures.unexpected.append(f"{self.name}: {type(error).__name__}: {error}")
            rounds += 1

    async def ask(self, operation: str, query: str, **variables: Any) -> Any:
        """Send a GraphQL request and return its data. Raises AssertionError if the response has an error."""
        with self.measures.timing(operation):
            answer = await self.http.post("/graphql", json={"query": query, "variables": variables})
        assert answer.status_code == 200, f"{operation}: {answer.status_code} {answer.text[:300]}"
        body = answer.json()
        assert "errors" not in body, f"{operation}: {body['errors']}"
        return body["data"]

    async def change(
        self, operation: str, mutation: str, fields: object, selection: str, *, may_refuse: Sequence[str] = ()
    ) -> Any:
        """Send a mutation and return its payload, or None if it was refused with a code in `may_refuse`."""
        payload = (await self.ask(operation, mutation_of(mutation, selection), input=fields))[mutation]
        if not payload["userErrors"]:
            return payload
        codes = [error["code"] for error in payload["userErrors"]]
        assert set(codes) <= set(may_refuse), f"{operation}: {payload['userErrors']}"
        self.measures.refused.update((operation, code) for code in codes)
        return None

    async def hang_up(self, operation: str, path: str, body: object, **headers: str) -> None:
        """Send a request, and close the connection before or shortly after the response begins."""
        sent = self.http.post(path, json=body, headers=headers)
        with suppress(TimeoutError):
            await asyncio.wait_for(sent, self.chance.uniform(0, SOON))
        self.measures.hung_up[operation] += 1

    def any_key(self) -> str:
        """A new idempotency key."""
        return str(UUID(bytes=self.chance.randbytes(16), version=4))

    def any_process(self) -> ProcessKey:
        return self.chance.choice(list(self.ledger.latest))


def mutation_of(name: str, selection: str) -> str:
    """The document of a mutation that selects these fields of its payload."""
    kind = f"{name[0].upper()}{name[1:]}Input"
    fields = f"{selection} userErrors {{ code message }}"
    return f"mutation($input: {kind}!) {{ {name}(input: $input) {{ {fields} }} }}"
