"""Installing and uninstalling an Integration App, step by step.

Source: Celigo help centre, "Integration API endpoints" (the statuses: 201 for a GET and 200 for a POST of installSteps,
the reverse for uninstallSteps) and "Integration Apps"; the bodies as the vendor's web app sends them.
"""

from __future__ import annotations

from integrations_app.simulator.celigo import connections, history
from integrations_app.simulator.celigo.call import Call, nothing
from integrations_app.simulator.celigo.documents import Document
from integrations_app.simulator.celigo.errors import Problem, RefusedError, problem, refused
from integrations_app.simulator.celigo.fields import OBJECT_ID
from integrations_app.simulator.wire import Response


def to_install(call: Call, identifier: str) -> Response:
    """The steps of installing."""
    steps = call.integration(identifier).get("installSteps", [])
    return Response.of_json(steps, call.switch("install_steps_status"))


def to_uninstall(call: Call, identifier: str) -> Response:
    """The steps of uninstalling."""
    return Response.of_json(call.integration(identifier).get("uninstallSteps", []))


def install(call: Call, identifier: str) -> Response:
    """Do the next step of installing; with the last one the integration can be used."""
    document, number = call.integration(identifier), call.number(identifier)
    body = call.object_body()
    steps = document.get("installSteps", [])
    step = _next(steps)
    if step is None:
        raise _refused(call, steps, problem("invalid_field", "There is no step left to do."))
    wrong = _problems(call, step, body)
    if wrong:
        raise _refused(call, steps, *wrong)
    made = _use_connection(call, document, step, body) if step.get("type") == "connection" else ""
    if step.get("type") == "stack":
        step["_stackId"] = body["_stackId"]
    step["completed"] = True
    if _next(steps) is None:
        document["mode"] = "settings"
        call.shelf.kept("installed", []).append(number)
    _save(call, number, document)
    call.applied("install_step", identifier, made)
    return _answer(call, steps, 200)


def uninstall(call: Call, identifier: str) -> Response:
    """Do the next step of uninstalling; one more request after the last one, and the integration is gone."""
    document, number = call.integration(identifier), call.number(identifier)
    call.object_body()
    steps = document.get("uninstallSteps", [])
    if not steps and "_connectorId" not in document:
        raise _refused(call, steps, problem("invalid_field", "Only an Integration App is uninstalled."))
    step = _next(steps)
    if step is None:
        history.note(call, identifier, "delete", document, {})
        call.shelf.remove(number)
        call.applied("uninstall_step", identifier)
        return nothing(call.switch("uninstalled_status"))
    step["completed"] = True
    document["mode"] = "uninstall"
    _save(call, number, document)
    call.applied("uninstall_step", identifier)
    return _answer(call, steps, 201)


def _next(steps: list[Document]) -> Document | None:
    return next((step for step in steps if not step.get("completed")), None)


def _problems(call: Call, step: Document, body: Document) -> list[Problem]:
    """What is wrong with the answers to a step."""
    if step.get("type") == "stack":
        identifier = body.get("_stackId")
        is_id = isinstance(identifier, str) and OBJECT_ID.fullmatch(identifier)
        return [] if is_id else [problem("missing_required_field", "This step needs a stack.", "_stackId")]
    if step.get("type") != "connection":
        return []
    if "connection" in body:
        return connections.problems_of_new(body["connection"])
    identifier = body.get("_connectionId")
    if not identifier:
        return [problem("missing_required_field", "This step needs a connection.", "_connectionId")]
    if not isinstance(identifier, str) or call.shelf.get("connection", identifier) is None:
        return [problem("invalid_ref", "There is no such connection.", "_connectionId")]
    return []


def _use_connection(call: Call, document: Document, step: Document, body: Document) -> str:
    """Note the connection that a step uses, made first when it was sent whole; returns the id of one that was made."""
    is_new = "connection" in body
    identifier = connections.make_new(call, body["connection"]) if is_new else body["_connectionId"]
    step["_connectionId"] = identifier
    listed = [*document.get("_registeredConnectionIds", []), identifier]
    document["_registeredConnectionIds"] = list(dict.fromkeys(listed))
    return identifier if is_new else ""


def _save(call: Call, number: int, document: Document) -> None:
    history.note(call, document["_id"], "update", call.integration(document["_id"]), document)
    call.shelf.replace(number, document)
    if document.get("mode") == "settings":
        call.shelf.recount(number)


def _answer(call: Call, steps: list[Document], status: int) -> Response:
    if call.switch("steps_reply") == "object":
        return Response.of_json({"steps": steps, "warnings": []}, status)
    return Response.of_json(steps, status)


def _refused(call: Call, steps: list[Document], *problems: Problem) -> RefusedError:
    """A failure that carries the steps beside the errors."""
    return refused(list(problems), beside={"steps": steps} if call.switch("failed_steps_are_sent") else None)
