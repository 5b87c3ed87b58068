"""Decides and carries out the moves of `FakeEngine`, as Camunda 7 or Flowable would."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from uplift.domain.bpmn import ProcessModel
from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.instance import ElementId
from uplift.domain.model.process import VersionNumber
from uplift.domain.ports.process_engine import (
    ElementRole,
    EngineTraits,
    EngineVersion,
    EngineVersionId,
    MovePlan,
    Objection,
    Refusal,
)
from uplift.testing.engine.tokens import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeVersion:
    """A version with its model."""

    id: EngineVersionId
    key: str
    number: VersionNumber
    tenant: str | None
    deployed_at: datetime
    document: bytes
    model: ProcessModel

    def described(self) -> EngineVersion:
        """What the port says of it."""
        return EngineVersion(
            id=self.id,
            key=self.key,
            number=self.number,
            name=self.model.name,
            tenant=self.tenant,
            deployed_at=self.deployed_at,
        )


class FakeInstance(NamedTuple):
    """An instance: its version and its tokens."""

    version: EngineVersionId
    tokens: Tokens


def refusal_of(
    instance: FakeInstance | None,
    plan: MovePlan,
    target: ProcessModel,
    *,
    traits: EngineTraits,
    message: str | None,
) -> Refusal | None:
    """Why the engine does not move an instance; `message` is why a test wants it refused."""
    if instance is None:
        return Refusal(code=ReasonCode.INSTANCE_NOT_FOUND, message="There is no such instance.")
    if message is not None:
        return Refusal(code=ReasonCode.ENGINE_REFUSED, message=message)
    if traits.checks_source and instance.version != plan.source:
        return Refusal(
            code=ReasonCode.MOVED_ON, message=f"The instance is on {instance.version}, not on {plan.source}."
        )
    mapping = _mapping(plan)
    position = instance.tokens.position
    if traits.checks_position and (unmapped := position - mapping.keys()):
        return Refusal(code=ReasonCode.MOVED_ON, message=f"The plan maps no {sorted(unmapped)}.")
    ends = {mapping.get(element, element) for element in position}
    if missing := ends - target.elements.keys():
        return Refusal(
            code=ReasonCode.ENGINE_REFUSED, message=f"The target version has no {sorted(missing)}."
        )
    return None


def moved(instance: FakeInstance, plan: MovePlan) -> FakeInstance:
    """The instance after its move."""
    return FakeInstance(plan.target, instance.tokens.moved(_mapping(plan)))


def missing_elements(plan: MovePlan, source: ProcessModel, target: ProcessModel) -> tuple[Objection, ...]:
    """Objections to the instructions whose elements are missing, one for each."""
    return tuple(
        Objection(source=step.source, message=f"There is no element '{step.source}' or '{step.target}'.")
        for step in plan.instructions
        if step.source not in source.elements or step.target not in target.elements
    )


def _mapping(plan: MovePlan) -> dict[ElementId, ElementId]:
    return {step.source: step.target for step in plan.instructions if step.role is ElementRole.POSITION}
