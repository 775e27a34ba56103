"""The overview tab: what to do, the facts, what happened lately."""

from __future__ import annotations

from typing import Any

from console.audit.models import AuditEvent
from console.http import TenantRequest
from integrations_app.document_view import shown_fields
from integrations_app.models import Integration
from integrations_app.services import integrations, states
from integrations_app.vendors import registry
from integrations_app.views import connection, inside

TIMELINE_LENGTH = 8


def build(request: TenantRequest, integration: Integration) -> dict[str, Any]:
    document = integrations.load_document(integration)
    client = registry.vendor(integration.vendor)
    return {
        "steps": states.next_steps(integration, integration.document.findings),
        "groups": shown_fields(document, client.document_fields, tabs=_tabs(integration)),
        "timeline": _timeline(integration),
    }


def _tabs(integration: Integration) -> list[str]:
    """This tab, and those that this integration does not have: no field may go unseen."""
    lacking = {"inside": inside, "connection": connection}
    return ["overview", *(name for name, tab in lacking.items() if not tab.is_offered(integration))]


def _timeline(integration: Integration) -> list[dict[str, Any]]:
    events = AuditEvent.objects.filter(
        tenant_id=integration.tenant_id, target_type="integration", target_id=integration.pk.hex
    )[:TIMELINE_LENGTH]
    shown = [
        {"text": event.sentence.capitalize(), "who": event.by_label, "at": event.at, "tone": ""} for event in events
    ]
    seen = {"text": "First seen here", "who": "", "at": integration.first_seen_at, "tone": "ok"}
    return [*shown, seen]
