"""Short ways to take a write from its form to its end, as a person and the workers do, and to see what was done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

from console.access.models import User
from integrations_app.jobs import runner
from integrations_app.models import Job, VendorWrite
from integrations_app.services import jobs, vendor_writes
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer


def work(write: VendorWrite) -> VendorWrite:
    """Run the write's job until it has ended, without waiting where a worker would wait."""
    for _ in range(20):
        write.refresh_from_db()
        job = write.job
        if job is None or job.is_finished:
            return write
        Job.objects.filter(pk=job.pk).update(not_before=timezone.now() - timedelta(seconds=1))
        jobs.sweep()
        Job.objects.filter(pk=job.pk, admitted_at=None).update(admitted_at=job.created_at)
        runner.run(str(job.pk))
    raise AssertionError("the write's job does not end")


def checked(operation: str, *, by: User, params: Mapping[str, Any] | None = None, **of: Any) -> VendorWrite:
    """Ask for a write and have it checked."""
    key = of.pop("key", vendor_writes.new_key())
    return work(vendor_writes.request(operation, by=by, params=params or {}, key=key, **of))


def sent(write: VendorWrite, *, by: User, **answers: str) -> VendorWrite:
    """Confirm it with what was proposed and `answers`, and have it sent."""
    given = {question["name"]: question["initial"] for question in write.plan["questions"]} | answers
    return work(vendor_writes.confirm(write, by=by, answers=given))


def lose_answer(simulator: SimulatorServer, method: str, path: str, kind: str = "reset_after") -> None:
    """The next such request comes to grief: by `kind` after it was carried out, or before."""
    simulator.world.add_fault(Fault("lost", kind, method=method, path=path, times=1, status=502))


def done(simulator: SimulatorServer, name: str, operation: str) -> list[dict[str, Any]]:
    """What the simulator really carried out, of one kind."""
    return [entry for entry in simulator.world.ledger(name) if entry["operation"] == operation]


def facts(write: VendorWrite) -> str:
    """What the plan told, as one text."""
    return "\n".join(" ".join([fact["text"], *fact["items"]]) for fact in write.plan["facts"])
