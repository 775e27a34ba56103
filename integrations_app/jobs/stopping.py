"""Whether this worker is told to stop, seen by every process of it.

Celery's warm shutdown (SIGTERM) lets running tasks end, however long they take; a sync of an hour would hold up a
deploy for an hour, or be killed. So the runner asks here between two units and gives the job back to the queue: the
unit that runs ends, nothing is lost, and the attempt does not count. The signal reaches only Celery's parent process,
whose children must learn of it: a byte of memory they share since the fork, which is safe to set inside a signal
handler.
"""

from __future__ import annotations

import mmap
from typing import Any

from celery import signals

_shared = mmap.mmap(-1, 1)


def is_stopping() -> bool:
    """Whether the worker of this process was asked to stop."""
    return _shared[0] != 0


@signals.worker_shutting_down.connect
def begin(**_: Any) -> None:
    """The worker was asked to stop: running jobs give their worker back at their next unit."""
    _shared[0] = 1


@signals.worker_init.connect
def reset(**_: Any) -> None:
    """A worker that starts is not stopping."""
    _shared[0] = 0
