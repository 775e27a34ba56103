"""Where an integration may be cloned to: vendor accounts, perhaps of another tenant, that open the same place.

A vendor clones with one call, inside what one secret opens. Whether another account opens it too shows in the mirror
(it lists the same integration) or in the secret itself (it is the same, bound in the same way).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from console.access import policy
from console.access.models import User
from console.access.permissions import Permission
from integrations_app.models import Integration, VendorAccount
from integrations_app.services.errors import InvalidError
from integrations_app.vendors import registry

ELSEWHERE = (
    "Its secret opens another account at the vendor, and a clone stays inside one. "
    "To copy it there, take its template archive and install that at the vendor."
)
OTHER_REGION = "It is in another region of the vendor, and a clone stays inside one."


@dataclass(frozen=True)
class Target:
    """An account, and why nothing can be cloned into it; "" when it can."""

    account: VendorAccount
    reason: str = ""


def targets(integration: Integration, by: User) -> list[Target]:
    """The accounts of the integration's vendor wherever `by` may clone, its own first, then those that can be one."""
    here = integration.vendor_account
    places = policy.tenants_where(by, Permission.INTEGRATION_CREATE)
    accounts = VendorAccount.objects.in_use().for_tenants(places).filter(vendor=integration.vendor)
    found = list(accounts.select_related("tenant").order_by("tenant__name", "name", "id"))
    seen = _that_list_it(integration, found)
    judged = [Target(account, _reason(here, account, is_listed=account.pk in seen)) for account in found]
    return sorted(judged, key=lambda target: (target.account.pk != here.pk, bool(target.reason)))


def _that_list_it(integration: Integration, accounts: Iterable[VendorAccount]) -> set[object]:
    rows = Integration.objects.filter(vendor_account__in=list(accounts), remote_id=integration.remote_id, gone_at=None)
    return set(rows.values_list("vendor_account_id", flat=True))


def _reason(here: VendorAccount, account: VendorAccount, *, is_listed: bool) -> str:
    if account.pk == here.pk:
        return ""
    if account.region != here.region:
        return OTHER_REGION
    is_same_secret = account.credential_id == here.credential_id and account.binding == here.binding
    return "" if is_listed or is_same_secret else ELSEWHERE


def find(integration: Integration, account_id: str, *, by: Iterable[User]) -> VendorAccount:
    """The account to clone into, which everybody in `by` may make integrations in at this moment.

    Raises InvalidError for one that is not there, of another vendor, or out of their rights.
    """
    accounts = VendorAccount.objects.in_use().filter(vendor=integration.vendor)
    account = accounts.select_related("tenant", "credential").filter(pk=account_id).first()
    if account is None:
        raise InvalidError({"account": "The account to clone into is not there any more."})
    for person in by:
        if not policy.may(person, Permission.INTEGRATION_CREATE, account.tenant):
            raise InvalidError({"account": f"{person} may not create integrations at the tenant to clone into."})
    if account.region != integration.vendor_account.region:
        raise InvalidError({"account": OTHER_REGION})
    return account


def place(account: VendorAccount) -> str:
    """An account in a sentence: "Celigo, Production (Larkspur Outdoor)"."""
    return f"{registry.label(account.vendor)}, {account.name} ({account.tenant.name})"
