"""Runs one benchmark in a program of its own, and notes where and when."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.figures.catalogue import bench_named
from bench.figures.child import Answer
from bench.figures.figure import Scale
from bench.figures.machine import busy_cores, commit, this_machine
from bench.figures.result import Result
from tests.support.project import ROOT

WATCHED = {Scale.FULL: 1.0, Scale.QUICK: 0.1}
"""Seconds for which the use of the processors by others is watched, before and after."""
WRITTEN = "docs/explanation/benchmarks.*"
"""What a run writes: it does not count as a change of the work tree."""
TIMEOUT = 900.0
"""Seconds after which a benchmark has failed, so that the others run. The longest takes some 200."""
STOPPING = 60.0
"""Seconds that it gets then to stop its servers."""


def run(name: str, scale: Scale) -> Result:
    """Run a benchmark. If it fails, the result says how."""
    bench = bench_named(name)
    measured = commit(without=WRITTEN)  # read first: the work tree may change during the run
    date, average, before = datetime.now(UTC), os.getloadavg()[0], busy_cores(WATCHED[scale])
    began = time.monotonic()
    answer = answer_of_child(name, scale)
    seconds = time.monotonic() - began
    return Result(
        bench=name,
        date=f"{date:%Y-%m-%d %H:%M}",
        commit=measured,
        scale=scale,
        sizes=dict(zip(bench.sizes, bench.sizes_of(scale), strict=True)),
        machine=this_machine(),
        seconds=round(seconds, 1),
        load_average=round(average, 2),
        busy_before=round(before, 2),
        busy_after=round(busy_cores(WATCHED[scale]), 2),
        figures=tuple(answer.figures),
        not_run=answer.not_run,
        failed=answer.failed,
    )


def answer_of_child(name: str, scale: Scale, timeout: float = TIMEOUT) -> Answer:
    """What the program wrote, or how it ended without an answer."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answer.json"
        child = subprocess.Popen(
            [sys.executable, "-m", "bench.figures.child", name, scale, str(file)],
            cwd=ROOT,
            start_new_session=True,  # a group of processes, to end all that are left
        )
        if not _wait(child, timeout):
            return Answer(failed=f"it took more than {timeout:g} s")
        if not file.exists():
            return Answer(failed=f"it ended without an answer, with exit code {child.returncode}")
        return msgspec.json.decode(file.read_bytes(), type=Answer)


def _wait(child: subprocess.Popen[bytes], timeout: float) -> bool:
    """Whether the program ended in time. It is stopped if it is late, or if this command is interrupted."""
    try:
        child.wait(timeout)
    except subprocess.TimeoutExpired:
        return False
    finally:
        _end(child)
    return True


def _end(child: subprocess.Popen[bytes]) -> None:
    """Interrupt the program if it runs, so that it stops its servers, and kill what is left of its group."""
    try:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
            child.wait(STOPPING)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
