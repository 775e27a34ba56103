"""Flows: on, off, run now, their runs, and the records that failed in one of their steps.

Source: Celigo help, "Flows" and "Error management"; developer.celigo.com, "Jobs".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from integrations_app.vendors.capabilities import RemoteItem
from integrations_app.vendors.celigo import items
from integrations_app.vendors.celigo.calls import Calls
from integrations_app.vendors.celigo.reading import ID_LENGTH
from integrations_app.vendors.errors import VendorResponseError
from integrations_app.vendors.parsing import document as object_of
from integrations_app.vendors.parsing import identifier

# Celigo answers up to 1001 jobs and has no next page: the time of the last one is where the next question ends.
_FULL_PAGE = 1000
_RUN_PAGES = 3


class Flows(Calls):
    """SupportsFlows, SupportsErrorRecords."""

    def read_flow(self, flow_id: str) -> RemoteItem:
        """One flow by its id, as in the listing "flows".

        Source: developer.celigo.com, GET /flows/<_id>.
        """
        operation = "get a flow"
        answer = self._http.get(operation, ("flows", flow_id))
        if not isinstance(answer.document, dict) or answer.document.get("_id") != flow_id:
            raise self._http.bad_answer(operation, "The answer is not the flow that was asked for.", answer)
        return items.flow(answer.document)

    def set_flow(self, flow_id: str, *, is_on: bool) -> None:
        """Switch a flow on or off.

        Source: Celigo help, PATCH /flows/<_id>, path /disabled (204); developer.celigo.com, "Errors" (200).
        """
        patch = [{"op": "replace", "path": "/disabled", "value": not is_on}]
        operation = "switch a flow on" if is_on else "switch a flow off"
        self._http.write(operation, "PATCH", ("flows", flow_id), document=patch, expect=(200, 204), needs_answer=False)

    def run_flow(self, flow_id: str) -> str:
        """Run a flow now; returns the id of its job, "" when the answer names none.

        Source: Celigo help, POST /flows/<_id>/run (201). Assumed: `_jobId` in the answer, or the job itself; an empty
        object runs all of the flow's exports.
        """
        answer = self._http.write(
            "run a flow", "POST", ("flows", flow_id, "run"), document={}, expect=(200, 201, 202, 204)
        )
        made = object_of(answer.document)
        return identifier(made.get("_jobId"), ID_LENGTH) or identifier(made.get("_id"), ID_LENGTH)

    def flow_runs(self, flow_id: str, since: datetime) -> tuple[RemoteItem, ...]:
        """A flow's jobs created at or after `since`, newest first; a few thousand at most.

        Source: developer.celigo.com, "Jobs": newest first, up to 1001 a page, the next one by `createdAt_lte`.
        """
        operation = "list a flow's jobs"
        asked = {"_flowId": flow_id, "createdAt_gte": _moment(since)}
        found: dict[str, RemoteItem] = {}
        for _ in range(_RUN_PAGES):
            answer = self._http.get(operation, ("jobs",), params=asked, expect=(200, 204))
            jobs = [job for job in map(_job, self._items(operation, answer)) if job is not None]
            found.update({job.remote_id: job for job in jobs})
            last = min((job.at for job in jobs if job.at is not None), default=None)
            if len(jobs) < _FULL_PAGE or last is None:
                break
            asked["createdAt_lte"] = _moment(last - timedelta(milliseconds=1))
        oldest = datetime.min.replace(tzinfo=UTC)
        return tuple(sorted(found.values(), key=lambda job: job.at or oldest, reverse=True))

    # --- failed records ------------------------------------------------------------------------------------------

    def retry_errors(self, flow_id: str, step_id: str, retry_keys: Sequence[str]) -> None:
        """Have Celigo try records again; it makes a job of it.

        Source: Celigo's skills for clients, POST /flows/<_id>/<step id>/retry with `retryDataKeys` (200 or 201).
        """
        operation = "retry errors"
        if not retry_keys:
            raise self._refused(operation, "No record was named.")
        self._http.write(
            operation,
            "POST",
            ("flows", flow_id, step_id, "retry"),
            document={"retryDataKeys": list(retry_keys)},
            expect=(200, 201, 202, 204),
            needs_answer=False,
        )

    def resolve_errors(self, flow_id: str, step_id: str, error_ids: Sequence[str]) -> None:
        """Mark records as resolved; nothing is tried again.

        Source: Celigo help, "Error management", PUT /flows/<_id>/<step id>/resolved with `errors`; 204 was seen.
        """
        operation = "resolve errors"
        if not error_ids:
            raise self._refused(operation, "No record was named.")
        self._http.write(
            operation,
            "PUT",
            ("flows", flow_id, step_id, "resolved"),
            document={"errors": list(error_ids)},
            expect=(200, 204),
            needs_answer=False,
        )


def _job(document: Any) -> RemoteItem | None:
    """A job that cannot be read is left out: runs are shown beside the flow, nothing is concluded from their number."""
    try:
        return items.job(object_of(document))
    except VendorResponseError:
        return None


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
