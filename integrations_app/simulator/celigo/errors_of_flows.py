"""Open and resolved errors of flows: counts, records, resolving and retrying.

Source: Celigo help centre, "Error management API endpoints" (records and their fields; all their values are text); the
counts as real clients read them. Assumed: a retried error leaves the open list at once and stands among the resolved.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from integrations_app.simulator.celigo import jobs
from integrations_app.simulator.celigo.call import Call, nothing
from integrations_app.simulator.celigo.documents import Document
from integrations_app.simulator.celigo.errors import failed, problem, refused
from integrations_app.simulator.celigo.paging import after_of, from_after
from integrations_app.simulator.celigo.resources import steps_of
from integrations_app.simulator.names import digest
from integrations_app.simulator.wire import Response

_MESSAGES = (
    ("422", "application", "Customer {n} is inactive", "value"),
    ("response_failure", "application", "The other system answered 502", "connection"),
    ("handlebars_template_parse_error", "resource", "Parse error in the template of field {n}", "intermittent"),
    ("missing_required_field", "application", "Order {n} lacks a currency", "missing"),
)


# --- counts -------------------------------------------------------------------------------------------------------


def of_integration(call: Call, identifier: str) -> Response:
    """How many errors are open in each flow of an integration."""
    number = call.number(identifier)
    open_errors = call.shelf.open_errors(number)
    counts = []
    for flow in call.shelf.ids("flow", number):
        here = {step: count for (each, step), count in open_errors.items() if each == flow}
        newest = [call.shelf.error_at(number, flow, step, -1) for step in here]
        counts.append(_count("_flowId", flow, sum(here.values()), newest))
    return Response.of_json(counts)


def of_flow(call: Call, identifier: str) -> Response:
    """How many are open at each step of a flow: a summary, not a list."""
    flow = call.one("flow", identifier)
    number = call.shelf.number(flow["_integrationId"])
    open_errors = call.shelf.open_errors(number)
    counts = []
    for _, step in steps_of(flow):
        count = open_errors.get((identifier, step), 0)
        newest = [call.shelf.error_at(number, identifier, step, -1)] if count else []
        counts.append(_count("_expOrImpId", step, count, newest))
    return Response.of_json({"flowErrors": counts})


def _count(name: str, identifier: str, count: int, newest: list[str]) -> Document:
    return {name: identifier, "numError": count} | ({"lastErrorAt": max(newest)} if newest else {})


# --- records ------------------------------------------------------------------------------------------------------


class StepErrors:
    """The errors of one step of a flow: place 0 is the newest, and each has an id and a key that lead back to it."""

    def __init__(self, call: Call, flow_id: str, step_id: str) -> None:
        self.call = call
        self.flow = call.one("flow", flow_id)
        if step_id not in [step for _, step in steps_of(self.flow)]:
            raise call.not_found("Step")
        self.step_id = step_id
        self.number = call.shelf.number(self.flow["_integrationId"])
        blank = self.number in call.shelf.kept("blank", [])
        made = {} if blank else call.shelf.made.errors_at(self.number)
        self._count = made.get((flow_id, step_id), 0)
        self._name = f"{flow_id}/{step_id}"
        self._salt = digest(call.account.salt, flow_id, step_id)

    @property
    def closed(self) -> list[int]:
        """Places that are open no more."""
        places: list[int] = self.call.shelf.kept("closed errors", {}).get(self._name, [])
        return places

    @property
    def resolved(self) -> list[int]:
        """Places that stand in the list of resolved ones, newest first."""
        return sorted(self.call.shelf.kept("resolved errors", {}).get(self._name, []))

    def open(self) -> list[int]:
        """Places that are open, newest first."""
        closed = set(self.closed)
        return [place for place in range(self._count) if place not in closed]

    def close(self, places: list[int]) -> None:
        """Take places from the open list to the resolved one."""
        for name in ("closed errors", "resolved errors"):
            kept = self.call.shelf.kept(name, {})
            kept[self._name] = sorted({*kept.get(self._name, []), *places})
        self.call.shelf.recount(self.number)

    def purge(self) -> None:
        """Empty the list of resolved ones."""
        self.call.shelf.kept("resolved errors", {})[self._name] = []

    def error_id(self, place: int) -> str:
        """Ten digits or more, as the vendor's are."""
        return f"{int.from_bytes(self._salt[:3], 'big') + 10_000_000}{place:05d}"

    def retry_key(self, place: int) -> str:
        """32 hex digits; every tenth error has none, for there is nothing to retry."""
        return "" if place % 10 == 9 else f"{self._salt[:12].hex()}{place:08x}"

    def record(self, place: int) -> Document:
        """The whole record of an error."""
        code, source, message, classification = _MESSAGES[place % len(_MESSAGES)]
        trace = str(8000 + place)
        record = {
            "errorId": self.error_id(place),
            "occurredAt": self.call.shelf.error_at(self.number, self.flow["_id"], self.step_id, place),
            "source": source,
            "code": code,
            "message": message.format(n=trace),
            "traceKey": trace,
            "retryDataKey": self.retry_key(place),
            "reqAndResKey": f"{1771234567890 + place}-{self._salt[12:28].hex()}-{code}-POST",
            "exportDataURI": f"/files/{self._salt[28:36].hex()}/{place}.json",
            "oIndex": str(place % 20),
            "_flowJobId": jobs.generated_id(self.call, self.flow["_id"]),
            "classification": classification,
            "classifiedBy": "autopilot",
        }
        return {name: value for name, value in record.items() if value}


def open_records(call: Call, flow_id: str, step_id: str) -> Response:
    """The open errors of a step, newest first, in pages."""
    errors = StepErrors(call, flow_id, step_id)
    places = errors.open()
    if call.switch("resolved_errors_stay"):
        places = sorted({*places, *(place for place in errors.resolved if errors.retry_key(place))})
    return _page(call, errors, places, "errors")


def resolved_records(call: Call, flow_id: str, step_id: str) -> Response:
    """The resolved ones, in the same way."""
    errors = StepErrors(call, flow_id, step_id)
    return _page(call, errors, errors.resolved, "resolved")


def _page(call: Call, errors: StepErrors, places: list[int], name: str) -> Response:
    """A page in the body, with `nextPageURL` while there are more; the place in it is the last error's own."""
    after = call.request.param("after")
    first, size = from_after(after) if after else 0, call.switch("error_page_size")
    records: list[Document] = []
    for place in places:
        record = errors.record(place)
        if place < first or not _is_wanted(call, record):
            continue
        if len(records) == size:
            return Response.of_json({name: records, "nextPageURL": _next_page(call, place)})
        records.append(record)
    return Response.of_json({name: records})


def _is_wanted(call: Call, record: Document) -> bool:
    since, until = _moment(call, "occurredAt_gte"), _moment(call, "occurredAt_lte")
    at = datetime.fromisoformat(record["occurredAt"])
    source = call.request.param("source")
    return (since is None or at >= since) and (until is None or at <= until) and source in (None, "", record["source"])


def _moment(call: Call, name: str) -> datetime | None:
    return jobs.moment(call, name, "invalid_query_params")


def _next_page(call: Call, place: int) -> str:
    """The address of the next page, from the host's root on or whole, every other parameter kept."""
    kept = "".join(
        f"&{part}" for part in call.request.query_string.split("&") if part and not part.startswith("after=")
    )
    address = f"{call.request.base_url}{call.request.path.rstrip('/')}?after={after_of(place)}{kept}"
    if call.switch("next_page_url") == "absolute":
        return address
    return "/" + address.partition("://")[2].partition("/")[2]


# --- what is done about them --------------------------------------------------------------------------------------


def resolve(call: Call, flow_id: str, step_id: str) -> Response:
    """Mark errors as resolved. Ids that are open no more are passed over."""
    errors = StepErrors(call, flow_id, step_id)
    wanted = _texts(call.object_body(), "errors")
    if wanted is None:
        raise refused([problem("missing_required_field", "errors must be a list of ids", "errors")])
    errors.close([place for place in errors.open() if errors.error_id(place) in wanted])
    call.applied("resolve", f"{flow_id}/{step_id}")
    return nothing()


def purge_resolved(call: Call, flow_id: str, step_id: str) -> Response:
    """Forget the resolved errors of a step."""
    StepErrors(call, flow_id, step_id).purge()
    call.applied("purge_resolved", f"{flow_id}/{step_id}")
    return nothing()


def retry(call: Call, flow_id: str, step_id: str) -> Response:
    """Send the records of errors through again; what has no data to retry stays open."""
    errors = StepErrors(call, flow_id, step_id)
    body = call.object_body()
    keys, ids = _texts(body, "retryDataKeys"), _texts(body, "errorIds")
    if keys is None and ids is None:
        message = "retryDataKeys or errorIds must be a list"
        raise failed(422, "missing_required_field", message, "retryDataKeys")
    places = [
        place for place in errors.open()
        if (key := errors.retry_key(place)) and (key in (keys or set()) or errors.error_id(place) in (ids or set()))
    ]  # fmt: skip
    errors.close(places)
    job = jobs.start(call, errors.flow, "retry", succeeded=len(places))
    call.applied("retry", f"{flow_id}/{step_id}", job["_id"])
    return Response.of_json(job, call.switch("retry_status"))


def _texts(body: dict[str, Any], name: str) -> set[str] | None:
    """A list of texts in the body, None when there is no such thing."""
    sent = body.get(name)
    return set(sent) if isinstance(sent, list) and sent and all(isinstance(each, str) for each in sent) else None
