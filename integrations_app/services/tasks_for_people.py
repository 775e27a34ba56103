"""What needs a person now, by tenant: integrations in trouble, accounts that do not work, secrets about to expire,
changes whose answer was lost.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from console.access.models import Tenant
from integrations_app.models import Integration, VendorAccount, VendorWrite, WriteState
from integrations_app.services import states
from integrations_app.services.account_health import ShownState, shown_state
from integrations_app.vendors import registry

# A secret is mentioned this long before its last day.
EXPIRY_NOTICE = timedelta(days=30)

_State = VendorAccount.State
_TROUBLE = (_State.FAILING, _State.PARTIAL)

# The lower, the worse. An account that does not work hides all of its integrations; a lost connection stops one.
_ACCOUNT_SEVERITY = {_State.EXPIRED: 0, _State.FAILING: 0, _State.PAUSED: 1, _State.PARTIAL: 4}
_EXPIRY_SEVERITY = 3
_UNKNOWN_SEVERITY = 1
_FINDING_SEVERITY = {code.value: 2 + (number > 7) * 2 for number, code in enumerate(states.RULES)}


@dataclass(frozen=True)
class Task:
    """One thing for a person. `severity` 0 is the worst; `since` is when the wait began, or when it will be due.

    `action` is a word for a button ("Open", "Replace secret"), `url` where it leads.
    """

    title: str
    sentence: str
    turn: str
    since: datetime | None
    action: str
    url: str
    vendor: str
    severity: int
    vendor_words: str = ""
    kind: str = "integration"  # or "vendor account", "credential", "change"

    @property
    def vendor_label(self) -> str:
        return registry.label(self.vendor) if self.vendor else "?"

    @property
    def turn_label(self) -> str:
        return states.turn_label(self.turn)

    @property
    def sort_key(self) -> tuple[int, float]:
        return self.severity, self.since.timestamp() if self.since else 0.0


@dataclass(frozen=True)
class TenantTasks:
    """The tasks of one tenant, worst first, then longest waiting."""

    tenant: Tenant
    tasks: tuple[Task, ...]

    @property
    def sort_key(self) -> tuple[int, float]:
        return self.tasks[0].sort_key


def things_to_do(tenants: QuerySet[Tenant], limit: int = 100) -> list[TenantTasks]:
    """What needs a person at these tenants, those with the worst first; at most `limit` of a kind. Three queries."""
    found: dict[uuid.UUID, tuple[Tenant, list[Task]]] = {}
    for tenant, task in [*_accounts(tenants), *_writes(tenants, limit), *_integrations(tenants, limit)]:
        found.setdefault(tenant.pk, (tenant, []))[1].append(task)
    groups = [
        TenantTasks(tenant, tuple(sorted(tasks, key=lambda task: task.sort_key))) for tenant, tasks in found.values()
    ]
    return sorted(groups, key=lambda group: group.sort_key)


def count_ours(tenants: QuerySet[Tenant], cap: int = 1000) -> int:
    """How many integrations and accounts are our turn, integrations counted no further than `cap`. Two queries.

    Changes to settle are left out: they are rare, and every page of the console asks for this number.
    """
    rank = states.RANKS[Integration.State.ATTENTION]
    rows = Integration.objects.for_tenants(tenants).filter(
        state_rank=rank, turn=Integration.Turn.OURS, vendor_account__removed_at=None
    )
    ours = sum(1 for _, task in _accounts(tenants) if task.turn == Integration.Turn.OURS)
    return rows[:cap].count() + ours


def _writes(tenants: QuerySet[Tenant], limit: int) -> Iterator[tuple[Tenant, Task]]:
    """Changes whose answer was lost and of which only a person can tell whether they happened."""
    rows = VendorWrite.objects.for_tenants(tenants).filter(state=WriteState.UNKNOWN)
    for write in rows.select_related("tenant", "vendor_account").order_by("sent_at", "id")[:limit]:
        yield (
            write.tenant,
            Task(
                title=write.title,
                sentence="sent, and the answer was lost: look whether it happened",
                turn=Integration.Turn.OURS,
                since=write.sent_at,
                action="Settle",
                url=write.get_absolute_url(),
                vendor=write.vendor_account.vendor if write.vendor_account else "",
                severity=_UNKNOWN_SEVERITY,
                kind="change",
            ),
        )


def _integrations(tenants: QuerySet[Tenant], limit: int) -> Iterator[tuple[Tenant, Task]]:
    rank = states.RANKS[Integration.State.ATTENTION]
    rows = Integration.objects.for_tenants(tenants).filter(state_rank=rank, vendor_account__removed_at=None)
    for row in rows.select_related("tenant").defer("digest", "tenant__notes").order_by("changed_at", "id")[:limit]:
        yield (
            row.tenant,
            Task(
                title=row.name,
                sentence=states.sentence(row),
                turn=row.turn,
                since=row.state_since,
                action="Open",
                url=row.get_absolute_url(),
                vendor=row.vendor,
                severity=_FINDING_SEVERITY.get(row.finding_code, 4),
                vendor_words=row.vendor_words,
            ),
        )


def _accounts(tenants: QuerySet[Tenant]) -> Iterator[tuple[Tenant, Task]]:
    now = timezone.now()
    soon = (now + EXPIRY_NOTICE).date()
    rows = VendorAccount.objects.in_use().for_tenants(tenants).select_related("tenant", "credential", "gate", "owner")
    in_trouble = Q(state__in=_TROUBLE) | Q(gate__paused_until__gt=now) | Q(credential__expires_on__lte=soon)
    for account in rows.filter(in_trouble):
        shown = shown_state(account, now)
        if shown.needs_person:
            yield account.tenant, _trouble(account, shown)
        if shown.state != _State.EXPIRED and (task := _expiring(account, now)) is not None:
            yield account.tenant, task


def _trouble(account: VendorAccount, shown: ShownState) -> Task:
    is_vendors = shown.state == _State.PAUSED
    return Task(
        title=f"{registry.vendor(account.vendor).label}, {account.name}",
        sentence=shown.sentence,
        turn=Integration.Turn.VENDOR if is_vendors else Integration.Turn.OURS,
        since=shown.since,
        action="Replace secret" if shown.state == _State.EXPIRED else "Open",
        url=account.get_absolute_url(),
        vendor=account.vendor,
        severity=_ACCOUNT_SEVERITY[_State(shown.state)],
        kind="vendor account",
    )


def _expiring(account: VendorAccount, now: datetime) -> Task | None:
    credential = account.credential
    if credential is None or credential.expires_on is None or credential.expires_on > (now + EXPIRY_NOTICE).date():
        return None
    days = (credential.expires_on - now.date()).days
    when = "today" if days == 0 else "tomorrow" if days == 1 else f"in {days} days"
    return Task(
        title=f"{registry.vendor(account.vendor).label}, {account.name}",
        sentence=f"the secret expires {when}, on {credential.expires_on:%-d %b %Y}",
        turn=Integration.Turn.OURS,
        since=datetime.combine(credential.expires_on, time(), UTC),
        action="Replace secret",
        url=account.get_absolute_url(),
        vendor=account.vendor,
        severity=_EXPIRY_SEVERITY,
        kind="credential",
    )
