"""The raw tab: the vendor's document as we hold it, secrets replaced by fingerprints."""

from __future__ import annotations

from typing import Any

from console.http import TenantRequest
from integrations_app.models import Integration
from integrations_app.services import integrations


def build(request: TenantRequest, integration: Integration) -> dict[str, Any]:
    return {"document": integrations.load_document(integration)}
