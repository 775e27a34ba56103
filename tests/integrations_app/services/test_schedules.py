"""Schedules: set by people, asked for by the scheduler, spread over time, and never in bursts."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from console.audit.events import Event
from console.audit.models import AuditEvent
from integrations_app.models import Job, JobState, Schedule
from integrations_app.services import jobs, schedules
from integrations_app.services.errors import InvalidError, StaleError
from tests.integrations_app.jobs import world

pytestmark = pytest.mark.django_db

HOUR = 3600


def make_due(schedule: Schedule, *, since: timedelta = timedelta(seconds=1)) -> Schedule:
    schedule.next_at = timezone.now() - since
    schedule.save()
    return schedule


def due_schedule(name: str = "Larkspur") -> Schedule:
    account = world.account(world.tenant(name))
    return make_due(schedules.set_schedule(account=account, every_seconds=HOUR, by=None))


# --- setting ----------------------------------------------------------------------------------------------------------


def test_a_schedule_is_set_changed_and_paused_with_an_audit_row_each() -> None:
    tenant = world.tenant()
    person, account = world.member(tenant, "admin"), world.account(tenant)
    first = schedules.set_schedule(account=account, every_seconds=HOUR, by=person)
    assert first.tenant == tenant
    assert timedelta(0) < first.next_at - timezone.now() <= timedelta(seconds=HOUR)
    second = schedules.set_schedule(
        account=account, every_seconds=900, by=person, is_paused=True, version=first.version
    )
    assert (second.pk, second.every_seconds, second.is_paused) == (first.pk, 900, True)
    told = AuditEvent.objects.filter(event=Event.SCHEDULE_CHANGED).order_by("at")
    assert [event.detail["schedule"] for event in told] == ["sync every hour", "sync every 15 minutes, paused"]
    assert {event.by_label for event in told} == {"Admin Person"}


def test_a_schedule_somebody_else_changed_meanwhile_is_not_overwritten() -> None:
    tenant = world.tenant()
    person, account = world.member(tenant, "admin"), world.account(tenant)
    seen = schedules.set_schedule(account=account, every_seconds=HOUR, by=person).version
    schedules.set_schedule(account=account, every_seconds=2 * HOUR, by=person, version=seen)
    with pytest.raises(StaleError):
        schedules.set_schedule(account=account, every_seconds=3 * HOUR, by=person, version=seen)
    assert Schedule.objects.get().every_seconds == 2 * HOUR
    assert AuditEvent.objects.filter(event=Event.SCHEDULE_CHANGED).count() == 2


def test_a_schedule_needs_the_permission_a_sensible_span_and_an_account_in_use() -> None:
    tenant = world.tenant()
    account = world.account(tenant)
    for person in (world.member(tenant, "editor"), world.member(world.tenant("Other"), "owner")):
        with pytest.raises(PermissionDenied):
            schedules.set_schedule(account=account, every_seconds=HOUR, by=person)
    for seconds in (0, 299, 400 * 24 * HOUR):
        with pytest.raises(InvalidError):
            schedules.set_schedule(account=account, every_seconds=seconds, by=None)
    account.removed_at = timezone.now()
    with pytest.raises(InvalidError, match="removed"):
        schedules.set_schedule(account=account, every_seconds=HOUR, by=None)
    assert not Schedule.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_set_the_first_schedule_at_once_make_one() -> None:
    account = world.account(world.tenant())

    def set_it() -> str:
        try:
            schedules.set_schedule(account=account, every_seconds=HOUR, by=None)
        except StaleError:
            return "stale"
        return "set"

    assert "set" in world.at_once(*[set_it for _ in range(4)])
    assert Schedule.objects.count() == 1


# --- moments ----------------------------------------------------------------------------------------------------------


def test_an_account_keeps_its_rhythm_and_accounts_spread_over_the_span() -> None:
    tenant = world.tenant()
    ids = [world.account(tenant).pk for _ in range(40)]
    at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    first = {pk: schedules.next_run(pk, HOUR, after=at) for pk in ids}
    for pk, moment in first.items():
        assert at < moment <= at + timedelta(seconds=HOUR)
        assert schedules.next_run(pk, HOUR, after=moment) == moment + timedelta(seconds=HOUR)
        assert schedules.next_run(pk, HOUR, after=moment - timedelta(seconds=1)) == moment
    quarters = {int((moment - at).total_seconds() // 900) for moment in first.values()}
    assert len(quarters) >= 4


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (900, "every 15 minutes"),
        (HOUR, "every hour"),
        (6 * HOUR, "every 6 hours"),
        (86_400, "every day"),
        (301, "every 301 seconds"),
    ],
)
def test_a_span_is_told_in_words(seconds: int, words: str) -> None:
    assert schedules.describe(Schedule(job_type="sync_account", every_seconds=seconds)) == words


# --- asking -----------------------------------------------------------------------------------------------------------


def test_what_is_due_is_asked_for_by_the_console_and_moved_on() -> None:
    schedule = due_schedule()
    later = schedules.set_schedule(account=world.account(schedule.tenant), every_seconds=HOUR, by=None)
    assert schedules.enqueue_due() == 1
    job = Job.objects.get()
    assert (job.type, job.vendor_account, job.is_by_console, job.asked_by) == (
        "sync_account",
        schedule.vendor_account,
        True,
        "the console",
    )
    schedule.refresh_from_db()
    assert schedule.last_at is not None
    assert timezone.now() < schedule.next_at <= timezone.now() + timedelta(seconds=HOUR)
    assert schedules.enqueue_due() == 0
    later.refresh_from_db()
    assert later.last_at is None


def test_while_a_job_of_the_schedule_is_open_no_second_one_is_made() -> None:
    schedule = due_schedule()
    by_hand = jobs.request("sync_account", tenant=schedule.tenant, by=None, target=schedule.vendor_account)
    assert schedules.enqueue_due() == 0
    assert list(Job.objects.all()) == [by_hand]
    Job.objects.update(state=JobState.SUCCEEDED)
    make_due(schedule)
    assert schedules.enqueue_due() == 1


def test_a_paused_schedule_and_one_of_a_removed_account_ask_for_nothing() -> None:
    paused, removed = due_schedule(), due_schedule()
    Schedule.objects.filter(pk=paused.pk).update(is_paused=True)
    removed.vendor_account.removed_at = timezone.now()
    removed.vendor_account.save()
    assert schedules.enqueue_due() == 0
    assert not Job.objects.exists()


def test_a_console_that_was_down_for_days_asks_once_per_account() -> None:
    schedule = due_schedule()
    with time_machine.travel(timezone.now() + timedelta(days=3), tick=True):
        assert schedules.enqueue_due() == 1
        Job.objects.update(state=JobState.SUCCEEDED)
        assert schedules.enqueue_due() == 0
        schedule.refresh_from_db()
        assert schedule.next_at > timezone.now()


def test_a_schedule_that_cannot_be_asked_for_does_not_keep_the_others_waiting() -> None:
    broken, good = due_schedule(), due_schedule()
    Schedule.objects.filter(pk=broken.pk).update(job_type="no_such_type", next_at=timezone.now() - timedelta(days=1))
    assert schedules.enqueue_due() == 1
    assert Job.objects.get().vendor_account == good.vendor_account


@pytest.mark.django_db(transaction=True)
def test_schedulers_that_race_ask_once_for_each(settings: Any) -> None:
    for _ in range(4):
        due_schedule()
    asked = world.at_once(*[schedules.enqueue_due for _ in range(4)])
    assert sum(asked) == 4 == Job.objects.count()


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])
def test_a_nightly_one_comes_in_the_tenants_night_each_night_once(zone: str) -> None:
    account = uuid.uuid4()
    moment = datetime(2026, 3, 27, 12, tzinfo=UTC)  # clocks change in some of these days
    for _ in range(12):
        following = schedules.next_night(account, zone, after=moment)
        assert moment < following <= moment + timedelta(hours=26)
        assert 1 <= following.astimezone(ZoneInfo(zone)).hour <= 5
        assert schedules.next_night(account, zone, after=following - timedelta(seconds=1)) == following
        moment = following
