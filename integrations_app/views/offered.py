"""What an integration's page offers to do. What is not possible stays there, disabled, with the reason."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from console.access import policy
from console.access.permissions import Permission
from console.http import TenantRequest
from integrations_app.models import Integration
from integrations_app.services import vendor_writes
from integrations_app.services.operations import registry as operations
from integrations_app.vendors import registry

# What the menu offers to change at the vendor: the operation, and the page where it begins.
OFFERED = (
    ("edit", "integrations:edit"),
    ("take_revision", "integrations:revision"),
    ("clone", "integrations:clone"),
    ("install_step", "integrations:install"),
    ("uninstall_step", "integrations:uninstall"),
    ("delete", "integrations:delete"),
)
# Why there is nothing to do of a kind once its steps were read and there are none.
_NO_STEPS = {
    "install_step": ("install_steps", "There is nothing to install: it was not made to be installed step by step."),
    "uninstall_step": ("uninstall_steps", "It has no steps to uninstall it: it is deleted as a whole."),
}


def actions(request: TenantRequest, integration: Integration) -> list[dict[str, Any]]:
    """The two most used actions, as buttons."""
    lost = _lost(integration)
    shown = []
    for name, label, permission in (
        ("refresh", "Refresh", Permission.INTEGRATION_SYNC),
        ("snapshot", "Snapshot", Permission.SNAPSHOT_CREATE),
    ):
        reason = "" if permission in request.permissions else policy.refusal(permission, request.tenant)
        # What is gone may be back: asking is always possible while there is an account to ask with.
        if not reason and (name == "snapshot" or integration.vendor_account.is_removed):
            reason = lost
        url = reverse(f"integrations:{name}", args=[request.tenant.slug, integration.pk])
        shown.append({"label": label, "id": name, "url": url, "reason": reason})
    return shown


def menu(request: TenantRequest, integration: Integration) -> list[dict[str, Any]]:
    """All the rest, under "More"."""
    lines = [_line(request, integration, name, url_name) for name, url_name in OFFERED]
    url = integration.remote_url
    label = f"Open at {registry.vendor(integration.vendor).label}"
    if not url.startswith("https://"):
        return [*lines, {"label": label, "reason": "The vendor gives no address of a page for it."}]
    return [*lines, {"label": label, "url": url, "method": "get", "symbol": "external", "is_external": True}]


def _line(request: TenantRequest, integration: Integration, name: str, url_name: str) -> dict[str, Any]:
    kind = operations.operation(name)
    reason = vendor_writes.unsupported_reason(name, integration.vendor)
    if not reason and kind.permission not in request.permissions:
        reason = policy.refusal(kind.permission, request.tenant)
    if reason := reason or _lost(integration) or _without_steps(integration, name):
        return {"label": kind.label, "reason": reason}
    return {"label": kind.label, "url": reverse(url_name, args=[request.tenant.slug, integration.pk]), "method": "get"}


def _without_steps(integration: Integration, name: str) -> str:
    """Why it cannot be installed, or uninstalled, step by step; "" when it can, or nobody has read its steps yet."""
    kind, reason = _NO_STEPS.get(name, ("", ""))
    has_none = any(row.kind == kind and row.read_at and not row.count for row in integration.listings.all())
    return reason if has_none else ""


def _lost(integration: Integration) -> str:
    """Why nothing can be asked of the vendor about it, "" when it can."""
    if integration.vendor_account.is_removed:
        return "Its vendor account was removed here, so nothing can be asked of the vendor."
    if integration.state == Integration.State.GONE:
        return "It is gone at the vendor; what is shown is the last that was seen."
    return ""
