"""The tabs of an integration's page, in their order. To add one: an entry here, a module in `views/`, a template.

What a vendor lists of an integration (`listings` of its client) gets a tab each by itself, after "What is inside".
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from console.access.permissions import Permission
from console.http import TenantRequest
from integrations_app.models import Integration
from integrations_app.services import listings
from integrations_app.vendors.capabilities import ListingKind
from integrations_app.views import archive_tab, connection, history, inside, listing, overview, raw

Builder = Callable[[TenantRequest, Integration], dict[str, Any]]


@dataclass(frozen=True)
class Tab:
    """`build` makes the context of `integrations/tabs/<template>.html`; `is_offered` hides a tab without content.

    `template` is the slug where none is named. `as_of` is how old the count is, None where it is never old.
    `is_listed` False: it has an address, and no place in the row of tabs; `under` is then the tab it belongs to.
    """

    slug: str
    label: str
    build: Builder
    permission: Permission = Permission.INTEGRATION_VIEW
    count: Callable[[Integration], int | None] | None = None
    is_offered: Callable[[Integration], bool] = lambda integration: True
    template: str = ""
    as_of: Callable[[Integration], datetime | None] | None = None
    is_listed: bool = True
    under: str = ""

    @property
    def template_name(self) -> str:
        return f"integrations/tabs/{self.template or self.slug}.html"


_LEFT: tuple[Tab, ...] = (
    Tab("overview", "Overview", overview.build),
    Tab("inside", "What is inside", inside.build, count=inside.count, is_offered=inside.is_offered),
)
_RIGHT: tuple[Tab, ...] = (
    Tab("connection", "Connection", connection.build, is_offered=connection.is_offered),
    Tab("archives", "Archives", archive_tab.build, count=archive_tab.count, is_offered=archive_tab.is_offered),
    Tab("history", "History", history.build, count=history.count),
    Tab("raw", "Raw", raw.build),
)
TABS: tuple[Tab, ...] = (*_LEFT, *_RIGHT)


# Listings without a place of their own, and the one that leads to them.
_UNDER = {
    "error_records": "errors",
    "connection": listing.CONNECTIONS,
    "revisions": "history",
    "uninstall_steps": "install_steps",
}


@functools.cache
def _of_kind(kind: ListingKind) -> Tab:
    return Tab(
        kind.slug,
        kind.label,
        functools.partial(listing.build, kind=kind),
        count=functools.partial(listing.count, kind=kind),
        template="listing",
        as_of=functools.partial(listing.as_of, kind=kind),
        is_listed=kind.is_tab and not kind.is_scoped,
        under=_UNDER.get(kind.slug, ""),
    )


def tabs_of(integration: Integration) -> tuple[Tab, ...]:
    """The tabs of this integration in their order, those without a place in the row included."""
    kinds = [kind for kind in listings.kinds(integration.vendor) if not kind.is_of_account]
    taken = {tab.slug for tab in TABS}
    right = _RIGHT
    if any(kind.slug == listing.CONNECTIONS for kind in kinds):
        # The vendor's own list of them stands in its place, and leads to it.
        right = tuple(replace(tab, is_listed=tab.slug not in _UNDER, under=_UNDER.get(tab.slug, "")) for tab in _RIGHT)
    found = (*_LEFT, *(_of_kind(kind) for kind in kinds if kind.slug not in taken), *right)
    return tuple(tab for tab in found if tab.is_offered(integration))


def find_tab(slug: str, integration: Integration) -> Tab | None:
    """The tab with this address, when this integration has it."""
    return next((tab for tab in tabs_of(integration) if tab.slug == slug), None)
