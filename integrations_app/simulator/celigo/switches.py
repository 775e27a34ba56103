"""The open questions about Celigo's API, each answered one way until somebody turns its switch."""

from __future__ import annotations

from integrations_app.simulator.wire import Switch

SWITCHES = (
    Switch(
        "celigo.default_page_size",
        1000,
        "Page size without `limit`; the vendor's page says both 100 and 1000.",
        (100, 1000),
    ),
    Switch(
        "celigo.empty_list_is_204", False, "An empty list of integrations answers 204 without a body instead of []."
    ),
    Switch(
        "celigo.link_style",
        "skip",
        "What the next page's address carries: `skip` or an opaque `after`.",
        ("skip", "after"),
    ),
    Switch("celigo.single_has_counters", True, "GET by id also carries the counters of the list (numError ...)."),
    Switch("celigo.token_info_has_scope", False, "tokenInfo carries `scope` beside `_userId`."),
    Switch("celigo.bucket_size", 1000, "Tokens an account's leaky bucket holds."),
    Switch("celigo.bucket_refill_per_second", 300.0, "Tokens that flow back into it each second."),
    Switch("celigo.retry_after_is_sent", True, "A 429 carries Retry-After."),
    Switch("celigo.include_brackets_fail", False, "`include[]=` in a list's query answers 500."),
    Switch("celigo.not_found_code", "not_found", "Code of a 404; no source gives it.", ("not_found", "invalid_ref")),
    Switch(
        "celigo.archive_layout",
        "folders",
        "Inside a template archive: a folder per kind of resource, or one manifest.json.",
        ("folders", "manifest"),
    ),
)
