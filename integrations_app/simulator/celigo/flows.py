"""Flows: read, switched on and off, run. Source: Celigo help centre, "Flow API endpoints"."""

from __future__ import annotations

from integrations_app.simulator.celigo import history, jobs
from integrations_app.simulator.celigo.call import Call, nothing
from integrations_app.simulator.celigo.errors import failed, problem, refused
from integrations_app.simulator.celigo.integrations import answer_to_patch
from integrations_app.simulator.celigo.patches import FLOW_PATHS, patched
from integrations_app.simulator.celigo.resources import steps_of
from integrations_app.simulator.wire import Response

_TEXTS = ("name", "description", "schedule", "timezone")
_TRUTHS = ("disabled", "runPageGeneratorsInParallel")


def patch(call: Call, identifier: str) -> Response:
    """Change the places that may be patched: `disabled`, `schedule`, names and a few more."""
    before = call.one("flow", identifier)
    after = patched(before, call.body(), FLOW_PATHS)
    wrong = [problem("invalid_field", f"{name} must be text", name) for name in _TEXTS
             if name in after and not isinstance(after[name], str)]  # fmt: skip
    wrong += [problem("invalid_field", f"{name} must be true or false", name) for name in _TRUTHS
              if name in after and not isinstance(after[name], bool)]  # fmt: skip
    wrong += [] if after.get("name") else [problem("missing_required_field", "name is required", "name")]
    if wrong:
        raise refused(wrong)
    call.shelf.put("flow", after)
    history.note(call, before["_integrationId"], "update", before, after, kind="flow", identifier=identifier)
    call.applied("flow_patch", identifier)
    return answer_to_patch(call, call.one("flow", identifier))


def delete(call: Call, identifier: str) -> Response:
    """Delete a flow; its exports and imports stay."""
    flow = call.one("flow", identifier)
    history.note(call, flow["_integrationId"], "delete", flow, {}, kind="flow", identifier=identifier)
    call.shelf.take_away("flow", identifier)
    number = call.shelf.items.number_of(flow["_integrationId"])
    if number is not None:
        call.shelf.recount(number)
    call.applied("flow_delete", identifier)
    return nothing()


def run(call: Call, identifier: str) -> Response:
    """Run a flow now. Assumed: the names in the body and in the reply."""
    flow = call.one("flow", identifier)
    body = call.object_body()
    if flow.get("disabled") and not call.switch("disabled_flows_run"):
        raise failed(422, "invalid_field", "The flow is disabled.", "disabled")
    exports = {each for kind, each in steps_of(flow) if kind == "export"}
    asked = body.get(call.switch("run_exports_field"), [])
    if not isinstance(asked, list) or not set(map(str, asked)) <= exports:
        raise failed(422, "invalid_ref", "The flow has no such export.", call.switch("run_exports_field"))
    job = jobs.start(call, flow, "flow")
    call.shelf.put("flow", {**flow, "lastExecutedAt": job["createdAt"]}, is_change=False)
    call.applied("run", identifier, job["_id"])
    reply = call.switch("run_reply")
    if reply == "none":
        return nothing(201)
    return Response.of_json(job if reply == "job" else {"_jobId": job["_id"]}, 201)
