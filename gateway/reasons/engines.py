"""Explains why a linked engine gave no answer."""

from collections.abc import Mapping

from uplift.domain.ports.process_engine import EngineFaultKind
from uplift.gateway.reasons.advice import Advice

FAULTS: Mapping[EngineFaultKind, Advice] = {
    EngineFaultKind.UNREACHABLE: Advice(
        means="There is no connection, or it breaks, or no answer comes in time.",
        do="Check that the engine runs and that its address can be reached from the server or worker. "
        "Upgrades wait, and continue by themselves.",
    ),
    EngineFaultKind.OVERLOADED: Advice(
        means="The engine, or a proxy before it, asks to come back later.",
        do="Wait. If it lasts, bound the rate of the link (`uplift links add --max-rate`).",
    ),
    EngineFaultKind.UNAUTHORISED: Advice(
        means="The credentials are missing or wrong, or do not allow the request.",
        do="Replace the secret, or give its user the rights that `uplift links check` names.",
    ),
    EngineFaultKind.NOT_THIS_ENGINE: Advice(
        means="Something answers, but not as an engine of this kind does: a redirect, a page, another API.",
        do="Check the URL and the kind of the link. The URL is the base of the engine's API.",
    ),
    EngineFaultKind.FAILED: Advice(
        means="The engine answers with an error that says nothing about the instances.",
        do="Read the engine's log. Uplift asks again by itself.",
    ),
}
