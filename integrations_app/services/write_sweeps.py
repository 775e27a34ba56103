"""Vendor writes that were left behind: sent by a worker that is gone, or never confirmed by anybody."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from console.audit.events import Event
from integrations_app.models import VendorWrite, WriteState
from integrations_app.services import write_ledger, write_runs

# A job that ended without settling its write is asked for again after this long.
RESUMED_AFTER_SECONDS = 30.0
# What nobody confirmed for so long is given up.
FORGOTTEN_AFTER = timedelta(days=30)
# What one sweep puts right; the rest is the next one's, seconds later.
SWEEP_ROWS = 200


def resume_lost() -> int:
    """Ask again for the job of writes whose own ended without settling them (killed, out of time, an error of ours);
    how many. After `write_runs.GIVEN_UP_AFTER_SECONDS` of that a person decides.
    """
    ended_before = timezone.now() - timedelta(seconds=RESUMED_AFTER_SECONDS)
    own_is_over = Q(job=None) | Q(job__finished_at__lt=ended_before)
    batch_is_over = Q(batch=None) | Q(batch__job=None) | Q(batch__job__finished_at__lt=ended_before)
    lost = VendorWrite.objects.filter(own_is_over, batch_is_over, state=WriteState.SENT)
    asked = 0
    for write in lost.order_by("sent_at")[:SWEEP_ROWS]:
        with transaction.atomic():
            current = write_ledger.locked(write)
            if current.state != WriteState.SENT:
                continue
            if _is_given_up(current) and write_ledger.sealed_plan(current)["receipt"] is not None:
                # The vendor answered: only reading back failed, with an error of our own.
                write_ledger.close(current, WriteState.DONE, "Done. It could not be read back.")
                write_ledger.tell(current, Event.WRITE_DONE, by=None)
            elif _is_given_up(current):
                write_ledger.make_unknown(current, ("The console tried for half an hour to find out, and could not.",))
            elif current.batch_id is None or current.job_id is not None:  # a batch takes its rows further itself
                write_ledger.ask(current, by=None)
                asked += 1
    return asked


def give_up_forgotten() -> int:
    """Give up what nobody confirmed for FORGOTTEN_AFTER, or took up again after its job ended without sending it, so
    that its secrets go too; how many.
    """
    waiting, before = (WriteState.CHECKING, WriteState.READY), timezone.now() - FORGOTTEN_AFTER
    is_left = Q(state=WriteState.QUEUED) & (Q(job__finished_at__lt=before) | Q(batch__job__finished_at__lt=before))
    old = VendorWrite.objects.filter(is_left | Q(state__in=waiting), created_at__lt=before)
    given_up = 0
    for write in old.order_by("created_at")[:SWEEP_ROWS]:
        with transaction.atomic():
            current = write_ledger.locked(write)
            # One that was taken up again since has an open job by now.
            is_idle = current.job is None or current.job.is_finished
            if current.state in waiting or (current.state == WriteState.QUEUED and is_idle):
                word = "confirmed" if current.state in waiting else "sent"
                write_ledger.close(
                    current, WriteState.ABANDONED, f"Given up: not {word} for {FORGOTTEN_AFTER.days} days."
                )
                write_ledger.tell(current, Event.WRITE_ABANDONED, by=None)
                given_up += 1
    return given_up


def _is_given_up(write: VendorWrite) -> bool:
    """Whether looking what became of a sent write has gone on for long enough."""
    age = (timezone.now() - write.sent_at).total_seconds() if write.sent_at else 0.0
    return write.vendor_account is None or age > write_runs.GIVEN_UP_AFTER_SECONDS
