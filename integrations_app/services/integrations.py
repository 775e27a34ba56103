"""Integrations as people look for them: lists, search, what needs a person; and one read anew from its vendor.

Every read takes the tenants the caller may see (`policy.visible_tenants(user)`, or one tenant as a query set).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Min, Q, QuerySet
from django.utils import timezone

from console.access.models import Tenant, TenantLabel, User
from console.paging import Page, among, capped_count, keyset_page
from integrations_app.models import Integration, IntegrationDocument, Job, VendorAccount
from integrations_app.models.fields import sort_key
from integrations_app.services import account_health, jobs, states, vendor_accounts
from integrations_app.services.documents import load
from integrations_app.services.finding import Match, find
from integrations_app.services.mirror import Mirror, Written, mark_gone
from integrations_app.services.tasks_for_people import Task, TenantTasks, things_to_do
from integrations_app.vendors.base import RemoteIntegration
from integrations_app.vendors.errors import VendorError, VendorNotFoundError, VendorResponseError

__all__ = [
    "CappedNumber",
    "ListAge",
    "ListQuery",
    "Match",
    "Refreshed",
    "Task",
    "TenantTasks",
    "count",
    "counts_by_state",
    "find",
    "list_age",
    "list_page",
    "load_document",
    "mark_deleted",
    "read_afresh",
    "refresh",
    "request_refresh",
    "rows",
    "things_to_do",
]

COUNT_CAP = 10_000
# A list older than this is shown as old: twice the usual time between two syncs, and some.
STALE_AFTER = timedelta(hours=3)

_ORDERS = {
    "name": ("name_sort", "id"),
    "-name": ("-name_sort", "-id"),
    "changed": ("changed_at", "id"),
    "-changed": ("-changed_at", "-id"),
    "state": ("state_rank", "changed_at", "id"),
    "-state": ("-state_rank", "-changed_at", "-id"),
}
SORTS = tuple(_ORDERS)
DEFAULT_SORT = "-changed"


# --- lists -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ListQuery:
    """What a list shows: the tenants it may read at all, then filters ("" and None for none), then the order.

    `tenant` is a slug, `text` a part of the name, `label` one that the tenant carries. Archived and gone ones show when
    asked for, by `with_archived` or by their state.
    """

    tenants: QuerySet[Tenant]
    tenant: str = ""
    vendor: str = ""
    state: str = ""
    account: uuid.UUID | None = None
    label: str = ""
    text: str = ""
    needs_attention: bool = False
    with_archived: bool = False
    sort: str = DEFAULT_SORT

    @property
    def is_filtered(self) -> bool:
        chosen = (self.tenant, self.vendor, self.state, self.account, self.label, self.text, self.needs_attention)
        return any(chosen)


@dataclass(frozen=True)
class CappedNumber:
    """A count that stops at the cap: its text is "412" or "10,000+"."""

    number: int
    is_capped: bool

    def __str__(self) -> str:
        return f"{COUNT_CAP:,}+" if self.is_capped else f"{self.number:,}"


@dataclass(frozen=True)
class ListAge:
    """How old the lists behind a page are. `oldest` and `newest` are None when no account was ever synced."""

    oldest: datetime | None
    newest: datetime | None
    accounts: int
    stale: int
    failing: int


def rows(query: ListQuery) -> QuerySet[Integration]:
    """The integrations a query asks for, unordered."""
    tenants = query.tenants
    if query.label:
        tenants = tenants.filter(pk__in=TenantLabel.objects.filter(name=query.label).values("tenant_id"))
    # Of one tenant the index that begins with the tenant has the order; of several the one that does not.
    found = Integration.objects.filter(among("tenant_id", tenants.values("id")))
    if query.tenant:
        # Compared with one value, so that PostgreSQL too knows that a single tenant's rows come in their index's order.
        found = found.filter(tenant_id=Tenant.objects.filter(slug=query.tenant).order_by().values("id")[:1])
    wanted = Integration.State.ATTENTION if query.needs_attention else query.state
    if wanted in states.RANKS:
        found = found.filter(state_rank=states.RANKS[wanted])
    elif not query.with_archived:
        # Not "less than", which would tempt SQLite to gather the rows by their state and sort them.
        hidden = [states.RANKS[state] for state in (Integration.State.ARCHIVED, Integration.State.GONE)]
        found = found.exclude(state_rank__in=hidden)
    if query.vendor:
        found = found.filter(vendor=query.vendor)
    if query.account is not None:
        found = found.filter(vendor_account_id=query.account)
    if query.text and (text := sort_key(query.text)):
        found = found.filter(name_sort__contains=text)
    return found


def list_page(query: ListQuery, *, cursors: Mapping[str, str], size: int = 50) -> Page[Integration]:
    """One page of rows with tenant and account loaded; `cursors` is the request's query string. One query, or two when
    the reader has come back to the beginning."""
    order = _ORDERS.get(query.sort, _ORDERS[DEFAULT_SORT])
    found = rows(query).select_related("tenant", "vendor_account").defer("digest", "tenant__notes")
    return keyset_page(found, order=order, query=cursors, size=size)


def count(query: ListQuery) -> CappedNumber:
    """How many there are, counted no further than COUNT_CAP."""
    number = capped_count(rows(query), COUNT_CAP + 1)
    return CappedNumber(min(number, COUNT_CAP), number > COUNT_CAP)


def list_age(query: ListQuery, now: datetime | None = None) -> ListAge:
    """How old the lists of the accounts behind a query are; one query."""
    accounts = VendorAccount.objects.in_use().for_tenants(query.tenants)
    if query.tenant:
        accounts = accounts.filter(tenant__slug=query.tenant)
    if query.vendor:
        accounts = accounts.filter(vendor=query.vendor)
    if query.account is not None:
        accounts = accounts.filter(pk=query.account)
    old = Q(listed_at=None) | Q(listed_at__lt=(now or timezone.now()) - STALE_AFTER)
    found = accounts.aggregate(
        oldest=Min("listed_at"),
        newest=Max("listed_at"),
        accounts=Count("pk"),
        stale=Count("pk", filter=old),
        failing=Count("pk", filter=Q(state=VendorAccount.State.FAILING)),
    )
    return ListAge(**found)


def counts_by_state(tenants: QuerySet[Tenant]) -> dict[uuid.UUID, dict[str, int]]:
    """For each tenant that has any: how many integrations are in which state; one query."""
    counted: dict[uuid.UUID, dict[str, int]] = {}
    by_rank = {rank: state for state, rank in states.RANKS.items()}
    grouped = Integration.objects.for_tenants(tenants).order_by().values_list("tenant_id", "state_rank")
    for tenant_id, rank, number in grouped.annotate(number=Count("pk")):
        counted.setdefault(tenant_id, {})[str(by_rank[rank])] = number
    return counted


# --- one ---------------------------------------------------------------------------------------------------------


def load_document(integration: Integration) -> Any:
    """The redacted copy of its document, parsed: a secret is {"$secret": "7f3a0c21"}; None when there is none."""
    stored = IntegrationDocument.objects.for_tenant(integration.tenant).filter(pk=integration.pk)
    redacted = stored.values_list("redacted", flat=True).first()
    return None if redacted is None else load(redacted)


def request_refresh(integration: Integration, *, by: User) -> Job:
    """Ask for one integration to be read anew; while that is under way, the same job."""
    return jobs.request(
        "refresh_integration",
        tenant=integration.tenant,
        by=by,
        target=integration,
        vendor_account=integration.vendor_account,
        key=f"refresh:{integration.pk}",
    )


@dataclass(frozen=True)
class Refreshed:
    """`change` is one of "unchanged", "changed", "returned", "missing", "gone"."""

    change: str
    state: str


def refresh(integration: Integration, *, job: Job | None = None, hold: Callable[[], None] = lambda: None) -> Refreshed:
    """Read one integration from its vendor and write it, as a sync would.

    One that the vendor does not have is missing at first, and gone when it was missing before. Raises VendorError.
    Workers only.
    """
    try:
        _, written = _read(integration, job=job, hold=hold)
    except VendorNotFoundError:
        return _not_found(integration, hold)
    if written.returned:
        return Refreshed("returned", integration.state)
    return Refreshed("changed" if written.drifted else "unchanged", integration.state)


def read_afresh(
    integration: Integration, *, job: Job | None = None, hold: Callable[[], None] = lambda: None
) -> RemoteIntegration:
    """The integration as its vendor holds it now, in the mirror too. Raises VendorError, VendorNotFoundError when the
    vendor has it no more (it is missing or gone here from then on). Workers only.
    """
    try:
        return _read(integration, job=job, hold=hold)[0]
    except VendorNotFoundError:
        _not_found(integration, hold)
        raise


def _read(integration: Integration, *, job: Job | None, hold: Callable[[], None]) -> tuple[RemoteIntegration, Written]:
    account, asked_at = integration.vendor_account, timezone.now()
    try:
        remote = vendor_accounts.connect(account).get_integration(integration.remote_id)
        if remote.remote_id != integration.remote_id:
            raise VendorResponseError("The vendor answered with another integration.", vendor=account.vendor)
    except VendorNotFoundError:
        raise
    except VendorError as error:
        account_health.note_failure(account, error, is_about_one=True)
        raise
    written = Mirror(account, job=job).write([remote], is_single=True, hold=hold, asked_at=asked_at)
    account_health.note_success(account)
    integration.refresh_from_db()
    return remote, written


def _not_found(integration: Integration, hold: Callable[[], None]) -> Refreshed:
    now = timezone.now()
    with transaction.atomic():
        hold()
        if integration.missing_since is not None:
            mark_gone([integration.pk], now)
        else:
            Integration.objects.filter(pk=integration.pk, gone_at=None).update(missing_since=now)
    integration.refresh_from_db()
    return Refreshed("missing" if integration.gone_at is None else "gone", integration.state)


def mark_deleted(integration: Integration, *, hold: Callable[[], None] = lambda: None) -> None:
    """Gone at once: a sync needs two looks to believe that something is missing, but this one was taken away by us.

    `seen_at` moves along, so that a page of a list that was read before cannot bring it back. Workers only.
    """
    now = timezone.now()
    with transaction.atomic():
        hold()
        mark_gone([integration.pk], now)
        Integration.objects.filter(pk=integration.pk).update(seen_at=now, missing_since=now)
    integration.refresh_from_db()
