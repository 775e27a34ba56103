"""Switching a flow on or off, and running one now."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, cast

from django.utils import timezone

from console.access.permissions import Permission
from console.access.vault import TenantVault
from integrations_app.services import listings
from integrations_app.services.documents import Redactor, canonical, plain
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations.base import Change, Context, Fact, Finished, Plan, Settled, Verdict
from integrations_app.vendors.capabilities import RemoteItem, RemoteListing, SupportsFlows, SupportsListings
from integrations_app.vendors.errors import VendorError

NAME_LENGTH = 200
# The vendor's clock may differ from ours by so much.
CLOCK_SKEW = timedelta(minutes=5)
_LOST = "The integration has no such flow any more: refresh the list of its flows."


class SwitchFlow:
    """`params`: {"flow": remote id, "name": what the page calls it, "is_on": bool}."""

    name: ClassVar[str] = "switch_flow"
    label: ClassVar[str] = "Switch the flow"
    permission: ClassVar[Permission] = Permission.INTEGRATION_EDIT
    needs: ClassVar[type] = SupportsFlows
    effect: ClassVar[str] = "switches one flow on or off"
    has_review: ClassVar[bool] = True
    keeps_snapshot: ClassVar[bool] = False
    is_long: ClassVar[bool] = False
    is_undoable: ClassVar[bool] = False

    def title(self, target: str, params: Mapping[str, Any]) -> str:
        return f"Switch {_word(params)} {_called(params)} of {target}"

    def plan(self, context: Context) -> Plan:
        flow = find_flow(context, str(context.params["flow"]))
        is_on, wanted = flow.values.get("is_on"), bool(context.params["is_on"])
        name = shown_name(context, flow)
        return Plan(
            guard=_guard(flow),
            consequence=_on_consequence(name, flow) if wanted else _off_consequence(name),
            changes=(Change("is_on", f"{name} is on", is_on, wanted),),
            evidence={"was_on": is_on},
            nothing=f"{name} is {_word(context.params)} already." if is_on is wanted else "",
        )

    def send(self, context: Context) -> Mapping[str, Any]:
        client = cast(SupportsFlows, context.client)
        client.set_flow(str(context.params["flow"]), is_on=bool(context.params["is_on"]))
        return {}

    def settle(self, context: Context) -> Settled:
        # The plan found the other state, so the wanted one can only have come after it.
        is_on = cast(SupportsFlows, context.client).read_flow(str(context.params["flow"])).values.get("is_on")
        if is_on is bool(context.params["is_on"]):
            return Settled(Verdict.DONE)
        if is_on is context.evidence["was_on"]:
            return Settled(Verdict.NOT_DONE)
        return Settled(Verdict.UNDECIDED, look_at=("The vendor does not say whether the flow is on.",))

    def finish(self, context: Context, receipt: Mapping[str, Any]) -> Finished:
        wanted = bool(context.params["is_on"])
        flow = cast(SupportsFlows, context.client).read_flow(str(context.params["flow"]))
        name = shown_name(context, flow)
        read_again(context, "flows")
        if flow.values.get("is_on") is wanted:
            return Finished(f"{name} is {_word(context.params)}.")
        return Finished(f"Done, but read back, {name} is not {_word(context.params)}.", not_taken=(f"{name} is on",))


class RunFlow:
    """`params`: {"flow": remote id, "name": what the page calls it}."""

    name: ClassVar[str] = "run_flow"
    label: ClassVar[str] = "Run the flow"
    permission: ClassVar[Permission] = Permission.INTEGRATION_EDIT
    needs: ClassVar[type] = SupportsFlows
    effect: ClassVar[str] = "runs one flow once, which moves real records"
    has_review: ClassVar[bool] = True
    keeps_snapshot: ClassVar[bool] = False
    is_long: ClassVar[bool] = False
    is_undoable: ClassVar[bool] = False

    def title(self, target: str, params: Mapping[str, Any]) -> str:
        return f"Run {_called(params)} of {target}"

    def plan(self, context: Context) -> Plan:
        flow = find_flow(context, str(context.params["flow"]))
        runs = _runs(context, timezone.now() - 2 * CLOCK_SKEW)
        name = shown_name(context, flow)
        facts = []
        if flow.values.get("is_on") is False:
            facts.append(Fact(f"{name} is switched off: the vendor may refuse to run it.", tone="warn"))
        if under_way := [run for run in runs if not run.values.get("ended_at")]:
            facts.append(Fact(f"It is running already: {len(under_way)} began in the last minutes.", tone="warn"))
        return Plan(
            guard=_guard(flow),
            consequence=f"{name} runs once now and moves real records between the systems. This cannot be taken back.",
            facts=tuple(facts),
            evidence={"known": [run.remote_id for run in runs]},
        )

    def send(self, context: Context) -> Mapping[str, Any]:
        return {"run": cast(SupportsFlows, context.client).run_flow(str(context.params["flow"]))}

    def settle(self, context: Context) -> Settled:
        known = set(context.evidence["known"])
        fresh = [run for run in _runs(context, context.sent_at - CLOCK_SKEW) if run.remote_id not in known]
        if not fresh:
            return Settled(Verdict.NOT_DONE)
        if len(fresh) == 1:
            return Settled(Verdict.DONE, {"run": fresh[0].remote_id})
        words = f"{len(fresh)} runs of the flow began since it was sent: look whether one is not the schedule's."
        return Settled(Verdict.UNDECIDED, look_at=(words,))

    def finish(self, context: Context, receipt: Mapping[str, Any]) -> Finished:
        run_id = plain(str(receipt.get("run") or ""), 100)
        runs = _runs(context, context.sent_at - CLOCK_SKEW)
        run = next((run for run in runs if run.remote_id == run_id), None)
        read_again(context, "flows")
        status = plain(str(run.values.get("status") or ""), 40) if run is not None else ""
        words = f"The run was started; the vendor says it is {status}." if status else "The run was started."
        return Finished(words, result={"run": run_id, "rows": [f"Run {run_id}"] if run_id else []})


# --- what operations on flows and on their records share ----------------------------------------------------------


def find_flow(context: Context, flow_id: str) -> RemoteItem:
    """The integration's flow of this id as the vendor lists it now; one of another integration is refused.

    Raises InvalidError, VendorError.
    """
    found = cast(SupportsListings, context.client).read_listing("flows", context.integration.remote_id)
    for flow in found.items:
        if flow.remote_id == flow_id:
            return flow
    raise InvalidError({"": _LOST})


def is_proof(found: RemoteListing, bad_before: int) -> bool:
    """Whether a listing proves that what is not in it is not there: it was read to its end, and no more of it than
    before (`bad_before` items) could not be read.
    """
    return found.is_whole and len(found.bad) <= bad_before


CUT = "The vendor's list could not be read whole, so that something is not in it proves nothing: look for it there."


def shown_name(context: Context, item: RemoteItem) -> str:
    """A thing's name as it may be shown, in quotation marks; its id when it has none."""
    return f"“{shown_text(context, item.name or item.remote_id, NAME_LENGTH)}”"


def shown_text(context: Context, text: str, limit: int) -> str:
    """A vendor's text without secrets, on one line."""
    return plain(Redactor((), TenantVault(context.account.tenant_id).fingerprint).redact_text(text), limit)


def read_again(context: Context, kind: str, scope: str = "") -> None:
    """Bring a listing up to date after a write; one that cannot be read now says so itself on its page."""
    try:
        listings.read(context.account, context.integration, kind, scope, hold=context.progress.hold)
    except VendorError as error:
        context.progress.say(f"The list could not be read anew: {error.message}", "warning")


def digest_of(*values: Any) -> str:
    """A guard from what matters: 64 hex digits."""
    return hashlib.sha256(canonical(list(values))).hexdigest()


def _guard(flow: RemoteItem) -> str:
    """What a person decided on: whether it is on, when it runs, and which version of it."""
    return digest_of(flow.remote_id, *(flow.values.get(name) for name in ("is_on", "schedule", "updated_at")))


def _runs(context: Context, since: datetime) -> list[RemoteItem]:
    """The flow's own runs since then; a retry of records is none."""
    runs = cast(SupportsFlows, context.client).flow_runs(str(context.params["flow"]), since)
    return [run for run in runs if "retry" not in str(run.values.get("type") or "")]


def _on_consequence(name: str, flow: RemoteItem) -> str:
    if schedule := flow.values.get("schedule"):
        zone = flow.values.get("timezone")
        when = f"{schedule}, {zone}" if zone else str(schedule)
        return f"{name} runs on its schedule from now on ({plain(when, 200)}) and moves real records."
    return f"{name} runs from now on whenever something starts it, and moves real records."


def _off_consequence(name: str) -> str:
    return f"Nothing runs in {name} any more until it is switched on again. A run that is under way is not stopped."


def _word(params: Mapping[str, Any]) -> str:
    return "on" if params.get("is_on") else "off"


def _called(params: Mapping[str, Any]) -> str:
    return str(params.get("name") or "a flow")
