"""The tab with an integration's template archives: what was fetched, what was refused and why, how to have another."""

from __future__ import annotations

from typing import Any

from console.access import policy
from console.access.permissions import Permission
from console.http import TenantRequest
from integrations_app.models import Integration
from integrations_app.services import archives

# A fetched archive is a rare thing; whoever needs an older one finds it in the history.
ARCHIVES_SHOWN = 50


def is_offered(integration: Integration) -> bool:
    return archives.are_offered(integration.vendor)


def count(integration: Integration) -> int:
    return archives.history(integration).count()


def build(request: TenantRequest, integration: Integration) -> dict[str, Any]:
    rows = list(archives.history(integration)[: ARCHIVES_SHOWN + 1])
    may_inspect = Permission.ARCHIVE_INSPECT in request.permissions
    return {
        "archives": rows[:ARCHIVES_SHOWN],
        "has_more": len(rows) > ARCHIVES_SHOWN,
        "archive_job": archives.open_job(integration),
        "fetch_refusal": archives.why_not(integration) or _refusal(request, Permission.ARCHIVE_INSPECT),
        "may_inspect": may_inspect,
    }


def _refusal(request: TenantRequest, permission: Permission) -> str:
    return "" if permission in request.permissions else policy.refusal(permission, request.tenant)
