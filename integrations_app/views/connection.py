"""The connection behind an integration, or the workspaces it is shared with: what the vendor says of either."""

from __future__ import annotations

from typing import Any

from console.http import TenantRequest
from integrations_app.document_view import shown_fields
from integrations_app.models import Integration
from integrations_app.services import integrations
from integrations_app.vendors import registry
from integrations_app.vendors.base import PartKind


def is_offered(integration: Integration) -> bool:
    return any(part.kind != PartKind.WORKFLOW for part in integration.parts.all())


def build(request: TenantRequest, integration: Integration) -> dict[str, Any]:
    client = registry.vendor(integration.vendor)
    document = integrations.load_document(integration)
    return {
        "parts": [part for part in integration.parts.all() if part.kind != PartKind.WORKFLOW],
        "groups": shown_fields(document, client.document_fields, tabs=("connection",)),
    }
