"""What the health page and doctor say of each part, when it works and when it does not."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django.fixtures import Settings

from console import crypto
from console.access import vault
from integrations_app.models import Job, JobState, Schedule
from integrations_app.services import health
from tests.people import People
from tests.things import make_account, make_job

pytestmark = pytest.mark.django_db


def states() -> dict[str, str]:
    return {check.name: check.state for check in health.run_checks()}


def test_a_new_installation_is_well(people: People) -> None:
    assert states() == dict.fromkeys(
        ("Database", "Key file", "Cache", "Broker", "Workers", "Scheduler", "Vendor accounts", "Disk"), "ok"
    ) | {"Front-end files": states()["Front-end files"]}


def test_jobs_that_nobody_takes_point_at_the_workers(people: People) -> None:
    job = make_job(make_account(people.tenant), state=JobState.QUEUED)
    assert states()["Workers"] == "ok"
    Job.objects.filter(id=job.id).update(created_at=timezone.now() - timedelta(minutes=5))
    assert states()["Workers"] == "failing"
    Job.objects.filter(id=job.id).update(not_before=timezone.now() - timedelta(seconds=5))
    assert states()["Workers"] == "ok"


def test_overdue_schedules_point_at_the_scheduler(people: People) -> None:
    account = make_account(people.tenant)
    due = timezone.now() - timedelta(minutes=5)
    Schedule.objects.create(
        tenant=people.tenant, vendor_account=account, job_type="sync_account", every_seconds=3600, next_at=due
    )
    assert states()["Scheduler"] == "failing"


def test_a_broker_that_is_down_is_said_and_takes_no_other_answer_away(people: People, settings: Settings) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:9/0"
    found = states()
    assert found["Broker"] == "failing"
    assert found["Database"] == "ok"


def test_a_cache_in_a_redis_that_is_down_is_said_and_takes_no_other_answer_away(
    people: People, settings: Settings
) -> None:
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "redis://127.0.0.1:9/0"}}
    found = states()
    assert found["Cache"] == "failing"
    assert found["Disk"] == "ok"


def test_a_key_that_something_was_wrapped_with_and_that_is_gone_is_named(
    people: People, settings: Settings, tmp_path: Path
) -> None:
    vault.seal(people.tenant.id, "here", b"fake")
    lost = crypto.current_key_name()
    settings.ENCRYPTION_KEY_FILE = tmp_path / "other.keys"
    crypto.create_key_file(settings.ENCRYPTION_KEY_FILE)
    check = next(check for check in health.run_checks() if check.name == "Key file")
    assert check.state == "failing"
    assert lost in check.finding


def test_doctor_says_what_to_do_and_fails_when_something_is_wrong(people: People, settings: Settings) -> None:
    settings.ENCRYPTION_KEY_FILE = Path("/nowhere/keys")
    printed = StringIO()
    with pytest.raises(CommandError, match="problem"):
        call_command("doctor", stdout=printed)
    assert "PROBLEM Key file" in printed.getvalue()
    assert "ok      Database" in printed.getvalue()
