"""What can be done with the things of a listing: a button for each row, check boxes for many, links for the page.

Each kind that has some is one function here; a kind without is only shown. A button that the vendor or the person's
rights do not allow stays, with the reason. Nothing is decided here: the views that the buttons lead to ask again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from console.access import policy
from console.access.permissions import Permission
from console.http import TenantRequest
from integrations_app.models import Integration
from integrations_app.services import listings, pings, vendor_writes
from integrations_app.services.operations import registry
from integrations_app.views.listing_rows import Action, Note, Row


@dataclass(frozen=True)
class Choosing:
    """Check boxes named `name` in the rows, and what can be done with those that are chosen.

    `fields` go along hidden. `all_count` is how many "all" would be, 0 where all cannot be named at once.
    """

    name: str
    item: str
    fields: tuple[tuple[str, str], ...]
    buttons: tuple[Action, ...]
    all_count: int = 0


@dataclass
class Offered:
    """What a listing's page offers beside its rows. `above` leads to the listing this one is a part of."""

    links: list[Action] = field(default_factory=list)
    choosing: Choosing | None = None
    above: tuple[str, str] | None = None
    is_watching: bool = False
    title: str = ""


Offer = Callable[["Page"], None]


@dataclass
class Page:
    """A listing's page on its way to the template: rows get their actions, `offered` the rest."""

    request: TenantRequest
    integration: Integration
    scope: str
    rows: list[Row]
    matching: int
    offered: Offered = field(default_factory=Offered)

    def url(self, name: str) -> str:
        return reverse(f"integrations:{name}", args=[self.request.tenant.slug, self.integration.pk])

    def tab_url(self, slug: str, **query: str) -> str:
        base = reverse("integrations:tab", args=[self.request.tenant.slug, self.integration.pk, slug])
        return f"{base}?{urlencode(query)}" if query else base

    def reason(self, operation: str) -> str:
        """Why this person cannot have this done to this integration, "" when they can."""
        permission = registry.operation(operation).permission
        return vendor_writes.unsupported_reason(operation, self.integration.vendor) or self.refusal(permission)

    def refusal(self, permission: Permission) -> str:
        if self.integration.vendor_account.is_removed:
            return "Its vendor account was removed here, so nothing can be asked of the vendor."
        if self.integration.gone_at is not None:
            return "It is gone at the vendor."
        if permission in self.request.permissions:
            return ""
        return policy.refusal(permission, self.request.tenant)


def offer(request: TenantRequest, integration: Integration, kind: str, context: dict[str, Any]) -> Offered:
    """Put the actions on the rows of `context`; returns what the page as a whole offers."""
    shown = context["shown"]
    page = Page(request, integration, context["scope"], shown.rows, shown.matching)
    if kind in _OFFERS:
        _OFFERS[kind](page)
    return page.offered


def _flows(page: Page) -> None:
    switch_reason, run_reason = page.reason("switch_flow"), page.reason("run_flow")
    for row in page.rows:
        is_on = row.values.get("is_on")
        if isinstance(is_on, bool):
            label = "Switch off" if is_on else "Switch on"
            fields = (("flow", row.key), ("is_on", "0" if is_on else "1"), ("key", vendor_writes.new_key()))
            row.actions.append(Action("switch", label, page.url("switch_flow"), fields, switch_reason))
        once = (("flow", row.key), ("key", vendor_writes.new_key()))
        row.actions.append(Action("run", "Run", page.url("run_flow"), once, run_reason))


def _connections(page: Page) -> None:
    registering = page.reason("register_connections")
    page.offered.links.append(
        Action("register", "Register connections", page.url("register_connections"), reason=registering, is_link=True)
    )
    unsupported = pings.unsupported_reason(page.integration.vendor)
    ping_reason = unsupported or page.refusal(Permission.VENDOR_ACCOUNT_TEST)
    unregister_reason = page.reason("unregister_connection")
    pinged = {} if unsupported else pings.last_of(page.integration)
    for row in page.rows:
        fields = (("connection", row.key),)
        row.actions.append(Action("ping", "Ping", page.url("ping_connection"), fields, ping_reason, is_quick=True))
        once = (*fields, ("key", vendor_writes.new_key()))
        row.actions.append(
            Action("unregister", "Unregister", page.url("unregister_connection"), once, unregister_reason)
        )
        if (last := pinged.get(row.key)) is not None:
            row.note = _ping_note(last)
            page.offered.is_watching = page.offered.is_watching or last.is_open


def _ping_note(last: pings.Pinged) -> Note:
    if last.is_open:
        return Note("run", f"Ping: {last.words or 'being tried'}")
    tone = "unknown" if last.is_ok is None else "ok" if last.is_ok else "bad"
    return Note(tone, f"Ping: {last.words}", last.at)


def _errors(page: Page) -> None:
    # The count is of steps; how many errors each has stands in its row.
    page.offered.title = "Steps with errors"
    for row in page.rows:
        row.url = page.tab_url("error_records", scope=row.key)


def _records(page: Page) -> None:
    page.offered.title = f"Open errors of {step_name(page.integration, page.scope)}"
    page.offered.above = ("All errors", page.tab_url("errors"))
    retry, resolve = page.reason("retry_errors"), page.reason("resolve_errors")
    buttons = (
        Action("retry", "Retry", page.url("retry_errors"), reason=retry),
        Action("resolve", "Resolve", page.url("resolve_errors"), reason=resolve),
    )
    fields = (("scope", page.scope), ("key", vendor_writes.new_key()), ("q", page.request.GET.get("q", "")))
    page.offered.choosing = Choosing("errors", "record", fields, buttons, page.matching)
    for row in page.rows:
        can_retry = bool(row.values.get("retry_key"))
        if can_retry:
            row.actions.append(Action("retry", "Retry", page.url("retry_errors"), reason=retry, of_form=True))
        row.actions.append(Action("resolve", "Resolve", page.url("resolve_errors"), reason=resolve, of_form=True))


def step_name(integration: Integration, scope: str) -> str:
    """What people call the step of a scope, as the list of errors has it; a step without open errors stands in none,
    and is called after its flow.
    """
    listing = listings.find(integration, "errors")
    found = listings.items(listing) if listing is not None else []
    name = next((item["name"] for item in found if item["remote_id"] == scope), "")
    return name or _step_of_flow(integration, scope)


def _step_of_flow(integration: Integration, scope: str) -> str:
    """ "a step of Orders nightly"; the scope itself where the flow is not known either."""
    listing = listings.find(integration, "flows")
    flow_id = scope.partition("/")[0]
    found = listings.items(listing) if listing is not None else []
    return next((f"a step of {item['name']}" for item in found if item["remote_id"] == flow_id and item["name"]), scope)


def _install(page: Page) -> None:
    _lead_to_wizard(page, "install", "Install step by step")


def _uninstall(page: Page) -> None:
    _lead_to_wizard(page, "uninstall", "Uninstall step by step")


def _lead_to_wizard(page: Page, name: str, label: str) -> None:
    # Everybody may look at it; the page itself says who may submit a step.
    reason = vendor_writes.unsupported_reason(f"{name}_step", page.integration.vendor)
    page.offered.links.append(Action(name, label, page.url(name), reason=reason, is_link=True))


_OFFERS: dict[str, Offer] = {
    "flows": _flows,
    "connections": _connections,
    "errors": _errors,
    "error_records": _records,
    "install_steps": _install,
    "uninstall_steps": _uninstall,
}
