"""Job types that exist in tests only. They do what their parameters say, and write down what they did in files.

Importing `probe_worker` registers them in a worker process; the fixture `probes` does in the test's own.
"""

from __future__ import annotations

import os
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from console.access.permissions import Permission
from integrations_app.jobs.progress import JobFailedError, Progress
from integrations_app.models import Job
from integrations_app.services.errors import WaitError
from integrations_app.services.job_types import JOB_TYPES, JobType
from integrations_app.vendors import errors

BULK, INTERACTIVE = Job.Queue.BULK, Job.Queue.INTERACTIVE
SYNC = Permission.INTEGRATION_SYNC
PROBES = (
    JobType("probe", "Probe", "Probe {target}", BULK, SYNC, attempts=3, limit_seconds=60, can_retry_failed=True),
    JobType("probe_quick", "Probe", "Quick probe {target}", INTERACTIVE, SYNC, attempts=1, limit_seconds=60),
    JobType("probe_alone", "Probe", "Lone probe {target}", BULK, SYNC, attempts=3, limit_seconds=60, is_exclusive=True),
    JobType("probe_brief", "Probe", "Brief probe {target}", BULK, SYNC, attempts=3, limit_seconds=0),
    JobType("probe_hanging", "Probe", "Hanging probe {target}", BULK, SYNC, attempts=3, limit_seconds=1),
    JobType("probe_missing", "Probe", "Missing probe {target}", BULK, SYNC),
)
GATE_SECONDS = 60


def run(job: Job, progress: Progress) -> dict[str, Any]:
    """Write "begun" to the journal, do `units` with a check after each, then what `then` says, then write "ended"."""
    params = job.params
    note(params, f"begun {job.attempt} {os.getpid()}")
    progress.start(params.get("units"), "things")
    for number in range(params.get("units", 1)):
        progress.check()
        if number == params.get("gate_at") and job.attempt == params.get("gate_attempt", job.attempt):
            wait_at_gate(params, progress)
        if number in params.get("failing", []):
            progress.fail_item(f"thing {number}", "It is broken.")
        else:
            progress.advance()
    progress.check()
    if "then" in params:
        ACTIONS[params["then"]](job, progress)
    note(params, f"ended {job.attempt} {os.getpid()}")
    return {"units": progress.units_done}


def wait_at_gate(params: dict[str, Any], progress: Progress) -> None:
    """Wait until the test opens the gate; with `deaf` without looking whether to stop."""
    note(params, f"at the gate {os.getpid()}")
    deadline = time.monotonic() + GATE_SECONDS
    while not Path(params["gate"]).exists():
        if not params.get("deaf"):
            progress.check()
        if time.monotonic() > deadline:
            raise AssertionError("The test never opened the gate.")
        time.sleep(0.01)


def note(params: dict[str, Any], line: str) -> None:
    if "journal" in params:
        # One write of a short line in append mode is never mixed with another process's.
        with Path(params["journal"]).open("a") as journal:
            journal.write(line + "\n")


def notes(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _raise(make: Callable[[], Exception]) -> Callable[[Job, Progress], None]:
    def action(job: Job, progress: Progress) -> None:
        raise make()

    return action


def _wait_once(job: Job, progress: Progress) -> None:
    marker = Path(job.params["marker"])
    if not marker.exists():
        marker.touch()
        raise WaitError(job.params.get("seconds", 1), "the tide to turn")


ACTIONS: dict[str, Callable[[Job, Progress], None]] = {
    "wait once": _wait_once,
    "break": _raise(lambda: RuntimeError("the secret word")),
    "fail": _raise(lambda: JobFailedError("Nobody is at home.", code="nobody")),
    "rate limit": _raise(lambda: errors.VendorRateLimitError("The vendor says: too many.", retry_after_seconds=40)),
    "paused": _raise(lambda: errors.VendorPausedError("Calls are held back.", retry_after_seconds=70)),
    "unavailable": _raise(lambda: errors.VendorUnavailableError("The vendor did not answer.")),
    "refused": _raise(lambda: errors.VendorAuthError("The vendor refuses the key.", status=401)),
    "unknown": _raise(lambda: errors.VendorOutcomeUnknownError("The answer to a write was lost.")),
}


def register() -> None:
    """Put the types into the table and their module where the runner looks for it."""
    for probe in PROBES:
        JOB_TYPES[probe.name] = probe
        if probe.name != "probe_missing":
            module = types.ModuleType(f"integrations_app.jobs.{probe.name}")
            module.run = run  # type: ignore[attr-defined]  # what the runner looks for
            sys.modules[module.__name__] = module


def unregister() -> None:
    for probe in PROBES:
        JOB_TYPES.pop(probe.name, None)
        sys.modules.pop(f"integrations_app.jobs.{probe.name}", None)
