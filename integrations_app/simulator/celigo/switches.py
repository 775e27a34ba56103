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
        "Inside a template archive: a folder per kind of resource, one manifest.json, or a path that leads out.",
        ("folders", "manifest", "hostile"),
    ),
    Switch(
        "celigo.empty_child_list_is_204",
        True,
        "An empty list of flows, connections, exports or imports answers 204 without a body instead of [].",
    ),
    Switch(
        "celigo.patch_answer",
        "nothing",
        "A PATCH answers 204 without a body, or 200 with the document.",
        ("nothing", "document"),
    ),
    Switch(
        "celigo.updating_blocks_settings",
        True,
        "While `updateInProgress` is true, changes to settings are refused (422).",
    ),
    Switch(
        "celigo.delete_with_flows",
        "taken_along",
        "Deleting an integration takes its flows along, leaves them behind, or is refused (422) while there are any.",
        ("taken_along", "left_behind", "refused"),
    ),
    Switch(
        "celigo.clone_reply",
        "resource",
        "A clone answers with the new integration, or with a list of all that was made.",
        ("resource", "manifest"),
    ),
    Switch("celigo.clone_needs_map", True, "A clone without connectionMap is refused (400) when connections are used."),
    Switch(
        "celigo.clone_environment_field",
        "_environmentId",
        "Which field of a clone's body names its environment.",
        ("_environmentId", "environmentId", "environment"),
    ),
    Switch(
        "celigo.dependencies_shape",
        "object",
        "Dependencies: an object of lists by kind, or one list with resourceType.",
        ("object", "array"),
    ),
    Switch(
        "celigo.register_reply",
        "empty_array",
        "What registering connections answers with: [], the ids now listed, the integration, or no body.",
        ("empty_array", "ids", "integration", "none"),
    ),
    Switch(
        "celigo.refused_ping_status",
        200,
        "Status of a ping that the other side refuses; 422 has `errors` alone.",
        (200, 422),
    ),
    Switch("celigo.revision_seconds", 0.0, "How long a new revision stays in progress."),
    Switch(
        "celigo.in_progress_spelling",
        "inprogress",
        "How the status of such a revision is spelt.",
        ("inprogress", "inProgress", "in_progress"),
    ),
    Switch(
        "celigo.one_revision_at_a_time",
        False,
        "A second revision is refused (422) while one of the integration is in progress.",
    ),
    Switch(
        "celigo.standalone_clones_refuse_revisions",
        True,
        "Clones made through the API keep no revisions (422), as the vendor says where it explains clones.",
    ),
    Switch(
        "celigo.revision_diff",
        "before_after",
        "The sides of a revision's diff: before and after, or current and merged.",
        ("before_after", "current_merged"),
    ),
    Switch("celigo.install_steps_status", 201, "Status of GET installSteps; the reference page says 201.", (201, 200)),
    Switch(
        "celigo.steps_reply",
        "array",
        "A done step answers with the steps alone, or with an object that also holds warnings.",
        ("array", "object"),
    ),
    Switch("celigo.failed_steps_are_sent", True, "A step that fails answers with `steps` beside `errors`."),
    Switch(
        "celigo.uninstalled_status",
        201,
        "Status of the empty answer that says an integration is uninstalled.",
        (201, 204),
    ),
    Switch(
        "celigo.template_method",
        "both",
        "Which method asks for a template archive; the vendor's table says GET, its sample POST.",
        ("both", "get", "post"),
    ),
    Switch(
        "celigo.run_exports_field",
        "_exportIds",
        "Which field of a run's body names the exports to run.",
        ("_exportIds", "exportIds"),
    ),
    Switch(
        "celigo.run_reply",
        "job_id",
        "A run answers with `_jobId`, the whole job, or no body.",
        ("job_id", "job", "none"),
    ),
    Switch("celigo.run_seconds", 0.0, "How long a run that was started takes."),
    Switch("celigo.disabled_flows_run", False, "A disabled flow can be run; else it is refused (422)."),
    Switch(
        "celigo.latest_job_reply",
        "array",
        "A flow's latest job comes in a list, or alone.",
        ("array", "object"),
    ),
    Switch("celigo.error_page_size", 100, "Error records on a page."),
    Switch(
        "celigo.next_page_url",
        "relative",
        "Whether nextPageURL begins at the host's root or is a whole address.",
        ("relative", "absolute"),
    ),
    Switch(
        "celigo.resolved_errors_stay",
        False,
        "Resolved errors that could be retried stay in the list of open ones; the counters leave them out.",
    ),
    Switch("celigo.retry_status", 200, "Status of a retry.", (200, 201)),
)
