"""What an integration is made of: workflows with their steps, and whatever else came with the list."""

from __future__ import annotations

from typing import Any

from console.http import TenantRequest
from integrations_app.document_view import shown_fields
from integrations_app.models import Integration
from integrations_app.services import integrations
from integrations_app.vendors import registry
from integrations_app.vendors.base import PartKind

WORKFLOWS_SHOWN = 200


def _parts(integration: Integration) -> list[Any]:
    return [part for part in integration.parts.all() if part.kind == PartKind.WORKFLOW]


def count(integration: Integration) -> int:
    return len(_parts(integration))


def is_offered(integration: Integration) -> bool:
    return bool(_parts(integration))


def build(request: TenantRequest, integration: Integration) -> dict[str, Any]:
    client = registry.vendor(integration.vendor)
    document = integrations.load_document(integration)
    workflows = _parts(integration)
    return {
        "workflows": workflows[:WORKFLOWS_SHOWN],
        "hidden_workflows": max(0, len(workflows) - WORKFLOWS_SHOWN),
        "groups": shown_fields(document, client.document_fields, tabs=("inside",)),
    }
