"""Processes that must not outlive the one that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1

# Loaded once, before any fork: between fork and exec nothing may be imported.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(with_signal: int = signal.SIGKILL) -> None:
    """Have the kernel send this process `with_signal` when its parent dies, even by kill -9. On Linux only."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0)


def dying_with_parent(with_signal: int = signal.SIGKILL) -> Callable[[], None]:
    """`die_with_parent` for `subprocess.Popen(preexec_fn=...)`; ends the new process if we are gone already."""
    parent = os.getpid()

    def prepare() -> None:
        die_with_parent(with_signal)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
