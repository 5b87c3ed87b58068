"""Lowers the priority of a thread below all other threads of the machine, without starving it."""

import ctypes
import os
import platform
import struct
import sys
import threading
from contextlib import suppress

NICE = 10
"""On a busy machine the thread gets a tenth of the CPU time of others, on an idle one all it needs."""
SLICE_NS = 100_000_000
"""Nanoseconds. A waking thread with a shorter slice, by default 3 ms, preempts one with this long slice."""
SYS_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
"""The number of the system call on each 64-bit machine; the C library has no function for it."""
SCHED_ATTR = "IIQiIQQQ"
"""struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period; see sched_setattr(2)."""


def lower_thread_priority() -> None:
    """Lower the priority of the calling thread for good. Does nothing on systems other than Linux.

    Niceness alone is not enough: a thread that has just woken up may run for up to 4 ms before another one
    preempts it, and the thread of a chunk sleeps between its statements.
    """
    if sys.platform != "linux":
        return
    with suppress(PermissionError):  # a sandbox may forbid it
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _nice())
    number = SYS_SCHED_SETATTR.get(platform.machine()) if sys.maxsize > 2**32 else None
    # Keep any other policy, which somebody has chosen for the whole program.
    if number is not None and os.sched_getscheduler(0) == os.SCHED_OTHER:
        size = struct.calcsize(SCHED_ATTR)
        attributes = struct.pack(SCHED_ATTR, size, os.SCHED_OTHER, 0, _nice(), 0, SLICE_NS, 0, 0)
        # Linux supports slices since 6.12. Before, or in a sandbox, the call fails and the niceness must do.
        ctypes.CDLL(None).syscall(number, 0, ctypes.create_string_buffer(attributes), 0)


def _nice() -> int:
    """At least the niceness of the program, because only an administrator may lower it."""
    return max(NICE, os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
