"""The tabs of an integration's page, in their order. To add one: an entry here, a module in `views/`, a template."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from console.access.permissions import Permission
from console.http import TenantRequest
from integrations_app.models import Integration
from integrations_app.views import connection, history, inside, overview, raw

Builder = Callable[[TenantRequest, Integration], dict[str, Any]]


@dataclass(frozen=True)
class Tab:
    """`build` makes the context of `integrations/tabs/<slug>.html`; `is_offered` hides a tab without content."""

    slug: str
    label: str
    build: Builder
    permission: Permission = Permission.INTEGRATION_VIEW
    count: Callable[[Integration], int] | None = None
    is_offered: Callable[[Integration], bool] = lambda integration: True


TABS: tuple[Tab, ...] = (
    Tab("overview", "Overview", overview.build),
    Tab("inside", "What is inside", inside.build, count=inside.count, is_offered=inside.is_offered),
    Tab("connection", "Connection", connection.build, is_offered=connection.is_offered),
    Tab("history", "History", history.build, count=history.count),
    Tab("raw", "Raw", raw.build),
)


def find_tab(slug: str, integration: Integration) -> Tab | None:
    """The tab with this address, when this integration has it."""
    return next((tab for tab in TABS if tab.slug == slug and tab.is_offered(integration)), None)
