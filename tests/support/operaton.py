"""Builds and starts a real Operaton for tests: a Spring Boot program with its REST API, on H2.

The program is built once, by Maven, into a cache folder: `UPLIFT_ENGINE_CACHE`, by default `uplift-engines`
in the user's cache. A change of `tests/engines/operaton` builds it anew.
"""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.project import ROOT

PROJECT = ROOT / "tests" / "engines" / "operaton"
"""The Maven project."""
JAVA = ("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
STARTED = re.compile(r"Tomcat started on port (\d+)")
TIMEOUT = 120.0
"""Seconds for the start, on a busy machine."""
QUERY_LIMIT = 20
"""The most results that a user may list at once (queryMaxResultsLimit)."""
BUILD_TIMEOUT = 900.0
"""Seconds for the build, which may download everything."""


class NotBuilt(Exception):
    """Operaton cannot be built here; the message says why."""


def cache() -> Path:
    """The folder of what is built and downloaded."""
    named = os.environ.get("UPLIFT_ENGINE_CACHE")
    if named:
        return Path(named).resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").resolve() / "uplift-engines"


def built(project: Path = PROJECT) -> Path:
    """The program of a Maven project, built if it is not there. Raises NotBuilt."""
    if shutil.which("java") is None:
        raise NotBuilt("there is no Java: apt-get install default-jdk-headless maven")
    sources = [project / "pom.xml", *sorted((project / "src").rglob("*.java"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    program = cache() / f"{project.name}-{digest}.jar"
    if program.exists():
        return program
    if shutil.which("mvn") is None:
        raise NotBuilt("there is no Maven: apt-get install default-jdk-headless maven")
    program.parent.mkdir(parents=True, exist_ok=True)
    # Several processes of one test run want the program at once: one builds, the others wait.
    with (program.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _build(program, project)
    return program


def _build(program: Path, project: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="build-", dir=program.parent) as name:
        folder = Path(name) / project.name
        shutil.copytree(project, folder)
        command = ["mvn", "-B", "-q", f"-Dmaven.repo.local={program.parent}/maven", "package"]
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_TIMEOUT,
        )
        if done.returncode != 0:
            errors = [line for line in done.stdout.splitlines() if line.startswith("[ERROR]")]
            raise NotBuilt(f"Maven cannot build {project.name}: {' '.join(errors[:2])[:500]}")
        (folder / "target" / "engine.jar").replace(program)


@dataclass(frozen=True, kw_only=True)
class Operaton:
    """A running Operaton. `url` is the base of its REST API, which asks for no credentials.

    `protected_url` is the base of the same API for users of the engine, with Basic credentials. They have the
    rights that the engine grants them, and list at most `QUERY_LIMIT` results.
    """

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    @property
    def protected_url(self) -> str:
        """The base of the REST API for users."""
        return self.url.replace("/engine-rest", "/protected/engine-rest")

    def kill(self) -> None:
        """Kill it at once."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Suspend it. When this returns, all its threads are stopped."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def thaw(self) -> None:
        """Let it run again."""
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def operaton(*, database: Path | None = None, port: int = 0) -> Iterator[Operaton]:
    """Runs Operaton at a free port, and kills it at the end. Skips the test if it cannot be built.

    It keeps its data in memory, or in the file `database`, with which a killed one can be started again.
    It runs no jobs by itself: tests run them by REST.
    """
    # By default H2 writes half a second after a commit: a kill would undo what the engine has answered.
    where = "mem:engine;DB_CLOSE_DELAY=-1" if database is None else f"file:{database};WRITE_DELAY=0"
    properties = {
        "server.address": "127.0.0.1",
        "server.port": port,
        "spring.datasource.url": f"jdbc:h2:{where}",
        "spring.jersey.application-path": "/engine-rest",
        "operaton.bpm.job-execution.enabled": "false",
        "operaton.bpm.metrics.enabled": "false",
        "operaton.bpm.authorization.enabled": "true",
        "operaton.bpm.generic-properties.properties.query-max-results-limit": QUERY_LIMIT,
    }
    with started(PROJECT, properties, path="/engine-rest") as engine:
        yield engine


@contextmanager
def started(
    project: Path, properties: Mapping[str, object], *, path: str, java: Sequence[str] = JAVA
) -> Iterator[Operaton]:
    """Runs the program of a Maven project with these properties; its REST API is below `path`."""
    try:
        program = built(project)
    except NotBuilt as error:
        pytest.skip(str(error))
    with tempfile.TemporaryDirectory(prefix=f"uplift-{project.name}-", ignore_cleanup_errors=True) as name:
        log = Path(name) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*java, "-jar", str(program), *(f"--{key}={value}" for key, value in properties.items())],
                cwd=name,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            port_found = _port(process, log)
            yield Operaton(process=process, url=f"http://127.0.0.1:{port_found}{path}", log=log)
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    """The port of an Operaton that starts; Tomcat listens once the engine is ready."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        text = log.read_text(errors="replace")
        if found := STARTED.search(text):
            return int(found[1])
        is_starting = process.poll() is None and time.monotonic() < deadline
        assert is_starting, f"Operaton does not start:\n{text[-3000:]}"
        time.sleep(0.05)


if __name__ == "__main__":
    try:
        built()
    except NotBuilt as error:
        sys.exit(f"Expected to build Operaton for tests, but {error}")
