"""Reads the memory of a program from /proc."""

from pathlib import Path


def memory_of(process: int) -> float:
    """The memory of a process and its children, in MiB. Pages that they share count once."""
    total = 0.0
    children = Path(f"/proc/{process}/task").glob("*/children")
    for pid in (process, *(int(pid) for child in children for pid in child.read_text().split())):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has ended
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return total
