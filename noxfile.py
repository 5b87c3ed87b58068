"""Tasks over several versions of Python: `nox` runs the tests on each, `nox -s docs` builds the web site.

`./check` is the check of one version. `pip install '.[audit]'` installs nox.
"""

import nox

PYTHONS = ("3.11", "3.12", "3.13", "3.14")

nox.options.sessions = ["tests"]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run all tests, or those in the arguments: nox -s tests-3.13 -- tests/domain."""
    session.install("--require-hashes", "--requirement", "requirements/check.txt")
    session.install("--no-deps", "--no-build-isolation", "--editable", ".")
    session.run("python", "-m", "pytest", "--numprocesses=2", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the web site of the documents into build/site."""
    session.install("--require-hashes", "--requirement", "requirements/check.txt")
    session.install("--no-deps", "--no-build-isolation", "--editable", ".")
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})
