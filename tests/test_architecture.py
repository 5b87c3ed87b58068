"""Checks which package imports which."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter import configuration
from importlinter.application.use_cases import lint_imports

from tests.support.project import ROOT

PRODUCT = ("domain", "web", "graphql_api", "rest_compat", "console", "storage", "engines", "gateway")
"""What a gateway runs."""
PACKAGES = (*PRODUCT, "testing")
ALLOWED = {
    "web": {"domain"},
    "graphql_api": {"domain", "web"},
    "rest_compat": {"domain", "web"},
    "console": {"web"},
    "storage": {"domain"},
    "engines": {"domain"},
    "testing": {"domain", "storage"},  # of storage the store in memory only: pyproject.toml has that contract
}
"""The packages that each of these may import."""
OURS = frozenset(PACKAGES)


def modules_of(package: str) -> list[Path]:
    return [path for path in sorted((ROOT / package).rglob("*.py")) if "node_modules" not in path.parts]


def imports_of(module: Path) -> Iterator[tuple[int, str]]:
    """The top-level package of each import, wherever in the module it stands, with its line."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, _package(alias.name)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, (
                f"{module}:{node.lineno}: imports are absolute, so that they can be checked"
            )
            for alias in node.names:
                yield node.lineno, _package(f"{node.module}.{alias.name}")


def _package(module: str) -> str:
    """The name at the top; of ours, the one below `uplift`."""
    top, _, rest = module.partition(".")
    return rest.partition(".")[0] if top == "uplift" else top


def imported_by(package: str) -> dict[str, set[str]]:
    """What a package imports: each top-level package, and the places that do it."""
    found: dict[str, set[str]] = {}
    for module in modules_of(package):
        for line, name in imports_of(module):
            found.setdefault(name, set()).add(f"{module.relative_to(ROOT)}:{line}")
    return found


def test_the_import_contracts_hold(capsys: pytest.CaptureFixture[str]) -> None:
    configuration.configure()
    holds = lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None)
    assert holds, capsys.readouterr().out


def test_the_domain_imports_only_the_standard_library_and_defusedxml() -> None:
    allowed = sys.stdlib_module_names | {"domain", "defusedxml"}
    assert {name: places for name, places in imported_by("domain").items() if name not in allowed} == {}


def test_engines_need_only_the_domain_and_httpx2() -> None:
    allowed = sys.stdlib_module_names | {"domain", "engines", "httpx2"}
    assert {name: places for name, places in imported_by("engines").items() if name not in allowed} == {}


def test_the_domain_reads_and_writes_nothing() -> None:
    outside = {
        "os",
        "io",
        "pathlib",
        "socket",
        "sqlite3",
        "subprocess",
        "tempfile",
        "shutil",
        "urllib",
        "http",
    }
    assert {name: places for name, places in imported_by("domain").items() if name in outside} == {}


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_those_below_it(package: str) -> None:
    forbidden = OURS - {package} - ALLOWED[package]
    assert {name: places for name, places in imported_by(package).items() if name in forbidden} == {}


@pytest.mark.parametrize("package", PRODUCT)
def test_no_package_imports_its_tests_or_benchmarks(package: str) -> None:
    assert {"tests", "testing", "bench", "pytest", "hypothesis"}.isdisjoint(imported_by(package))


def test_the_contract_tests_need_only_what_they_say() -> None:
    allowed = sys.stdlib_module_names | {"domain", "storage", "testing", "pytest"}
    assert {name: places for name, places in imported_by("testing").items() if name not in allowed} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_has_a_docstring(package: str) -> None:
    without = [
        str(module.relative_to(ROOT))
        for module in modules_of(package)
        if not ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    ]
    assert without == []


def test_these_are_all_our_packages() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    links = {link.name: link.resolve() for link in (ROOT / "src/uplift").iterdir() if link.is_symlink()}
    assert packages == OURS
    assert links == {package: ROOT / package for package in OURS}
