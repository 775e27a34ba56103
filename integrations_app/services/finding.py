"""Find a thing by whatever a person has at hand: our id, the vendor's, a key, a webhook address, an e-mail, or a name.

Only tenants the person may see are looked at, so what is found and what is not look the same to a stranger.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.urls import reverse

from console.access import policy, vault
from console.access.models import Tenant, User
from console.access.permissions import Permission
from integrations_app.models import Integration, IntegrationAlias, Job, VendorAccount
from integrations_app.models.fields import sort_key
from integrations_app.services import bulk_rows, states
from integrations_app.services.mirror import ALIAS_PURPOSE, REMOTE_ID_LENGTH, normal_alias
from integrations_app.vendors import registry

TEXT_LENGTH = 2000
# Of each kind; a person types more rather than reads on.
KEPT = 20
_UUID_IN_TEXT = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Match:
    """One thing found. `why` says by what ("name", "id at the vendor"); an exact match is the thing itself.

    `kind` is "integration", "tenant", "vendor account" or "job".
    """

    kind: str
    title: str
    detail: str
    url: str
    tenant: Tenant
    why: str
    is_exact: bool
    vendor: str = ""


def find(text: str, *, user: User) -> list[Match]:
    """What `user` may see that `text` means: exact matches first, and nothing else where `text` is an id.

    What stands in an integration may be an ordinary word (an app's key), so names that hold it are found beside it.
    """
    text = text.strip()[:TEXT_LENGTH]
    if not text:
        return []
    tenants = policy.tenants_where(user, Permission.INTEGRATION_VIEW)
    by_id = _once([*_by_remote_id(text, tenants), *_by_own_id(text, user, tenants)])
    named = () if by_id else (*_tenants(text, user), *_by_name(text, tenants), *_accounts(text, user))
    return _once([*by_id, *_by_alias(text, tenants), *named])


def _once(matches: list[Match]) -> list[Match]:
    """Each thing where it was first found."""
    kept: dict[str, Match] = {}
    for match in matches:
        kept.setdefault(match.url, match)
    return list(kept.values())


def _integration(row: Integration, why: str, *, is_exact: bool) -> Match:
    return Match(
        kind="integration",
        title=row.name,
        detail=" · ".join(
            filter(None, [registry.vendor(row.vendor).label, row.get_state_display(), states.sentence(row)])
        ),
        url=row.get_absolute_url(),
        tenant=row.tenant,
        why=why,
        is_exact=is_exact,
        vendor=row.vendor,
    )


def _rows(tenants: QuerySet[Tenant]) -> QuerySet[Integration]:
    return Integration.objects.for_tenants(tenants).select_related("tenant").defer("digest", "tenant__notes")


def _by_remote_id(text: str, tenants: QuerySet[Tenant]) -> Iterator[Match]:
    if len(text) <= REMOTE_ID_LENGTH:
        for row in _rows(tenants).filter(remote_id=text).order_by("state_rank", "name_sort", "id")[:KEPT]:
            yield _integration(row, "id at the vendor", is_exact=True)


def _by_alias(text: str, tenants: QuerySet[Tenant]) -> Iterator[Match]:
    """Each tenant has a key of its own, so the text has another digest at each."""
    ids = list(tenants.values_list("pk", flat=True))
    digests = vault.digests(ids, ALIAS_PURPOSE, normal_alias(text))
    found: list[uuid.UUID] = []
    for chunk in bulk_rows.chunks(list(digests.items()), 400):
        aliases = IntegrationAlias.objects.filter(digest__in=[value for _, value in chunk])
        found.extend(
            aliases.filter(tenant_id__in=[key for key, _ in chunk]).values_list("integration_id", flat=True)[:KEPT]
        )
    for row in _rows(tenants).filter(pk__in=found[:KEPT]).order_by("state_rank", "name_sort", "id"):
        yield _integration(row, "something in it", is_exact=True)


def _by_own_id(text: str, user: User, tenants: QuerySet[Tenant]) -> Iterator[Match]:
    """Our own ids, also inside an address of this console."""
    ids = [uuid.UUID(found) for found in _UUID_IN_TEXT.findall(text)[:5]]
    if not ids:
        return
    for row in _rows(tenants).filter(pk__in=ids):
        yield _integration(row, "id here", is_exact=True)
    visible = policy.tenants_where(user, Permission.JOB_VIEW)
    for job in Job.objects.for_tenants(visible).filter(pk__in=ids).select_related("tenant"):
        yield Match("job", job.title, str(job.get_state_display()), job.get_absolute_url(), job.tenant, "id here", True)
    accounts = VendorAccount.objects.for_tenants(policy.tenants_where(user, Permission.VENDOR_ACCOUNT_VIEW))
    for account in accounts.filter(pk__in=ids).select_related("tenant"):
        yield _account(account, "id here", is_exact=True)


def _by_name(text: str, tenants: QuerySet[Tenant]) -> Iterator[Match]:
    found = _rows(tenants).filter(name_sort__contains=sort_key(text)).order_by("name_sort", "id")
    for row in found[:KEPT]:
        yield _integration(row, "name", is_exact=False)


def _tenants(text: str, user: User) -> Iterator[Match]:
    wanted = Q(name__icontains=text) | Q(slug=text.lower()) | Q(external_id__iexact=text)
    for tenant in policy.visible_tenants(user).filter(wanted).order_by("name", "id")[:KEPT]:
        url = reverse("tenants:detail", args=[tenant.slug])
        yield Match("tenant", tenant.name, tenant.external_id, url, tenant, "tenant", is_exact=False)


def _accounts(text: str, user: User) -> Iterator[Match]:
    """By name, and by the identity the vendor told: the account's, not the secret's."""
    accounts = VendorAccount.objects.in_use().for_tenants(policy.tenants_where(user, Permission.VENDOR_ACCOUNT_VIEW))
    found = accounts.filter(Q(name__icontains=text) | Q(identity__icontains=text))
    for account in found.select_related("tenant").order_by("name", "id")[:KEPT]:
        yield _account(account, "vendor account", is_exact=False)


def _account(account: VendorAccount, why: str, *, is_exact: bool) -> Match:
    detail = registry.vendor(account.vendor).label
    url = account.get_absolute_url()
    return Match("vendor account", account.name, detail, url, account.tenant, why, is_exact, account.vendor)
