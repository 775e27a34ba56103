"""A tenant with four vendors' accounts, synced for real from the simulator in this process: rows for pages to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.access import invitations
from console.access.models import Role, Tenant, User
from integrations_app.jobs import runner
from integrations_app.models import Credential, Integration, Job, VendorAccount
from integrations_app.services import credentials, jobs, listings, snapshots, vendor_accounts
from tests.people import give
from tests.servers import wait_until

if TYPE_CHECKING:
    from integrations_app.simulator.server import SimulatorServer
    from tests.people import People

CELIGO = "larkspur-celigo-sandbox"
LONG = "Nightly reconciliation of marketplace payouts, refunds and fees against every ledger we have"
RIGHT_TO_LEFT = "תזמון חשבוניות וזיכויים אל מערכת הכספים"
EMOJI = "🛒➡️📦 Orders 👩‍🚀 to warehouse"


@dataclass(frozen=True)
class Mirrored:
    """`accounts` by the simulator's name of each; `shared` is the Membrane credential that one of them is bound to."""

    tenant: Tenant
    owner: User
    accounts: Mapping[str, VendorAccount]
    shared: Credential
    invitation: str

    def some(self, account: str, **columns: object) -> Integration:
        """An integration of this account, the first by name."""
        rows = Integration.objects.for_tenant(self.tenant).filter(vendor_account=self.accounts[account], **columns)
        found = rows.order_by("name_sort").first()
        assert found is not None
        return found


def mirror(simulator: SimulatorServer, people: People, names: tuple[str, ...]) -> Mirrored:
    """Add the simulator's accounts `names` to the first tenant, test and sync each; Celigo's has changed once since."""
    owner, tenant = people.members["owner"], people.tenant
    # Binding a shared credential takes a platform admin who may also manage accounts here.
    give(people.platform, "owner", tenant)
    shared = _shared_membrane(simulator, people.platform)
    celigo = simulator.world.account(CELIGO)
    assert celigo is not None
    for number, name in enumerate((LONG, RIGHT_TO_LEFT, EMOJI)):
        simulator.world.change_item(celigo, number, {"name": name})
    accounts = {name: _add(simulator, tenant, people.platform, name, shared) for name in names}
    for account in accounts.values():
        run(vendor_accounts.request_test(account, by=owner))
        run(vendor_accounts.request_sync(account, by=owner))
    if CELIGO in accounts:
        _change_one(simulator, accounts[CELIGO], owner)
    viewer = Role.objects.get(slug="viewer")
    sent = invitations.invite(tenant=tenant, email="new@people.example", name="New Person", role=viewer, by=owner)
    return Mirrored(tenant, owner, accounts, shared, f"/invitations/{sent.token}/")


def _shared_membrane(simulator: SimulatorServer, platform: User) -> Credential:
    world = simulator.world.account("osmond-membrane")
    assert world is not None
    return credentials.create_shared(by=platform, vendor="membrane", name="Our workspace", fields=world.credential)


def _add(simulator: SimulatorServer, tenant: Tenant, platform: User, name: str, shared: Credential) -> VendorAccount:
    world = simulator.world.account(name)
    assert world is not None
    is_shared = world.vendor == shared.vendor
    return vendor_accounts.add(
        tenant=tenant,
        by=platform,
        vendor=world.vendor,
        name=f"{world.label} {world.customer}",
        region=world.region,
        binding=world.binding,
        fields=None if is_shared else world.credential,
        credential=shared if is_shared else None,
    )


def _change_one(simulator: SimulatorServer, account: VendorAccount, owner: User) -> None:
    """A snapshot of one integration, a change made at the vendor, and the sync that sees it."""
    celigo = simulator.world.account(CELIGO)
    assert celigo is not None
    integration = Integration.objects.for_tenant(account.tenant).get(vendor_account=account, name=EMOJI)
    run(snapshots.request(integration, by=owner, note="before the freeze"))
    simulator.world.change_item(celigo, 2, {"description": "Orders as they come in, one per line"})
    run(vendor_accounts.request_sync(account, by=owner))


def read_all(integration: Integration, by: User) -> None:
    """Read everything that the vendor lists of this integration, so that its tabs have rows to show."""
    for kind in listings.kinds(integration.vendor):
        if not kind.is_scoped and not kind.is_of_account:
            run(listings.request(integration, kind.slug, by=by))


def run(job: Job) -> Job:
    """Run a job here and wait for its end: a worker left over from another test may have taken it first."""
    jobs.dispatch()
    runner.run(str(job.pk))

    def has_ended() -> bool:
        job.refresh_from_db()
        return job.is_finished

    wait_until(has_ended, f"{job.title} had not ended", seconds=20)
    return job
