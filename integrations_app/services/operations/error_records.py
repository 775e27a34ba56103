"""Trying failed records of a flow's step again, and marking them as resolved: one or many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from django.utils import timezone

from console.access.permissions import Permission
from integrations_app.services import integrations
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations.base import Context, Fact, Finished, Plan, Settled, Verdict
from integrations_app.services.operations.flows import (
    CLOCK_SKEW,
    CUT,
    digest_of,
    find_flow,
    is_proof,
    read_again,
    shown_text,
)
from integrations_app.vendors.capabilities import (
    RemoteItem,
    RemoteListing,
    SupportsErrorRecords,
    SupportsFlows,
    SupportsListings,
)
from integrations_app.vendors.errors import VendorError

# As many as one form may name; a page shows a hundred.
MOST_RECORDS = 1_000
_TEXT_LENGTH = 160


@dataclass(frozen=True)
class _Chosen:
    """The records that were asked for, as the vendor has them now; `lost` are ids that are open no more."""

    open: tuple[RemoteItem, ...]
    lost: tuple[str, ...]
    bad: int

    @property
    def retryable(self) -> tuple[RemoteItem, ...]:
        return tuple(record for record in self.open if record.values.get("retry_key"))


class RetryErrors:
    """`params`: {"scope": "<flow id>/<step id>", "step": what the page calls it, "errors": [error ids]}."""

    name: ClassVar[str] = "retry_errors"
    label: ClassVar[str] = "Retry"
    permission: ClassVar[Permission] = Permission.INTEGRATION_EDIT
    needs: ClassVar[type] = SupportsErrorRecords
    effect: ClassVar[str] = "has failed records tried again, which moves real records"
    has_review: ClassVar[bool] = True
    keeps_snapshot: ClassVar[bool] = False
    is_long: ClassVar[bool] = False
    is_undoable: ClassVar[bool] = False

    def title(self, target: str, params: Mapping[str, Any]) -> str:
        return f"Retry {counted(len(params.get('errors', ())))} in {params.get('step') or 'a step'} of {target}"

    def plan(self, context: Context) -> Plan:
        chosen = _chosen(context)
        retried = chosen.retryable
        stuck = [record for record in chosen.open if record not in retried]
        facts = [Fact(f"{_sentence(len(retried))} tried again", _lines(context, retried)), *_lost_facts(chosen)]
        if stuck:
            words = f"The vendor kept no data to try {counted(len(stuck))} again with: they stay open."
            facts.append(Fact(words, _lines(context, stuck), tone="warn"))
        return Plan(
            guard=digest_of(sorted(record.remote_id for record in retried)),
            consequence=_retry_consequence(len(retried)),
            facts=tuple(facts),
            evidence={
                "errors": [record.remote_id for record in retried],
                "keys": [record.values["retry_key"] for record in retried],
                "retries": _retries(context),
                "bad": chosen.bad,
            },
            nothing="" if retried else "None of these records is open any more, or can be tried again.",
        )

    def send(self, context: Context) -> Mapping[str, Any]:
        keys = context.evidence["keys"]
        cast(SupportsErrorRecords, context.client).retry_errors(*_place(context), keys)
        return {"count": len(keys)}

    def settle(self, context: Context) -> Settled:
        asked, found = set(context.evidence["errors"]), _read(context)
        left = asked & _by_id(found).keys()
        if not left and not is_proof(found, context.evidence.get("bad", 0)):
            return Settled(Verdict.UNDECIDED, look_at=(CUT,))
        if not left:
            return Settled(Verdict.DONE, {"count": len(asked)})
        is_retried = set(_retries(context)) - set(context.evidence["retries"])
        if left == asked and not is_retried:
            return Settled(Verdict.NOT_DONE)
        return Settled(Verdict.UNDECIDED, look_at=(_left_words(left, asked, "tried again"),))

    def finish(self, context: Context, receipt: Mapping[str, Any]) -> Finished:
        left = _read_back(context)
        words = f"{_sentence(len(context.evidence['errors']))} being tried again."
        if left:
            words += f" {len(left)} still listed as open: a retry takes its time, or failed again."
        return Finished(words, result={"left": len(left)})


class ResolveErrors:
    """`params` as RetryErrors."""

    name: ClassVar[str] = "resolve_errors"
    label: ClassVar[str] = "Resolve"
    permission: ClassVar[Permission] = Permission.INTEGRATION_EDIT
    needs: ClassVar[type] = SupportsErrorRecords
    effect: ClassVar[str] = "marks failed records as resolved; nothing is tried again"
    has_review: ClassVar[bool] = True
    keeps_snapshot: ClassVar[bool] = False
    is_long: ClassVar[bool] = False
    is_undoable: ClassVar[bool] = False

    def title(self, target: str, params: Mapping[str, Any]) -> str:
        return f"Resolve {counted(len(params.get('errors', ())))} in {params.get('step') or 'a step'} of {target}"

    def plan(self, context: Context) -> Plan:
        chosen = _chosen(context)
        ids = [record.remote_id for record in chosen.open]
        facts = [Fact(f"{_sentence(len(ids))} marked as resolved", _lines(context, chosen.open)), *_lost_facts(chosen)]
        return Plan(
            guard=digest_of(sorted(ids)),
            consequence=f"{_sentence(len(ids)).capitalize()} no longer open. Nothing is tried again: "
            "what failed does not reach the other system.",
            facts=tuple(facts),
            evidence={
                "errors": ids,
                "retryable": [record.remote_id for record in chosen.retryable],
                "bad": chosen.bad,
            },
            nothing="" if ids else "None of these records is open any more.",
        )

    def send(self, context: Context) -> Mapping[str, Any]:
        ids = context.evidence["errors"]
        cast(SupportsErrorRecords, context.client).resolve_errors(*_place(context), ids)
        return {"count": len(ids)}

    def settle(self, context: Context) -> Settled:
        asked, retryable = set(context.evidence["errors"]), set(context.evidence["retryable"])
        found = _read(context)
        left = asked & _by_id(found).keys()
        if not left and not is_proof(found, context.evidence.get("bad", 0)):
            return Settled(Verdict.UNDECIDED, look_at=(CUT,))
        if not left:
            return Settled(Verdict.DONE, {"count": len(asked)})
        # A vendor may go on listing a resolved record that can still be tried again, so only another one proves
        # that nothing was resolved.
        if left == asked and asked - retryable:
            return Settled(Verdict.NOT_DONE)
        return Settled(Verdict.UNDECIDED, look_at=(_left_words(left, asked, "resolved"),))

    def finish(self, context: Context, receipt: Mapping[str, Any]) -> Finished:
        left = _read_back(context)
        words = f"{counted(len(context.evidence['errors'])).capitalize()} marked as resolved."
        if left:
            words += f" The vendor still lists {len(left)}: it keeps those that can be tried again."
        return Finished(words, result={"left": len(left)})


# --- records -----------------------------------------------------------------------------------------------------


def counted(number: int) -> str:
    """ "1 record", "12 records"."""
    return "1 record" if number == 1 else f"{number:,} records"


def _sentence(number: int) -> str:
    return f"{counted(number)} {'is' if number == 1 else 'are'}"


def _retry_consequence(number: int) -> str:
    if number == 1:
        return "1 record goes through the step again and changes real data there."
    return f"{counted(number).capitalize()} go through the step again and change real data there."


def _place(context: Context) -> tuple[str, str]:
    """Flow and step."""
    flow_id, _, step_id = str(context.params["scope"]).partition("/")
    return flow_id, step_id


def _read(context: Context) -> RemoteListing:
    client, scope = cast(SupportsListings, context.client), str(context.params["scope"])
    return client.read_listing("error_records", context.integration.remote_id, scope)


def _by_id(found: RemoteListing) -> dict[str, RemoteItem]:
    return {record.remote_id: record for record in found.items}


def _chosen(context: Context) -> _Chosen:
    """The chosen records from a fresh list of the step, which must belong to the integration."""
    wanted = list(dict.fromkeys(map(str, context.params["errors"])))
    if not 0 < len(wanted) <= MOST_RECORDS:
        raise InvalidError({"": f"Choose between 1 and {MOST_RECORDS:,} records."})
    find_flow(context, _place(context)[0])
    found = _read(context)
    listed = _by_id(found)
    still_open = tuple(listed[each] for each in wanted if each in listed)
    return _Chosen(still_open, tuple(each for each in wanted if each not in listed), len(found.bad))


def _retries(context: Context) -> list[str]:
    """The runs of the flow that retried records lately, by id; [] where the vendor shows no runs."""
    if not isinstance(context.client, SupportsFlows):
        return []
    asked_at = context.write.sent_at or timezone.now()
    runs = context.client.flow_runs(_place(context)[0], asked_at - 2 * CLOCK_SKEW)
    return [run.remote_id for run in runs if "retry" in str(run.values.get("type") or "")]


def _read_back(context: Context) -> set[str]:
    """Bring the lists and the integration up to date; returns which of the records are still listed."""
    left = set(context.evidence["errors"]) & _by_id(_read(context)).keys()
    read_again(context, "error_records", str(context.params["scope"]))
    read_again(context, "errors")
    try:
        integrations.refresh(context.integration, hold=context.progress.hold)
    except VendorError as error:
        context.progress.say(f"The integration could not be read anew: {error.message}", "warning")
    return left


def _lost_facts(chosen: _Chosen) -> list[Fact]:
    if not chosen.lost:
        return []
    is_one = len(chosen.lost) == 1
    words = f"{counted(len(chosen.lost))} you chose {'is' if is_one else 'are'} not open any more and left out."
    return [Fact(words, chosen.lost)]


def _lines(context: Context, records: Iterable[RemoteItem]) -> tuple[str, ...]:
    """A line for each record: its trace key, its code, what went wrong."""
    lines = []
    for record in records:
        told = (record.values.get("trace_key"), record.values.get("code"), record.values.get("message") or record.name)
        lines.append(" · ".join(shown_text(context, str(text), _TEXT_LENGTH) for text in told if text))
    return tuple(lines)


def _left_words(left: set[str], asked: set[str], done: str) -> str:
    return (
        f"The vendor still lists {len(left)} of the {counted(len(asked))}: look whether they were {done} "
        f"(for example {', '.join(sorted(left)[:3])})."
    )
