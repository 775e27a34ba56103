"""Jobs: the runs of flows, as generated and as started by requests.

Source: developer.celigo.com, "Jobs" (which query needs which filter, 1001 a page, newest first) and Celigo's older API
reference (the fields).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from integrations_app.simulator.celigo.call import Call
from integrations_app.simulator.celigo.documents import Document
from integrations_app.simulator.celigo.errors import failed
from integrations_app.simulator.celigo.resources import steps_of
from integrations_app.simulator.names import DATA_DATE, Dice, stamp
from integrations_app.simulator.wire import Response

PAGE_SIZE = 1001
RUNS_PER_FLOW = 3  # as generated
_PARENTS = frozenset({"flow", "retry", "bulk_retry"})
_CHILDREN = frozenset({"export", "import"})
_PARENT_FILTERS = ("_integrationId", "_flowId", "_flowId_in", "_exportId", "_importId", "_flowJobId", "_bulkJobId",
                   "createdAt_gte", "createdAt_lte")  # fmt: skip
_COUNTS = ("numError", "numSuccess", "numExport", "numIgnore")


# --- one run ------------------------------------------------------------------------------------------------------


def start(call: Call, flow: Document, kind: str, succeeded: int | None = None) -> Document:
    """Keep a run that begins now; it is over after celigo.run_seconds."""
    records = Dice(flow["_id"]).number(1, 200) if succeeded is None else succeeded
    begun = call.world.timestamp()
    kept = {
        "_id": call.shelf.new_id("job"),
        "type": kind,
        "flow": flow["_id"],
        "integration": flow["_integrationId"],
        "records": records,
        "at": begun,
        "until": begun + call.switch("run_seconds"),
    }
    call.shelf.kept("runs", []).append(kept)
    return _kept_job(call, kept)


def _kept_job(call: Call, kept: Document) -> Document:
    """A started run as it is now."""
    is_over = call.world.timestamp() >= kept["until"]
    begun = _from_timestamp(kept["at"])
    counts = _counted(kept["records"] if is_over else 0, 0)
    job = {
        "_id": kept["_id"],
        "type": kept["type"],
        "status": "completed" if is_over else "running",
        "_integrationId": kept["integration"],
        "_flowId": kept["flow"],
        **counts,
        "doneExporting": is_over,
        "createdAt": begun,
        "startedAt": begun,
        "lastModified": _from_timestamp(kept["until"]) if is_over else begun,
    }
    return job | ({"endedAt": _from_timestamp(kept["until"])} if is_over else {})


def _from_timestamp(seconds: float) -> str:
    return stamp(datetime.fromtimestamp(0, DATA_DATE.tzinfo) + timedelta(seconds=seconds))


def _counted(succeeded: int, failed_records: int) -> Document:
    exported = succeeded + failed_records
    pages = (exported + 19) // 20
    return {"numSuccess": succeeded, "numError": failed_records, "numIgnore": 0, "numExport": exported,
            "numPagesGenerated": pages, "numPagesProcessed": pages}  # fmt: skip


# --- the runs there are -------------------------------------------------------------------------------------------


def _generated_index(call: Call, flow_id: str) -> int | None:
    return call.shelf.made.index_of("flow", flow_id)


def generated_id(call: Call, flow_id: str) -> str:
    """The id of the latest generated run of a flow, in which its errors happened."""
    index = _generated_index(call, flow_id)
    return "" if index is None else call.shelf.maker.identifier("job", index * RUNS_PER_FLOW)


def _of_flow(call: Call, flow: Document) -> Iterator[Document]:
    """All runs of a flow, in no order."""
    yield from (_kept_job(call, kept) for kept in call.shelf.kept("runs", []) if kept["flow"] == flow["_id"])
    index = _generated_index(call, flow["_id"])
    if index is not None:
        yield from _generated(call, index)


def _generated(call: Call, index: int) -> Iterator[Document]:
    flow = call.shelf.made.make("flow", index)
    if "lastExecutedAt" not in flow:
        return
    number = call.shelf.made.integration_of("flow", index)
    errors = sum(count for (each, _), count in call.shelf.made.errors_at(number).items() if each == flow["_id"])
    for place in range(RUNS_PER_FLOW):
        dice = Dice(call.shelf.maker.salt, "job", index, place)
        begun = datetime.fromisoformat(flow["lastExecutedAt"]) - timedelta(hours=6 * place)
        ended = begun + timedelta(seconds=dice.number(2, 300))
        yield {
            "_id": call.shelf.maker.identifier("job", index * RUNS_PER_FLOW + place),
            "type": "flow",
            "status": "completed",
            "_integrationId": flow["_integrationId"],
            "_flowId": flow["_id"],
            **_counted(dice.number(0, 400), errors if place == 0 else 0),
            "doneExporting": True,
            "createdAt": stamp(begun),
            "startedAt": stamp(begun + timedelta(milliseconds=360)),
            "endedAt": stamp(ended),
            "lastModified": stamp(ended),
        }


def _children(call: Call, job: Document, flow: Document) -> Iterator[Document]:
    """What each step did in a run."""
    for place, (kind, step) in enumerate(steps_of(flow)):
        identifier = call.shelf.maker.identifier(f"job of {job['_id']}", place)
        yield {**job, "_id": identifier, "type": kind, f"_{kind}Id": step, "_flowJobId": job["_id"],
               "retriable": False, "oIndex": place}  # fmt: skip


# --- asking for them ----------------------------------------------------------------------------------------------


def listed(call: Call) -> Response:
    """Runs, newest first, at most 1001. A query that would go through everything is refused."""
    asked = {name: value for name, value in call.request.query if value}
    types = {each for name in ("type", "type_in") for each in asked.get(name, "").split(",") if each}
    children = bool(types & _CHILDREN) or (not types and "_flowJobId" in asked)
    if children and not {"_flowJobId", "_exportId", "_importId"} & asked.keys():
        raise failed(400, "invalid_query", "A child-job query needs _flowJobId, _exportId or _importId.")
    if not any(name in asked for name in _PARENT_FILTERS):
        raise failed(400, "invalid_query", "A parent-job query needs an id or a createdAt filter.")
    keep = _filter(call, asked, types or set(_CHILDREN if children else _PARENTS))
    found = [job for flow in _flows(call, asked) for job in _jobs(call, flow, children=children) if keep(job)]
    found.sort(key=lambda job: str(job["createdAt"]), reverse=True)
    return Response.of_json(found[:PAGE_SIZE])


def _jobs(call: Call, flow: Document, *, children: bool) -> Iterator[Document]:
    for job in _of_flow(call, flow):
        yield from _children(call, job, flow) if children else (job,)


def _flows(call: Call, asked: dict[str, str]) -> Iterator[Document]:
    """The flows whose runs can be what is asked for."""
    if "_flowId" in asked or "_flowId_in" in asked:
        ids = [each for name in ("_flowId", "_flowId_in") for each in asked.get(name, "").split(",") if each]
    elif "_integrationId" in asked:
        number = call.shelf.items.number_of(asked["_integrationId"])
        ids = [] if number is None else call.shelf.ids("flow", number)
    elif (since := moment(call, "createdAt_gte", "invalid_query")) is not None and since > DATA_DATE:
        # Nothing that is generated happened so late: only what requests have started.
        ids = list(dict.fromkeys(kept["flow"] for kept in call.shelf.kept("runs", [])))
    else:
        ids = [each for _, each in call.shelf.account_ids("flow", 0)]
    for each in ids:
        flow = call.shelf.get("flow", each)
        if flow is not None and call.may_see(flow["_integrationId"]):
            yield flow


def _filter(call: Call, asked: dict[str, str], types: set[str]) -> Any:
    since = moment(call, "createdAt_gte", "invalid_query")
    until = moment(call, "createdAt_lte", "invalid_query")
    bounds = [(count, limit, _number(asked[f"{count}_{limit}"], f"{count}_{limit}"))
              for count in _COUNTS for limit in ("gte", "lte") if f"{count}_{limit}" in asked]  # fmt: skip
    same = [(name, asked[name]) for name in ("status", "_exportId", "_importId", "_flowJobId") if name in asked]

    def keep(job: Document) -> bool:
        at = datetime.fromisoformat(job["createdAt"])
        if job["type"] not in types or (since and at < since) or (until and at > until):
            return False
        if any(job.get(name) != value for name, value in same):
            return False
        return all(job[count] >= number if limit == "gte" else job[count] <= number for count, limit, number in bounds)

    return keep


def _number(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise failed(400, "invalid_query", f"{name} must be a whole number.", name)
    return int(text)


def moment(call: Call, name: str, code: str) -> datetime | None:
    """A time in the query, None without it. Raises RefusedError (400) with this code."""
    text = call.request.param(name)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise failed(400, code, f"{name} is not a time.", name) from None
    return found if found.tzinfo else found.replace(tzinfo=DATA_DATE.tzinfo)


def get(call: Call, identifier: str) -> Response:
    """One run by id."""
    kept = next((each for each in call.shelf.kept("runs", []) if each["_id"] == identifier), None)
    if kept is not None:
        call.integration(kept["integration"])
        return Response.of_json(_kept_job(call, kept))
    index = call.shelf.made.index_of("job", identifier)
    if index is not None:
        flow_id = call.shelf.maker.identifier("flow", index // RUNS_PER_FLOW)
        for job in _of_flow(call, call.one("flow", flow_id)):
            if job["_id"] == identifier:
                return Response.of_json(job)
    raise call.not_found("Job")


def latest_of_flow(call: Call, identifier: str) -> Response:
    """The latest run of a flow. Assumed: in a list."""
    latest = _latest(call, call.one("flow", identifier))
    if call.switch("latest_job_reply") == "object":
        return Response.of_json(latest[0] if latest else {})
    return Response.of_json(latest)


def latest_of_integration(call: Call, identifier: str) -> Response:
    """The latest run of each flow of an integration, newest first."""
    every = [job for flow in call.shelf.all_of("flow", call.number(identifier)) for job in _latest(call, flow)]
    return Response.of_json(sorted(every, key=lambda job: str(job["createdAt"]), reverse=True))


def _latest(call: Call, flow: Document) -> list[Document]:
    return sorted(_of_flow(call, flow), key=lambda job: str(job["createdAt"]))[-1:]
