"""Short ways to take a write through its jobs as a worker would, and to see what the simulator really did."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from integrations_app.models import Integration, VendorAccount, VendorWrite
from integrations_app.services import vendor_writes
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.jobs.mirror_jobs import run
from tests.integrations_app.services.mirroring import added, simulated, sync

CELIGO = "larkspur-celigo-sandbox"


def mirrored(simulator: SimulatorServer, name: str = CELIGO) -> VendorAccount:
    """An account of the simulator, added and synced."""
    account = added(simulator, name)
    sync(account)
    return account


def plain_integrations(account: VendorAccount) -> Iterable[Integration]:
    """Its integrations that stand in no installation, in a fixed order."""
    rows = Integration.objects.filter(vendor_account=account, state="active").order_by("remote_id")
    rows = rows.exclude(version="")
    return rows.select_related("tenant", "vendor_account__tenant", "vendor_account__credential", "document")


def one_with(account: VendorAccount, key: str) -> Integration:
    """The first plain integration whose document has something under this top-level name."""
    from integrations_app.services.documents import load

    return next(row for row in plain_integrations(account) if load(row.document.redacted).get(key))


def go_on(write: VendorWrite) -> VendorWrite:
    """Run the job the write waits for, and see how the write stands."""
    write.refresh_from_db()
    assert write.job is not None
    run(write.job)
    write.refresh_from_db()
    return write


def applied(simulator: SimulatorServer, account_name: str = CELIGO) -> list[dict[str, Any]]:
    """What the pretend vendor really changed, in order."""
    return list(simulator.world.ledger(account_name))


def lose_answers(
    simulator: SimulatorServer, method: str, path: str, *, kind: str = "reset_after", times: int | None = 1
) -> None:
    """From now on this call's answer is lost; applied or not by the kind of fault."""
    status = 502 if kind.startswith("status") else 500
    simulator.world.add_fault(Fault("lost", kind, method=method, path=path, times=times, status=status, seconds=0.2))


def change_at_vendor(
    simulator: SimulatorServer, integration: Integration, account_name: str = CELIGO, **fields: Any
) -> None:
    """Somebody else changes it with the vendor's own screen."""
    there = simulated(simulator, account_name)
    number = simulator.world.items(simulator._vendors["celigo"], there).number_of(integration.remote_id)
    assert number is not None
    simulator.world.change_item(there, number, fields)


def edited(integration: Integration, by: Any, changes: dict[str, Any], *, key: str = "", base: str = "") -> VendorWrite:
    """An edit asked for as the form does it: drawn from the document as it is here now."""
    integration.refresh_from_db()
    return vendor_writes.request(
        "edit",
        by=by,
        integration=integration,
        params={"changes": changes, "base": base or bytes(integration.document.digest).hex()},
        key=key or vendor_writes.new_key(),
    )
