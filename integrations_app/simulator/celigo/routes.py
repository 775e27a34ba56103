"""Every operation of a pretend Celigo account: method, path below `/v1`, and the function that answers.

`{}` stands for an id. The order matters only where a word stands where an id could.
"""

from __future__ import annotations

from integrations_app.simulator.celigo import (
    clones,
    connections,
    errors_of_flows,
    flows,
    integrations,
    jobs,
    paging,
    revisions,
    steps,
)
from integrations_app.simulator.celigo.call import Operation

_ROUTES: tuple[tuple[str, str, Operation], ...] = (
    ("GET", "integrations", paging.integrations),
    ("POST", "integrations", integrations.create),
    ("GET", "integrations/{}", integrations.get),
    ("PUT", "integrations/{}", integrations.put),
    ("PATCH", "integrations/{}", integrations.patch),
    ("DELETE", "integrations/{}", integrations.delete),
    ("POST", "integrations/{}/clone", clones.clone),
    ("GET", "integrations/{}/clone/preview", clones.preview),
    ("GET", "integrations/{}/flows", integrations.children("flow")),
    ("GET", "integrations/{}/exports", integrations.children("export")),
    ("GET", "integrations/{}/imports", integrations.children("import")),
    ("GET", "integrations/{}/connections", connections.registered),
    ("PUT", "integrations/{}/connections/register", connections.register_many),
    ("PUT", "integrations/{}/connections/{}/register", connections.register_one),
    ("DELETE", "integrations/{}/connections/{}/register", connections.unregister),
    ("GET", "integrations/{}/ashares", integrations.shares),
    ("GET", "integrations/{}/audit", integrations.audit),
    ("GET", "integrations/{}/dependencies", integrations.dependencies),
    ("GET", "integrations/{}/revisions", revisions.listed),
    ("POST", "integrations/{}/revisions/create", revisions.create),
    ("GET", "integrations/{}/revisions/{}", revisions.get),
    ("GET", "integrations/{}/revisions/{}/diff", revisions.diff),
    ("GET", "integrations/{}/revisions/{}/errors", revisions.errors),
    ("GET", "integrations/{}/installSteps", steps.to_install),
    ("POST", "integrations/{}/installSteps", steps.install),
    ("GET", "integrations/{}/uninstallSteps", steps.to_uninstall),
    ("POST", "integrations/{}/uninstallSteps", steps.uninstall),
    ("GET", "integrations/{}/errors", errors_of_flows.of_integration),
    ("GET", "integrations/{}/jobs/latest", jobs.latest_of_integration),
    ("GET", "flows", integrations.of_account("flow")),
    ("GET", "flows/{}", integrations.one("flow")),
    ("PATCH", "flows/{}", flows.patch),
    ("DELETE", "flows/{}", flows.delete),
    ("POST", "flows/{}/run", flows.run),
    ("GET", "flows/{}/jobs/latest", jobs.latest_of_flow),
    ("GET", "flows/{}/errors", errors_of_flows.of_flow),
    ("GET", "flows/{}/{}/errors", errors_of_flows.open_records),
    ("GET", "flows/{}/{}/resolved", errors_of_flows.resolved_records),
    ("PUT", "flows/{}/{}/resolved", errors_of_flows.resolve),
    ("DELETE", "flows/{}/{}/resolved", errors_of_flows.purge_resolved),
    ("POST", "flows/{}/{}/retry", errors_of_flows.retry),
    ("GET", "connections", integrations.of_account("connection")),
    ("GET", "connections/{}", integrations.one("connection")),
    ("GET", "connections/{}/ping", connections.ping),
    ("POST", "connections/{}/ping", connections.ping),
    ("GET", "exports", integrations.of_account("export")),
    ("GET", "exports/{}", integrations.one("export")),
    ("GET", "imports", integrations.of_account("import")),
    ("GET", "imports/{}", integrations.one("import")),
    ("GET", "jobs", jobs.listed),
    ("GET", "jobs/{}", jobs.get),
)
_TABLE = tuple((method, tuple(path.split("/")), operation) for method, path, operation in _ROUTES)


def find(method: str, segments: tuple[str, ...]) -> tuple[Operation, tuple[str, ...]] | None:
    """The operation for a path below `/v1` and the ids in it; None when nothing is served there."""
    for known, parts, operation in _TABLE:
        if known == method and len(parts) == len(segments):
            pairs = list(zip(parts, segments, strict=True))
            if all(part in ("{}", segment) for part, segment in pairs):
                return operation, tuple(segment for part, segment in pairs if part == "{}")
    return None
