"""Reads what belongs to an integration (flows, connections, errors ...) into RemoteItems. Pure: no call, no clock.

An item without a usable id raises VendorResponseError and is set aside by the caller; every other field that is missing
or of another type is "" (texts and times) or None (truths and numbers): not said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from integrations_app.vendors.capabilities import RemoteItem
from integrations_app.vendors.celigo.reading import ID_LENGTH, SLUG
from integrations_app.vendors.celigo.step_forms import describe
from integrations_app.vendors.errors import VendorResponseError
from integrations_app.vendors.parsing import document as object_of
from integrations_app.vendors.parsing import documents, identifier, moment, number, text, truth

Document = Mapping[str, Any]

# A message may hold a whole answer of the other system; `raw` keeps it.
_MESSAGE_LENGTH = 4000
# Account-wide access that counts for every integration, whatever is said of one.
_ACCOUNT_WIDE = ("administrator", "manage")


def flow(document: Document) -> RemoteItem:
    """A flow. It is on unless it says `disabled`, as Celigo makes them.

    Source: developer.celigo.com, flows.
    """
    disabled = document.get("disabled")
    routers = documents(document.get("routers"))
    processors = documents(document.get("pageProcessors"))
    for branch in (branch for router in routers for branch in documents(router.get("branches"))):
        processors = [*processors, *documents(branch.get("pageProcessors"))]
    return _item(
        document,
        {
            "is_on": True if disabled is None else _opposite(disabled),
            "schedule": text(document.get("schedule"), 200),
            "timezone": text(document.get("timezone"), 60),
            "group_id": identifier(document.get("_flowGroupingId"), ID_LENGTH),
            "step_count": len(documents(document.get("pageGenerators"))) + len(processors),
            "last_run_at": _time(document.get("lastExecutedAt")),
            "updated_at": _time(document.get("lastModified")),
        },
        at="lastModified",
    )


def connection(document: Document) -> RemoteItem:
    """A connection; `is_online` None means that Celigo does not say.

    Source: developer.celigo.com, connections (`offline`).
    """
    return _item(
        document,
        {
            "type": text(document.get("type"), 60),
            "app": text(document.get("assistant"), 120),
            "is_online": _opposite(document.get("offline")),
            "external_id": text(document.get("externalId"), 200),
            "is_sandbox": truth(document.get("sandbox")),
            "updated_at": _time(document.get("lastModified")),
        },
        at="lastModified",
    )


def step_resource(document: Document) -> RemoteItem:
    """An export or an import: what a flow's steps are.

    Source: Celigo's schemas of exports and imports.
    """
    return _item(
        document,
        {
            "adaptor": text(document.get("adaptorType"), 80),
            "type": text(document.get("type"), 40),
            "connection_id": identifier(document.get("_connectionId"), ID_LENGTH),
            "is_lookup": truth(document.get("isLookup")),
            "updated_at": _time(document.get("lastModified")),
        },
        at="lastModified",
    )


def person(document: Document, integration_id: str) -> RemoteItem:
    """A person with access; the item's id is the grant's, not the person's.

    `access_here` is what counts for this integration: account-wide access where that includes all, else its own.
    Source: Celigo's skills for clients, "Managing users".
    """
    user = object_of(document.get("sharedWithUser"))
    account = text(document.get("accessLevel"), 40)
    here = account if account in _ACCOUNT_WIDE else _access_to(document, integration_id) or account
    email = text(user.get("email"), 320)
    return _item(
        document,
        {
            "email": email,
            "access_here": here,
            "account_access": account,
            "is_accepted": truth(document.get("accepted")),
            "is_disabled": truth(document.get("disabled")),
            "last_sign_in_at": _time(user.get("lastSignIn")) or _time(document.get("lastSignIn")),
            "needs_second_factor": truth(document.get("accountMFARequired")),
            "user_id": identifier(user.get("_id"), ID_LENGTH),
        },
        name=text(user.get("name"), 300) or email,
        at="lastModified",
    )


def error_record(document: Document) -> RemoteItem:
    """One record that failed in a step.

    `is_retryable` says whether Celigo kept the data that a retry needs. Source: Celigo help, "Error management".
    """
    message = text(document.get("message"), _MESSAGE_LENGTH)
    retry_key = identifier(document.get("retryDataKey"))
    return _item(
        document,
        {
            "at": _time(document.get("occurredAt")),
            "code": text(document.get("code"), 120),
            "message": message,
            "source": text(document.get("source"), 120),
            "trace_key": text(document.get("traceKey"), 300),
            "retry_key": retry_key,
            "is_retryable": bool(retry_key),
            "classification": text(document.get("classification"), 80),
            "job_id": identifier(document.get("_flowJobId"), ID_LENGTH),
        },
        id_field="errorId",
        name=text(message, 300),
        at="occurredAt",
    )


def steps(found: Iterable[Document]) -> tuple[RemoteItem, ...]:
    """Steps of an installation in their order; a step has no id of its own, so its place is the item's id.

    Only the next one to do tells what it asks for (`values["form"]`): a thousand forms are nobody's business yet.
    """
    listed = list(found)
    undone = (place for place, step in enumerate(listed) if step and truth(step.get("completed")) is not True)
    following = next(undone, None)
    return tuple(_step(document, place, is_next=place == following) for place, document in enumerate(listed))


def _step(document: Document, place: int, *, is_next: bool) -> RemoteItem:
    """`is_completed` False also where Celigo does not say: the first such step is the next to do.

    Source: Celigo help, "Integration apps"; Celigo's web app.
    """
    kind = text(document.get("type"), 40) or ("template_zip" if document.get("templateZip") is True else "")
    values: dict[str, Any] = {
        "place": place + 1,
        "type": kind,
        "is_completed": truth(document.get("completed")) is True,
        "description": text(document.get("description"), 2000),
        "connection_id": identifier(document.get("_connectionId"), ID_LENGTH),
    }
    if is_next:
        values["form"] = describe(document, kind)
    return RemoteItem(str(place), text(document.get("name"), 300) or f"Step {place + 1}", values, document)


def revision(document: Document) -> RemoteItem:
    """A revision: a snapshot, a pull or a revert. `by` is a user's id. Source: Celigo's web app."""
    note = text(document.get("description"), 2000)
    kind = text(document.get("type"), 40)
    return _item(
        document,
        {
            "kind": kind,
            "status": text(document.get("status"), 40),
            "note": note,
            "by": identifier(document.get("_createdByUserId"), ID_LENGTH),
            "at": _time(document.get("createdAt")),
            "from": text(document.get("fromIntegrationName"), 300),
        },
        name=text(note, 300) or kind,
        at="createdAt",
    )


def audit_rows(document: Document) -> Iterator[RemoteItem]:
    """One audit entry as a row for each field it changed, one row where it names none.

    `before` and `after` are any JSON, None where there is none. Source: Celigo's web app.
    """
    entry_id = _required_id(document, "_id")
    user = object_of(document.get("byUser"))
    what = text(document.get("resourceType"), 60)
    resource_id = identifier(document.get("_resourceId"), ID_LENGTH)
    event = text(document.get("event"), 60)
    shared = {
        "at": _time(document.get("time")),
        "who": text(user.get("name"), 200) or text(user.get("email"), 320) or identifier(document.get("_byUserId")),
        "email": text(user.get("email"), 320),
        "user_id": identifier(user.get("_id"), ID_LENGTH),
        "source": text(document.get("source"), 60),
        "event": event,
        "what": f"{what} {resource_id}".strip(),
    }
    for place, change in enumerate(documents(document.get("fieldChanges")) or [{}]):
        field = text(change.get("fieldPath"), 300)
        values = {**shared, "field": field, "before": change.get("oldValue"), "after": change.get("newValue")}
        name = " ".join(filter(None, (event, what, field))) or entry_id
        yield RemoteItem(f"{entry_id}/{place}", name, values, document, moment(document.get("time")))


def job(document: Document) -> RemoteItem:
    """A run. "completed" does not mean clean: `error_count` says that. Source: developer.celigo.com, "Jobs"."""
    status = text(document.get("status"), 40)
    return _item(
        document,
        {
            "type": text(document.get("type"), 40),
            "status": status,
            "success_count": number(document.get("numSuccess")),
            "error_count": number(document.get("numError")),
            "ignored_count": number(document.get("numIgnore")),
            "created_at": _time(document.get("createdAt")),
            "started_at": _time(document.get("startedAt")),
            "ended_at": _time(document.get("endedAt")),
        },
        name=status,
        at="createdAt",
    )


# --- single values -------------------------------------------------------------------------------------------------


def _item(
    document: Document, values: Mapping[str, Any], *, at: str = "", name: str | None = None, id_field: str = "_id"
) -> RemoteItem:
    remote_id = _required_id(document, id_field)
    shown = text(document.get("name"), 300) if name is None else name
    return RemoteItem(remote_id, shown or remote_id, values, document, moment(document.get(at)))


def _required_id(document: Document, id_field: str) -> str:
    remote_id = identifier(document.get(id_field), ID_LENGTH)
    if not remote_id:
        raise VendorResponseError(f"The item has no usable {id_field}.", vendor=SLUG, operation="read an item")
    return remote_id


def _time(value: Any) -> str:
    at = moment(value)
    return at.isoformat() if at else ""


def _opposite(value: Any) -> bool | None:
    return None if (known := truth(value)) is None else not known


def _access_to(document: Document, integration_id: str) -> str:
    for access in documents(document.get("integrationAccessLevel")):
        if access.get("_integrationId") == integration_id:
            return text(access.get("accessLevel"), 40)
    return ""
