"""Makes the adapter to the engine of a link."""

from uplift.domain.model.link import Link, LinkKind
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind, ProcessEngine
from uplift.engines.camunda7 import Camunda7Engine
from uplift.engines.camunda8 import Camunda8Engine
from uplift.engines.flowable import FlowableEngine


def engine_of(link: Link) -> ProcessEngine:
    """The adapter to the engine of a link. Raises EngineFault if the link leads to none."""
    try:
        if link.kind is LinkKind.CAMUNDA7 and link.url is not None:
            return Camunda7Engine(link.url, tenant=link.tenant, credentials=link.credentials)
        if link.kind is LinkKind.FLOWABLE and link.url is not None:
            return FlowableEngine(link.url, tenant=link.tenant, credentials=link.credentials)
        if link.kind is LinkKind.CAMUNDA8 and link.url is not None:
            return Camunda8Engine(link.url, tenant=link.tenant, credentials=link.credentials)
    except ValueError as error:
        raise EngineFault(EngineFaultKind.NOT_THIS_ENGINE, str(error)) from error
    raise EngineFault(
        EngineFaultKind.NOT_THIS_ENGINE,
        f"Expected link '{link.name}' to lead to an engine that Uplift calls, but its kind is {link.kind}.",
    )
