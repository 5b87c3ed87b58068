"""`uplift.domain` exports what its use cases take, return and raise."""

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any, NewType, get_args, get_type_hints

from uplift import domain
from uplift.domain import UpliftError

EXPORTED = {name: getattr(domain, name) for name in domain.__all__}
OF_THEIR_OWN = ("uplift.domain.bpmn", "uplift.domain.compatibility", "uplift.domain.ports")
"""Packages that export their names themselves."""


def types_in(hint: Any) -> Iterator[Any]:
    """The classes and NewTypes that a type hint is made of."""
    for part in hint if isinstance(hint, list) else get_args(hint):
        yield from types_in(part)
    if inspect.isclass(hint) or isinstance(hint, NewType):
        yield hint


def annotations_of(exported: Any) -> Iterator[Any]:
    """The type hints of a function, or of the fields and public properties of a class."""
    if inspect.isfunction(exported) or dataclasses.is_dataclass(exported):
        yield from get_type_hints(exported).values()
    if inspect.isclass(exported):
        for name, member in vars(exported).items():
            function = member.fget if isinstance(member, property) else member
            if inspect.isfunction(function) and not name.startswith("_"):
                yield from get_type_hints(function).values()


def subclasses(error: type[UpliftError]) -> Iterator[type[UpliftError]]:
    yield error
    for subclass in error.__subclasses__():
        yield from subclasses(subclass)


def test_every_error_of_the_domain_is_exported() -> None:
    errors = {error.__name__ for error in subclasses(UpliftError) if "uplift.domain" in error.__module__}
    assert errors <= set(EXPORTED)


def test_every_type_that_an_exported_name_uses_is_exported() -> None:
    used = {
        used
        for exported in EXPORTED.values()
        if not exported.__module__.startswith(OF_THEIR_OWN)
        for hint in annotations_of(exported)
        for used in types_in(hint)
        if used.__module__.startswith("uplift.") and not used.__module__.startswith(OF_THEIR_OWN)
    }
    assert {used.__name__ for used in used if used not in EXPORTED.values()} == set()


def test_the_list_of_names_is_sorted_and_complete() -> None:
    imported = {
        name
        for name, member in vars(domain).items()
        if not name.startswith("_") and not inspect.ismodule(member)
    }
    assert imported == set(domain.__all__)
