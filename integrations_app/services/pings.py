"""Pinging a connection of an integration: the vendor tries it, and what it says is shown for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from console.access.models import User
from console.access.vault import TenantVault
from integrations_app.models import Integration, Job, JobState
from integrations_app.services import account_health, jobs, listings, vendor_accounts
from integrations_app.services.documents import Redactor, plain
from integrations_app.services.errors import InvalidError
from integrations_app.vendors import registry
from integrations_app.vendors.capabilities import SupportsRegistration
from integrations_app.vendors.errors import VendorError

# The last so many pings of an integration are looked through for those of its connections.
PINGS_SHOWN = 100


@dataclass(frozen=True)
class Pinged:
    """The last ping of a connection. `is_ok` None: it is under way, or it could not be made, as `words` say."""

    is_ok: bool | None
    words: str
    at: datetime | None
    is_open: bool


def unsupported_reason(vendor: str) -> str:
    """Why connections of a vendor cannot be pinged, "" when they can."""
    client = registry.vendor(vendor)
    if issubclass(client, SupportsRegistration):
        return ""
    return client.unsupported_reasons.get("SupportsRegistration", f"{client.label} does not offer this.")


def request(integration: Integration, connection_id: str, *, by: User) -> Job:
    """Ask for a ping of a connection that the integration lists; while one is under way, the same job.

    Raises InvalidError for a connection that is not on its list here, PermissionDenied.
    """
    listing = listings.find(integration, "connections")
    known = {item["remote_id"]: item["name"] for item in listings.items(listing)} if listing is not None else {}
    if connection_id not in known:
        raise InvalidError({"": "The integration lists no such connection: refresh its connections."})
    return jobs.request(
        "ping_connection",
        tenant=integration.tenant,
        by=by,
        target=integration,
        vendor_account=integration.vendor_account,
        params={"connection": connection_id},
        key=f"ping:{integration.pk}:{connection_id[:60]}",
        title=f"Ping {known[connection_id] or connection_id}",
    )


def ping(integration: Integration, connection_id: str) -> dict[str, Any]:
    """Have the vendor try a connection; returns {"connection", "ok", "note"}. Raises VendorError. Workers only.

    A connection whose other side refuses is an answer, not an error.
    """
    account = integration.vendor_account
    client = cast(SupportsRegistration, vendor_accounts.connect(account, SupportsRegistration))
    try:
        probe = client.ping_connection(connection_id)
    except VendorError as error:
        account_health.note_failure(account, error, is_about_one=True)
        raise
    account_health.note_success(account)
    redact = Redactor((), TenantVault(account.tenant_id).fingerprint).redact_text
    words = f"{probe.answer.rstrip('.')}: {probe.consequence}." if probe.consequence else probe.answer
    return {"connection": connection_id, "ok": probe.ok, "note": plain(redact(words), 300)}


def last_of(integration: Integration) -> Mapping[str, Pinged]:
    """The last ping of each connection, by its remote id; one query."""
    rows = Job.objects.for_tenant(integration.tenant).about(integration).filter(type="ping_connection")
    found: dict[str, Pinged] = {}
    for job in rows.order_by("-created_at", "-id")[:PINGS_SHOWN]:
        found.setdefault(str(job.params.get("connection", "")), _pinged(job))
    return found


def _pinged(job: Job) -> Pinged:
    if job.state == JobState.SUCCEEDED:
        return Pinged(bool(job.result.get("ok")), str(job.result.get("note", "")), job.finished_at, is_open=False)
    words = job.waiting_for if not job.is_finished else job.error or job.get_state_display()
    return Pinged(None, words, job.finished_at or job.created_at, is_open=not job.is_finished)
