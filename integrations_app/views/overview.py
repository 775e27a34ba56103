"""The overview tab: what to do, the facts, what happened lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from console.audit.models import AuditEvent
from console.http import TenantRequest
from integrations_app.document_view import shown_fields
from integrations_app.models import Integration
from integrations_app.services import integrations, listings, states, vendor_writes
from integrations_app.vendors import registry
from integrations_app.vendors.base import FindingCode
from integrations_app.views import connection, inside

TIMELINE_LENGTH = 8
# The tab where a finding is dealt with, and what a button to it says.
_TABS: dict[str, tuple[str, str]] = {
    FindingCode.ERRORS: ("errors", "To the errors"),
    FindingCode.CONNECTION_OFFLINE: ("connections", "To the connections"),
}


@dataclass(frozen=True)
class _Shown:
    """A step with the page of the console where it is taken; "" where there is none."""

    step: states.NextStep
    url: str = ""
    label: str = ""


def build(request: TenantRequest, integration: Integration) -> dict[str, Any]:
    document = integrations.load_document(integration)
    client = registry.vendor(integration.vendor)
    return {
        "steps": _steps(integration),
        "groups": shown_fields(document, client.document_fields, tabs=_tabs(integration)),
        "timeline": _timeline(integration),
    }


def _steps(integration: Integration) -> Sequence[_Shown]:
    return [_shown(integration, step) for step in states.next_steps(integration, integration.document.findings)]


def _shown(integration: Integration, step: states.NextStep) -> _Shown:
    here = [integration.tenant.slug, integration.pk]
    if step.code == FindingCode.HALF_INSTALLED and not vendor_writes.unsupported_reason(
        "install_step", integration.vendor
    ):
        return _Shown(step, reverse("integrations:install", args=here), "Go on installing")
    slug, label = _TABS.get(step.code, ("", ""))
    if not any(kind.slug == slug for kind in listings.kinds(integration.vendor)):
        return _Shown(step)
    return _Shown(step, reverse("integrations:tab", args=[*here, slug]), label)


def _tabs(integration: Integration) -> list[str]:
    """This tab, and those that this integration does not have: no field may go unseen."""
    lacking = {"inside": inside, "connection": connection}
    return ["overview", *(name for name, tab in lacking.items() if not tab.is_offered(integration))]


def _timeline(integration: Integration) -> list[dict[str, Any]]:
    events = AuditEvent.objects.filter(
        tenant_id=integration.tenant_id, target_type="integration", target_id=integration.pk.hex
    )[:TIMELINE_LENGTH]
    shown = [
        {"text": event.sentence[:1].upper() + event.sentence[1:], "who": event.by_label, "at": event.at, "tone": ""}
        for event in events
    ]
    seen = {"text": "First seen here", "who": "", "at": integration.first_seen_at, "tone": "ok"}
    return [*shown, seen]
