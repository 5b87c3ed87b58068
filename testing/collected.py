"""Collects the tests of several modules under one name, for a star import."""

from types import ModuleType


def tests_of(*modules: ModuleType) -> dict[str, object]:
    """The tests of these modules by name. Raises ValueError if two have the same name: one would not run."""
    tests: dict[str, object] = {}
    for module in modules:
        own = {name: value for name, value in vars(module).items() if name.startswith("test_")}
        if both := tests.keys() & own.keys():
            raise ValueError(
                f"Expected each test to have a name of its own, but {sorted(both)} are used twice."
            )
        tests |= own
    return tests
