"""An engine that moves everything at once and keeps nothing, so that only the store's side is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from uplift.domain.ports.process_engine import EngineInstanceId, MovePlan, Refusal
from uplift.testing.engine.fake import LIKE_CAMUNDA_7, FakeEngine


class InstantEngine(FakeEngine):
    """Has no versions, so a sweep would find nothing."""

    def __init__(self, *, max_size: int) -> None:
        super().__init__(replace(LIKE_CAMUNDA_7, max_size=max_size))

    async def move(
        self,
        plan: MovePlan,  # noqa: ARG002  it moves everything
        ids: Sequence[EngineInstanceId],
    ) -> Mapping[EngineInstanceId, Refusal | None]:
        return dict.fromkeys(ids)
