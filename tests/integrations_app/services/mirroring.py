"""Short ways to have an account of the simulator in the console, to sync it, and to see what the mirror holds."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from console.access.models import Grant, Role, Tenant, User
from console.access.services import sync_builtin_roles
from integrations_app.models import Integration, VendorAccount
from integrations_app.services import sync_runs, vendor_accounts
from integrations_app.simulator.server import SimulatorServer
from integrations_app.simulator.wire import Account

_numbers = itertools.count(1)


@dataclass
class Watched:
    """A job's progress that remembers what it was told; `stop_after` pages it is stopped like a lost worker."""

    stop_after: int | None = None
    units: int = 0
    failed: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    _checks: int = 0

    def start(self, total: int | None, unit: str) -> None:
        self.units = 0

    def advance(self, n: int = 1, failed: int = 0) -> None:
        self.units += n

    def say(self, text: str, level: str = "info", subject: str = "") -> None:
        self.lines.append(f"{subject}: {text}")

    def fail_item(self, subject: str, reason: str) -> None:
        self.failed.append(f"{subject}: {reason}")

    def check(self) -> None:
        if self.stop_after is not None and self._checks >= self.stop_after:
            raise KeyboardInterrupt
        self._checks += 1

    def hold(self) -> None:
        pass


def owner_of(tenant: Tenant, *, is_platform_admin: bool = True) -> User:
    sync_builtin_roles()
    number = next(_numbers)
    user = User.objects.create_user(
        f"owner-{number}@demo.example", None, name=f"Ana {number}", is_platform_admin=is_platform_admin
    )
    Grant.objects.create(user=user, role=Role.objects.get(slug="owner"), scope=Grant.Scope.TENANT, tenant=tenant)
    return user


def tenant(name: str = "Larkspur") -> Tenant:
    return Tenant.objects.create(slug=f"{name.lower()}-{next(_numbers)}", name=name)


def simulated(simulator: SimulatorServer, name: str) -> Account:
    account = simulator.world.account(name)
    assert account is not None
    return account


def added(simulator: SimulatorServer, name: str, by: User | None = None, at: Tenant | None = None) -> VendorAccount:
    """The simulator's account of that name, added to a tenant as a person does it."""
    at = at or tenant()
    there = simulated(simulator, name)
    return vendor_accounts.add(
        tenant=at,
        by=by or owner_of(at),
        vendor=there.vendor,
        name=f"{there.label} {next(_numbers)}",
        region=there.region,
        binding=there.binding,
        fields=there.credential,
    )


def sync(account: VendorAccount, progress: Watched | None = None) -> dict[str, object]:
    """Sync once, as the job does, on the account as it is now."""
    account.refresh_from_db()
    return sync_runs.sync(account, job=None, progress=progress or Watched())


def states_of(account: VendorAccount) -> dict[str, str]:
    return dict(Integration.objects.filter(vendor_account=account).values_list("remote_id", "state"))
