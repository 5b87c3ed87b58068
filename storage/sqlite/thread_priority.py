"""Lowers the priority of a thread below all other threads of the machine, without starving it."""

import ctypes
import os
import platform
import struct
import sys
import threading
from contextlib import suppress

NICE = 10
"""A tenth of what others get where there is not enough for all; all that is left over where there is."""
SLICE_NS = 100_000_000
"""Nanoseconds. Who asks for long slices is interrupted at once by others, who ask for 3 ms or less."""
SYS_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
"""The numbers of the system call, for programs of 64 bits."""
SCHED_ATTR = "IIQiIQQQ"
"""struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period; see sched_setattr(2)."""


def lower_thread_priority() -> None:
    """Put this thread behind others from now on. Does nothing on systems other than Linux.

    Nice alone is not enough: a thread that has slept may run for up to 4 ms before Linux lets one interrupt
    it that woke up later, and a chunk of an upgrade sleeps between its statements.
    """
    if sys.platform != "linux":
        return
    with suppress(PermissionError):  # a sandbox may forbid it
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _nice())
    number = SYS_SCHED_SETATTR.get(platform.machine()) if sys.maxsize > 2**32 else None
    # Another policy was chosen when the program was started: leave it.
    if number is not None and os.sched_getscheduler(0) == os.SCHED_OTHER:
        size = struct.calcsize(SCHED_ATTR)
        attributes = struct.pack(SCHED_ATTR, size, os.SCHED_OTHER, 0, _nice(), 0, SLICE_NS, 0, 0)
        # Linux knows slices since 6.12. Where it does not, or a sandbox forbids it, being nice must do.
        ctypes.CDLL(None).syscall(number, 0, ctypes.create_string_buffer(attributes), 0)


def _nice() -> int:
    """Never less than what the whole program was started with, which only an administrator may lower."""
    return max(NICE, os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
