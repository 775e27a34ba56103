"""The open questions about Membrane's API, each answered one way until somebody turns its switch."""

from __future__ import annotations

from integrations_app.simulator.wire import Switch

SWITCHES = (
    Switch("membrane.default_page_size", 100, "Page size without `limit`; unpublished."),
    Switch("membrane.order", "oldest", "Order of a list: by creation, oldest or newest first.", ("oldest", "newest")),
    Switch("membrane.cursor_style", "offset", "A cursor is a decimal offset or opaque text.", ("offset", "opaque")),
    Switch(
        "membrane.bad_cursor",
        "refused",
        "A malformed cursor answers 400, or the first page.",
        ("refused", "first_page"),
    ),
    Switch(
        "membrane.last_cursor", "absent", "The last page's cursor: absent, null or empty.", ("absent", "null", "empty")
    ),
    Switch("membrane.reads_need_admin", False, "Listing and getting integrations needs an admin token (403 without)."),
    Switch(
        "membrane.unknown_tenant", "created", "A tenant key never seen is a new tenant, or 401.", ("created", "refused")
    ),
    Switch(
        "membrane.candidates_by_default",
        "off",
        "Generated candidates without connectors/externalApps/websearch: never, or when `search` is there.",
        ("off", "with_search"),
    ),
    Switch(
        "membrane.all_means",
        "sources",
        "`all=1`: every source of candidates, archived ones as well, or nothing.",
        ("sources", "archived", "nothing"),
    ),
    Switch("membrane.parameters_hold_secrets", False, "Parameters hold secrets even without includeSecrets."),
    Switch("membrane.spec", "summary", "The `spec` of an integration: a summary, or absent.", ("summary", "absent")),
    Switch("membrane.is_connected_is_sent", True, "Items carry `isConnected`, newer than the reference page."),
    Switch("membrane.requests_per_minute", 0, "Calls a workspace may make in a rolling minute; 0 is no limit."),
    Switch("membrane.retry_after_is_sent", False, "A 429 carries Retry-After; none is published."),
)
