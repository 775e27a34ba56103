"""Every job type x success, failure, second run. A new job type is refused here until it has its row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.apps import apps

from console.access.models import Grant, User
from integrations_app.models import Integration, Job, JobState, VendorAccount, VendorWrite, WriteBatch
from integrations_app.services import (
    archives,
    integrations,
    jobs,
    listings,
    pings,
    snapshots,
    vendor_accounts,
    vendor_writes,
    write_batches,
)
from integrations_app.services.job_types import JOB_TYPES
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.jobs.mirror_jobs import run, run_again
from tests.integrations_app.services.mirroring import added, owner_of, simulated, sync
from tests.integrations_app.services.writing import edited, go_on, plain_integrations

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]

Ask = Callable[[SimulatorServer, VendorAccount, User], Job]
CELIGO, TORQ = "larkspur-celigo-sandbox", "nordhavn-torq-subsidiary"


@dataclass(frozen=True)
class Row:
    """How a job of a type is asked for, as a person does, at an account of the simulator.

    `refused` is how it ends when the vendor refuses everything; None: it does not ask the vendor itself.
    """

    ask: Ask
    account: str = CELIGO
    refused: JobState | None = JobState.FAILED


def _one(account: VendorAccount) -> Integration:
    return Integration.objects.filter(vendor_account=account).order_by("pk")[0]


def _new_secret(simulator: SimulatorServer, account: VendorAccount, by: User) -> Job:
    fields = simulated(simulator, CELIGO).credential
    return vendor_accounts.request_secret_change(account, by=by, fields=fields, version=account.version)


def _listing(_: SimulatorServer, account: VendorAccount, by: User) -> Job:
    # Read once before: a first reading keeps a row even where it fails, to say so.
    listings.read(account, _one(account), "flows")
    return listings.request(_one(account), "flows", by=by)


def _archive(_: SimulatorServer, account: VendorAccount, by: User) -> Job:
    # An Integration App has none.
    rows = Integration.objects.filter(vendor_account=account)
    own = next(row for row in rows if "_connectorId" not in integrations.load_document(row))
    return archives.request(own, by=by)


def _ping(_: SimulatorServer, account: VendorAccount, by: User) -> Job:
    for row in Integration.objects.filter(vendor_account=account).order_by("pk"):
        for item in listings.items(listings.read(account, row, "connections")):
            return pings.request(row, item["remote_id"], by=by)
    raise AssertionError("no integration has a connection")


def _plain(account: VendorAccount) -> list[Integration]:
    return list(plain_integrations(account))[:2]


def _prepared_write(_: SimulatorServer, account: VendorAccount, by: User) -> Job:
    return _job_of(edited(_plain(account)[0], by, {"tag": "spring"}))


def _confirmed_write(_: SimulatorServer, account: VendorAccount, by: User) -> Job:
    write = go_on(edited(_plain(account)[0], by, {"tag": "spring"}))
    return _job_of(vendor_writes.confirm(write, by=by, answers={}))


def _batch(account: VendorAccount, by: User) -> WriteBatch:
    rows, asked = _plain(account), {"changes": {"tag": "spring"}}
    return write_batches.request(
        "edit", tenant=account.tenant, by=by, integrations=rows, params=asked, key="form", title="Set the tag"
    )


def _prepared_batch(_: SimulatorServer, account: VendorAccount, by: User) -> Job:
    return _job_of(_batch(account, by))


def _confirmed_batch(_: SimulatorServer, account: VendorAccount, by: User) -> Job:
    batch = _batch(account, by)
    run(_job_of(batch))
    return _job_of(write_batches.confirm(batch, by=by))


def _job_of(asked: VendorWrite | WriteBatch) -> Job:
    asked.refresh_from_db()
    assert asked.job is not None
    return asked.job


def _revisions(_: SimulatorServer, account: VendorAccount, by: User) -> Job:
    return jobs.request("take_revisions", tenant=account.tenant, by=by, target=account)


ROWS: dict[str, Row] = {
    "sync_account": Row(lambda _, account, by: vendor_accounts.request_sync(account, by=by)),
    "refresh_integration": Row(lambda _, account, by: integrations.request_refresh(_one(account), by=by)),
    "read_listing": Row(_listing),
    "ping_connection": Row(_ping),
    "take_snapshot": Row(lambda _, account, by: snapshots.request(_one(account), by=by, note="Before")),
    "fetch_archive": Row(_archive),
    "test_account": Row(lambda _, account, by: vendor_accounts.request_test(account, by=by)),
    "change_secret": Row(_new_secret),
    "prepare_write": Row(_prepared_write),
    "perform_write": Row(_confirmed_write),
    # What a vendor refuses of a batch it refuses row by row.
    "prepare_batch": Row(_prepared_batch, refused=JobState.PARTIAL),
    "perform_batch": Row(_confirmed_batch, refused=JobState.PARTIAL),
    "take_revisions": Row(_revisions, refused=None),
    "search_vendor": Row(lambda _, account, by: vendor_accounts.request_search(account, by=by, filters={}), TORQ),
}
TYPES = [pytest.param(name, id=name) for name in ROWS]
AT_THE_VENDOR = [pytest.param(name, id=name) for name, row in ROWS.items() if row.refused]
# What a second run does note anew: that it ran, and what it saw.
_NOTED = {"Job", "JobLine", "SyncRun", "VendorGate"}


def missing_rows(names: set[str]) -> set[str]:
    return names - set(ROWS)


def test_every_job_type_has_its_row() -> None:
    assert missing_rows(set(JOB_TYPES)) == set()
    assert set(ROWS) == set(JOB_TYPES)


def test_a_job_type_without_a_row_is_noticed() -> None:
    assert missing_rows({*JOB_TYPES, "planted"}) == {"planted"}


@pytest.fixture
def asked(simulator: SimulatorServer) -> Callable[[str], Job]:
    """Asks for a job of a type at a mirrored account."""

    def ask(name: str) -> Job:
        account = added(simulator, ROWS[name].account)
        sync(account)
        job = ROWS[name].ask(simulator, account, owner_of(account.tenant))
        assert job.type == name
        return job

    return ask


def rows_kept() -> dict[str, int]:
    models = apps.get_app_config("integrations_app").get_models()
    return {model.__name__: model._default_manager.count() for model in models if model.__name__ not in _NOTED}


@pytest.mark.parametrize("name", TYPES)
def test_it_succeeds_and_a_second_run_doubles_nothing(name: str, asked: Callable[[str], Job]) -> None:
    job = run(asked(name))
    assert (job.state, job.error) == (JobState.SUCCEEDED, "")
    before = rows_kept()

    assert run_again(job).state == JobState.SUCCEEDED
    assert rows_kept() == before


@pytest.mark.parametrize("name", AT_THE_VENDOR)
def test_a_refusal_by_the_vendor_fails_it_with_a_sentence(
    name: str, asked: Callable[[str], Job], simulator: SimulatorServer
) -> None:
    job = asked(name)
    before = rows_kept()
    # The token that a vendor gives for an hour is refused like any other.
    simulator.world.add_fault(Fault(name="refused", kind="status", account=ROWS[name].account, status=401))

    assert run(job).state == ROWS[name].refused
    if job.state == JobState.FAILED:
        assert job.error_code
        assert job.error.endswith(".")
    else:
        failed = job.lines.filter(level="error")
        assert failed.count() == job.units_failed == job.units_total
        assert all(line.text for line in failed)
    assert rows_kept() == before


@pytest.mark.parametrize("name", TYPES)
def test_it_is_refused_once_the_right_is_gone(
    name: str, asked: Callable[[str], Job], simulator: SimulatorServer
) -> None:
    job = asked(name)
    Grant.objects.filter(user=job.requested_by).delete()
    before = simulator.world.hits()

    assert run(job).state == JobState.FAILED
    assert simulator.world.hits() == before
