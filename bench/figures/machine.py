"""Describes the machine, the versions of programs, and what other programs use of the processors."""

import os
import platform
import re
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.postgres import binaries
from tests.support.project import ROOT

BUSY = 0.25
"""Figures are marked if others used more than this many cores just before or after the benchmark."""
FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""The columns of /proc/stat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What figures were measured on. It has no name of the host."""

    cores: int
    memory_gib: int
    processor: str
    system: str
    python: str
    sqlite: str
    postgresql: str
    """Empty if there is none."""

    def __str__(self) -> str:
        servers = f", PostgreSQL {self.postgresql}" if self.postgresql else ""
        return (
            f"{self.cores} cores ({self.processor}), {self.memory_gib} GiB of memory, {self.system}; "
            f"Python {self.python}, SQLite {self.sqlite}{servers}"
        )


def this_machine() -> Machine:
    return Machine(
        cores=os.cpu_count() or 1,
        memory_gib=round(_first_number("/proc/meminfo", r"MemTotal:\s+(\d+) kB") / 2**20),
        processor=_processor(),
        system=platform.system(),
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        postgresql=_postgresql(),
    )


def commit(*, without: str) -> str:
    """The commit of the work tree; with `+` if files were changed since, without those of a pattern."""
    number = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", f":(exclude){without}")
    return f"{number or 'unknown'}{'+' if changed else ''}"


def _git(*arguments: str) -> str:
    """What git says; nothing outside of a repository."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def busy_cores(seconds: float) -> float:
    """How many cores all programs use while this one waits for these seconds."""
    before, began = _seconds_used(), time.monotonic()
    time.sleep(seconds)
    return (_seconds_used() - before) / (time.monotonic() - began)


def _seconds_used() -> float:
    counts = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    ticks = dict(zip(FIELDS, map(int, counts), strict=False))
    used = sum(ticks[name] for name in FIELDS if name not in ("idle", "iowait"))
    return used / os.sysconf("SC_CLK_TCK")


def _first_number(path: str, pattern: str) -> int:
    found = re.search(pattern, Path(path).read_text())
    assert found is not None, path
    return int(found[1])


def _processor() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1].strip() if found else platform.machine()


def _postgresql() -> str:
    folder = binaries()
    if folder is None:
        return ""
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    return said.stdout.split()[2]
