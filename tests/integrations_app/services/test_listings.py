"""Listings: read from the simulator in a worker, kept redacted with their age, never lost to a failure."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from console.access.models import Tenant
from integrations_app.models import Integration, Listing, VendorAccount
from integrations_app.services import listings
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from integrations_app.vendors.errors import VendorError
from tests.integrations_app.jobs.mirror_jobs import run, run_again
from tests.integrations_app.services.mirroring import added, owner_of, sync

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stack]

ACCOUNT = "larkspur-celigo"


@pytest.fixture
def account(simulator: SimulatorServer) -> VendorAccount:
    mirrored = added(simulator, ACCOUNT)
    sync(mirrored)
    return mirrored


@pytest.fixture
def integration(account: VendorAccount) -> Integration:
    """One that has flows."""
    rows = Integration.objects.filter(vendor_account=account).order_by("pk")
    return next(row for row in rows if listings.read(account, row, "flows").count)


def test_every_kind_can_be_asked_for_and_read_by_a_job(account: VendorAccount, integration: Integration) -> None:
    by = owner_of(account.tenant)
    of_it = [kind for kind in listings.kinds(account.vendor) if not kind.is_scoped]
    assert len(of_it) >= 10
    for kind in of_it:
        of = account if kind.is_of_account else integration
        job = run(listings.request(of, kind.slug, by=by))
        assert (job.state, job.error) == ("succeeded", ""), kind.slug
        row = listings.find(of, kind.slug)
        assert row is not None
        assert row.read_at is not None
        assert job.result["count"] == row.count == len(listings.items(row))
        names = {column.name for column in kind.columns}
        assert all(names <= set(item["values"]) for item in listings.items(row)), kind.slug
    assert run_again(job).result == job.result


def test_asking_twice_while_it_is_read_is_one_job(account: VendorAccount, integration: Integration) -> None:
    by = owner_of(account.tenant)
    first = listings.request(integration, "flows", by=by)
    assert listings.request(integration, "flows", by=by) == first == listings.open_job(integration, "flows")
    assert listings.request(integration, "exports", by=by) != first
    assert first.title == f"Flows of {integration.name}"
    scoped = [listings.request(integration, "error_records", by=by, scope=scope) for scope in ("a/b", "a/c", "a/b")]
    assert scoped[0] == scoped[2] != scoped[1]


def test_what_is_not_listed_of_a_thing_is_refused(account: VendorAccount, integration: Integration) -> None:
    by = owner_of(account.tenant)
    with pytest.raises(KeyError):
        listings.request(integration, "nonsense", by=by)
    for of, kind, scope in (
        (account, "flows", ""),
        (integration, "account_connections", ""),
        (integration, "error_records", ""),
        (integration, "flows", "a/b"),
    ):
        with pytest.raises(ValueError, match="is not listed of this"):
            listings.request(of, kind, by=by, scope=scope)


def test_secrets_of_the_vendor_s_documents_are_never_kept(account: VendorAccount) -> None:
    row = listings.read(account, None, "account_connections")
    items = listings.items(row)
    kind = listings.kind_of(account.vendor, "account_connections")
    configured = [item["raw"][path] for item in items for path in kind.secret_paths if item["raw"].get(path)]
    assert configured
    assert b"Bearer " not in bytes(row.items)

    def leaves(value: object) -> list[object]:
        if isinstance(value, dict) and set(value) == {"$secret"}:
            return []
        if isinstance(value, dict):
            return [leaf for inner in value.values() for leaf in leaves(inner)]
        if isinstance(value, list):
            return [leaf for inner in value for leaf in leaves(inner)]
        return [] if value in (None, "") else [value]

    assert [leaf for value in configured for leaf in leaves(value)] == []
    assert all(len(item["remote_id"]) == 24 and item["values"]["type"] for item in items)


def test_a_failed_reading_keeps_what_was_read_and_says_why(
    account: VendorAccount, integration: Integration, simulator: SimulatorServer
) -> None:
    before = listings.read(account, integration, "flows")
    simulator.world.add_fault(Fault(name="broken", kind="status", account=ACCOUNT, status=403))
    with pytest.raises(VendorError):
        listings.read(account, integration, "flows")
    after = listings.find(integration, "flows")
    assert after is not None
    assert (after.count, after.read_at, bytes(after.items)) == (before.count, before.read_at, bytes(before.items))
    assert "403" in after.failure
    assert after.failed_at is not None
    assert before.read_at is not None
    assert after.failed_at > before.read_at
    account.refresh_from_db()
    assert account.state == VendorAccount.State.PARTIAL

    simulator.world.remove_fault(None)
    again = listings.read(account, integration, "flows")
    assert (again.failure, again.failed_at) == ("", None)


def test_a_refusal_of_one_thing_says_nothing_about_the_account(
    account: VendorAccount, integration: Integration
) -> None:
    Integration.objects.filter(pk=integration.pk).update(remote_id="0" * 24)
    integration.refresh_from_db()
    with pytest.raises(VendorError):
        listings.read(account, integration, "exports")
    row = listings.find(integration, "exports")
    assert row is not None
    assert (row.count, row.read_at, bool(row.failure)) == (0, None, True)
    account.refresh_from_db()
    assert account.state == VendorAccount.State.OK


def test_an_older_reading_never_replaces_a_newer_one(account: VendorAccount, integration: Integration) -> None:
    newer = timezone.now() + timedelta(minutes=1)
    Listing.objects.filter(integration=integration, kind="flows").update(read_at=newer, count=99)
    listings.read(account, integration, "flows")
    row = listings.find(integration, "flows")
    assert row is not None
    assert (row.count, row.read_at) == (99, newer)


def test_a_worker_that_lost_its_job_writes_nothing(account: VendorAccount, integration: Integration) -> None:
    class LostError(Exception):
        pass

    def hold() -> None:
        raise LostError

    with pytest.raises(LostError):
        listings.read(account, integration, "people", hold=hold)
    assert listings.find(integration, "people") is None


def test_another_tenant_finds_nothing_of_it(account: VendorAccount, integration: Integration) -> None:
    other = Tenant.objects.create(slug="other-tenant", name="Other")
    integration.tenant = other
    assert listings.find(integration, "flows") is None


def test_a_listing_is_stale_ten_minutes_after_somebody_asked_last() -> None:
    now = timezone.now()
    fresh, old = now - timedelta(minutes=9), now - timedelta(minutes=11)
    assert listings.is_stale(None, now)
    assert not listings.is_stale(Listing(read_at=fresh), now)
    assert listings.is_stale(Listing(read_at=old), now)
    assert not listings.is_stale(Listing(read_at=old, failed_at=fresh), now)
