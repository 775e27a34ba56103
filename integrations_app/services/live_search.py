"""Live search: the vendor is asked with its own filters, and what it answers is shown and forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from console.access.models import User
from console.access.vault import TenantVault
from console.audit.events import Event
from console.audit.services import record
from integrations_app.models import Integration, VendorAccount
from integrations_app.services import account_health, vendor_accounts
from integrations_app.services.documents import plain
from integrations_app.services.redaction import Redactor
from integrations_app.vendors import registry
from integrations_app.vendors.base import SearchAnswer, SupportsLiveSearch
from integrations_app.vendors.errors import VendorError

# What a page shows of one answer; a vendor that sends more is asked again with its cursor.
HITS_KEPT = 500
CURSOR_LENGTH = 4000


def search(account: VendorAccount, *, filters: Mapping[str, str], cursor: str, by: User | None) -> dict[str, Any]:
    """Ask the vendor; returns {"hits": [{"remote_id", "name", "summary", "is_candidate", "integration_id"}],
    "next_cursor", "bad": [reason]}, plain text without secrets. `integration_id` is our row of the same thing, or "".

    Filters the vendor does not have are left out. Raises VendorError, VendorUnsupportedError included. Workers only.
    """
    client = vendor_accounts.connect(account, SupportsLiveSearch)
    if not isinstance(client, SupportsLiveSearch):  # connect() has said so already; this says it to the type checker
        raise TypeError("The client has no live search.")
    known = {field.name for field in client.search_fields}
    asked = {name: str(value) for name, value in filters.items() if name in known and value}
    try:
        answer = client.search_integrations(asked, cursor[:CURSOR_LENGTH])
    except VendorError as error:
        account_health.note_failure(account, error, is_about_one=True)
        raise
    with transaction.atomic():
        account_health.note_success(account)
        detail = {"filters": ", ".join(sorted(asked)), "hits": len(answer.hits)}
        record(Event.LIVE_SEARCHED, by=by, tenant=account.tenant, target=account, detail=detail)
    return _shown(account, answer)


def _shown(account: VendorAccount, answer: SearchAnswer) -> dict[str, Any]:
    fields = registry.vendor(account.vendor).document_fields
    redactor = Redactor(fields, TenantVault(account.tenant_id).fingerprint)
    hits = answer.hits[:HITS_KEPT]
    rows = Integration.objects.for_tenant(account.tenant).filter(vendor_account=account)
    ours = dict(rows.filter(remote_id__in=[hit.remote_id for hit in hits]).values_list("remote_id", "pk"))
    return {
        "hits": [
            {
                "remote_id": plain(hit.remote_id, 200),
                "name": plain(redactor.redact_text(hit.name), 300),
                "summary": plain(redactor.redact_text(hit.summary), 500),
                "is_candidate": hit.is_candidate,
                "integration_id": str(ours.get(hit.remote_id, "")),
            }
            for hit in hits
        ],
        "next_cursor": answer.next_cursor if len(answer.next_cursor) <= CURSOR_LENGTH else "",
        "bad": [plain(redactor.redact_text(bad.reason), 300) for bad in answer.bad[:50]],
    }
