"""Installing and uninstalling an integration, one step a write: whoever goes on, today or in a week, does the next.

Nothing about where an installation stands is kept here: the vendor's steps say it, and the ledger says who did which.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, cast

from django.urls import reverse

from console.access.permissions import Permission
from console.access.vault import TenantVault
from integrations_app.models import Integration, VendorWrite, WriteState
from integrations_app.services import integrations, listings, step_forms
from integrations_app.services.documents import Redactor, canonical, plain
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations import surroundings
from integrations_app.services.operations.base import (
    Context,
    Fact,
    Finished,
    Plan,
    Question,
    Settled,
    Verdict,
)
from integrations_app.services.operations.flows import CUT, is_proof
from integrations_app.services.step_forms import Step
from integrations_app.vendors.capabilities import RemoteListing, SupportsListings, SupportsSteps
from integrations_app.vendors.errors import VendorError, VendorNotFoundError

INSTALL, UNINSTALL = "install_step", "uninstall_step"
KIND_OF_STEPS = {INSTALL: "install_steps", UNINSTALL: "uninstall_steps"}
PAGES = {INSTALL: "integrations:install", UNINSTALL: "integrations:uninstall"}
CONNECTIONS = "account_connections"
# So many writes tell who did which step; an installation has a dozen.
DONE_KEPT = 500

_GONE = "The integration is gone at the vendor: there is nothing left to uninstall."
_OTHER_STEP = "The steps have changed since this form was drawn, so nothing was sent: look which one is next now."
_OTHER_FORM = "The step asks for something else now than when this form was drawn, so nothing was sent."
_MORE_STEPS = "There are more steps than the console reads, so it cannot tell which one is next."


class _StepOperation:
    """`params`: {"step": the identity of the step the form was drawn from, "given": see `step_forms.to_send`}."""

    name: ClassVar[str]
    label: ClassVar[str]
    needs: ClassVar[type] = SupportsSteps
    keeps_snapshot: ClassVar[bool] = True
    is_long: ClassVar[bool] = True
    is_undoable: ClassVar[bool] = False
    is_uninstall: ClassVar[bool]

    def title(self, target: str, params: Mapping[str, Any]) -> str:
        step = params["step"]
        return f"{self.label} {plain(target, 120)}: step {step['place']}, {plain(str(step['name']), 120)}"

    def plan(self, context: Context) -> Plan:
        """Read the steps anew: the form's step must still be the next one, and ask for the same."""
        try:
            integrations.read_afresh(context.integration, hold=context.progress.hold)
            steps = self._read(context)
        except VendorNotFoundError:
            if not self.is_uninstall:
                raise
            return _nothing(_GONE)
        following = step_forms.following(steps, uninstall=self.is_uninstall)
        if reason := self._is_over(context, steps, following):
            self._refresh_listing(context)
            return _nothing(reason)
        if following is None:  # `_is_over` has said so already; this tells the type checker
            raise LookupError("There is no step left.")
        given = context.params["given"]
        step_forms.to_send(following, given)
        around = self._around(context, steps)
        return Plan(
            guard=_guard(steps, following, around.state if around is not None else []),
            consequence=self._consequence(context, following),
            changes=step_forms.changes(following, given, _redactor(context)),
            facts=self._facts(steps, around),
            questions=self._questions(context, steps),
            evidence=self._evidence(context, steps, following),
        )

    def _is_over(self, context: Context, steps: Sequence[Step], following: Step | None) -> str:
        """Why the form's step is not to be done any more, "" when it is the next one. Raises InvalidError."""
        wanted = context.params["step"]
        if following is None:
            return "Nothing is left to do: all steps are done."
        if _is_same(following, wanted):
            if following.form_id != wanted["form_id"]:
                self._refresh_listing(context)
                raise InvalidError({"": _OTHER_FORM})
            return ""
        done = next((step for step in steps if step.is_done and _is_same(step, wanted)), None)
        if done is None:
            self._refresh_listing(context)
            raise InvalidError({"": _OTHER_STEP})
        who = who_did(context.integration, self.name).get(done.place)
        words = f"{who.by} did it here" if who is not None else "somebody did it at the vendor"
        return f"Step {done.place}, “{done.name}”, is done already: {words}. Nothing was sent."

    def _consequence(self, context: Context, step: Step) -> str:
        return f"{context.client.label} does step {step.place}, “{step.name}”. That can take some minutes."

    def _around(self, context: Context, steps: Sequence[Step]) -> surroundings.Around | None:
        """What would be lost, where that is to be confirmed."""
        return None

    def _facts(self, steps: Sequence[Step], around: surroundings.Around | None) -> tuple[Fact, ...]:
        return ()

    def _questions(self, context: Context, steps: Sequence[Step]) -> tuple[Question, ...]:
        return ()

    def _evidence(self, context: Context, steps: Sequence[Step], following: Step) -> dict[str, Any]:
        evidence: dict[str, Any] = {
            "states": [step.is_done for step in steps],
            "place": following.place,
            "is_last": following.type == step_forms.FINISH,
            "answers": step_forms.to_send(following, context.params["given"]),
        }
        if "connection" in evidence["answers"]:
            # A connection that is made and a step that fails after it are two things: settling looks for the former.
            listed = self._connections(context)
            evidence["connections"] = [item.remote_id for item in listed.items]
            evidence["bad"] = len(listed.bad)
        return evidence

    def send(self, context: Context) -> Mapping[str, Any]:
        context.progress.say("The vendor is doing the step; that can take up to five minutes.")
        client = cast(SupportsSteps, context.client)
        answers = context.evidence["answers"]
        after = client.submit_step(context.integration.remote_id, answers, uninstall=self.is_uninstall)
        if after is None:
            return {"is_gone": True, "states": []}
        return {"is_gone": False, "states": [step.is_done for step in self._understood(context, after)]}

    def settle(self, context: Context) -> Settled:
        """Done when the step is completed now and was not before; uninstalling also when the integration is gone."""
        before, place = context.evidence["states"], int(context.evidence["place"])
        try:
            steps = self._read(context)
        except VendorNotFoundError:
            if self.is_uninstall:
                return Settled(Verdict.DONE, {"is_gone": True, "states": []})
            return Settled(Verdict.UNDECIDED, look_at=("The vendor has no such integration any more.",))
        now = [step.is_done for step in steps]
        if len(now) != len(before):
            return Settled(Verdict.UNDECIDED, look_at=("Its steps are others now: look which of them are done.",))
        if context.evidence["is_last"]:
            return Settled(Verdict.NOT_DONE)
        expected = [is_done or number == place for number, is_done in enumerate(before, 1)]
        if now == expected:
            return Settled(Verdict.DONE, {"is_gone": False, "states": now})
        if now != before:
            return Settled(Verdict.UNDECIDED, look_at=(_states_words(steps, before),))
        return self._settled_connection(context)

    def _settled_connection(self, context: Context) -> Settled:
        """The step is not done; whether a connection was made for it all the same is for a person to see."""
        known = context.evidence.get("connections")
        if known is None:
            return Settled(Verdict.NOT_DONE)
        listed = self._connections(context)
        new = sorted({item.remote_id for item in listed.items} - set(known))
        if not new and not is_proof(listed, context.evidence.get("bad", 0)):
            return Settled(Verdict.UNDECIDED, look_at=(CUT,))
        if not new:
            return Settled(Verdict.NOT_DONE)
        words = f"The step is not done, but the account has new connections: {', '.join(new[:5])}. One may be yours."
        return Settled(Verdict.UNDECIDED, look_at=(words,))

    def finish(self, context: Context, receipt: Mapping[str, Any]) -> Finished:
        if receipt.get("is_gone"):
            return self._gone(context)
        integrations.refresh(context.integration, hold=context.progress.hold)
        kind = KIND_OF_STEPS[self.name]
        listing = listings.read(context.account, context.integration, kind, hold=context.progress.hold)
        steps = step_forms.read(listings.items(listing))
        following = step_forms.following(steps, uninstall=self.is_uninstall)
        place = int(context.evidence["place"])
        lost = () if any(step.place == place and step.is_done for step in steps) else (f"step {place}",)
        return Finished(self._sentence(steps, place, following), not_taken=lost, result={"link": self._link(context)})

    def _sentence(self, steps: Sequence[Step], place: int, following: Step | None) -> str:
        if not any(step.place == place and step.is_done for step in steps):
            return "The vendor took the answers, and its step is still not done: look at what it asks for now."
        if following is None:
            return "Installed: all steps are done."
        return f"Step {place} of {len(steps)} is done. Next: “{following.name}”."

    def _gone(self, context: Context) -> Finished:
        if surroundings.is_there(context):
            return Finished("The vendor says that it is gone, and still shows it. The next sync looks again.")
        integrations.mark_deleted(context.integration, hold=context.progress.hold)
        return Finished("Uninstalled. What was known of it stays here, with its snapshots and its history.")

    def _link(self, context: Context) -> dict[str, str]:
        url = reverse(PAGES[self.name], args=[context.write.tenant.slug, context.integration.pk])
        return {"url": url, "label": "To the steps"}

    # --- readings ------------------------------------------------------------------------------------------------

    def _read(self, context: Context) -> list[Step]:
        """The steps as they are; raises VendorError, InvalidError when there are more than can be read."""
        client = cast(SupportsListings, context.client)
        found = client.read_listing(KIND_OF_STEPS[self.name], context.integration.remote_id)
        steps = self._understood(context, found.items)
        if not found.is_whole and all(step.is_done for step in steps):
            raise InvalidError({"": _MORE_STEPS})
        return steps

    def _understood(self, context: Context, items: Sequence[Any]) -> list[Step]:
        # Names as the page shows them, so that the form's step is found by its name.
        redactor = _redactor(context)
        return step_forms.read({"name": redactor.redact_text(item.name), "values": item.values} for item in items)

    def _connections(self, context: Context) -> RemoteListing:
        return cast(SupportsListings, context.client).read_listing(CONNECTIONS, "")

    def _refresh_listing(self, context: Context) -> None:
        """So that the page shows what was found; it is old, and no more than that, when the vendor does not answer."""
        kind = KIND_OF_STEPS[self.name]
        try:
            listings.read(context.account, context.integration, kind, hold=context.progress.hold)
        except VendorError as error:
            context.progress.say(f"The steps could not be read for the page: {error.message}", "warning")


class InstallStep(_StepOperation):
    """One step of installing; its form is the confirmation."""

    name: ClassVar[str] = INSTALL
    label: ClassVar[str] = "Install"
    permission: ClassVar[Permission] = Permission.INTEGRATION_INSTALL
    effect: ClassVar[str] = "does one step of an installation at the vendor"
    has_review: ClassVar[bool] = False
    is_uninstall: ClassVar[bool] = False


class UninstallStep(_StepOperation):
    """One step of uninstalling. Before the first a person reads what would be lost, and types its name and a reason."""

    name: ClassVar[str] = UNINSTALL
    label: ClassVar[str] = "Uninstall"
    permission: ClassVar[Permission] = Permission.INTEGRATION_DELETE
    effect: ClassVar[str] = "does one step of taking the integration away at the vendor"
    has_review: ClassVar[bool] = True
    is_uninstall: ClassVar[bool] = True

    def _consequence(self, context: Context, step: Step) -> str:
        name, vendor = context.integration.name, context.client.label
        if step.type == step_forms.FINISH:
            return f"{vendor} takes “{name}” away for good. This cannot be undone from here."
        return f"{vendor} does step {step.place}, “{step.name}”, of taking “{name}” away. There is no way back."

    def _around(self, context: Context, steps: Sequence[Step]) -> surroundings.Around | None:
        return None if any(step.is_done for step in steps) else surroundings.Around(context)

    def _facts(self, steps: Sequence[Step], around: surroundings.Around | None) -> tuple[Fact, ...]:
        if around is None:
            left = sum(not step.is_done for step in steps)
            return (Fact(f"The uninstallation is under way; {left} of {len(steps)} steps are left."),)
        names = tuple(f"{step.place}. {step.name}" for step in steps)
        return (
            Fact("What uninstalling does, step by step:", items=names),
            *surroundings.facts(around),
        )

    def _questions(self, context: Context, steps: Sequence[Step]) -> tuple[Question, ...]:
        if any(step.is_done for step in steps):
            return ()
        name = context.integration.name
        return (
            Question("typed_name", f"Type {name} to confirm", "typed_name", expects=name),
            Question("reason", "Reason", "reason", help="Goes to the audit log."),
        )


# --- who did what -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DoneBy:
    """Who did a step here, and when."""

    by: str
    at: datetime | None
    write_id: uuid.UUID


def who_did(integration: Integration, operation: str) -> dict[int, DoneBy]:
    """The steps done through this console by their place, from the ledger; the last one where one was done twice."""
    rows = VendorWrite.objects.for_tenant(integration.tenant).filter(
        integration=integration, operation=operation, state=WriteState.DONE
    )
    columns = ("plan__changes__0__key", "requested_by_label", "confirmed_by_label", "over_at", "pk")
    found: dict[int, DoneBy] = {}
    for key, asked, confirmed, at, pk in rows.order_by("-over_at").values_list(*columns)[:DONE_KEPT]:
        place = str(key or "").removeprefix("step-")
        if place.isdigit():
            found.setdefault(int(place), DoneBy(confirmed or asked or "the console", at, pk))
    return found


def latest(integration: Integration, operation: str) -> VendorWrite | None:
    """The last step that was asked for here, over or not."""
    rows = VendorWrite.objects.for_tenant(integration.tenant).filter(integration=integration, operation=operation)
    return rows.select_related("tenant", "job").order_by("-created_at", "-id").first()


# --- small parts --------------------------------------------------------------------------------------------------


def _redactor(context: Context) -> Redactor:
    return Redactor((), TenantVault(context.account.tenant_id).fingerprint)


def _is_same(step: Step, wanted: Mapping[str, Any]) -> bool:
    return (step.place, step.type, step.name) == (wanted["place"], wanted["type"], wanted["name"])


def _guard(steps: Sequence[Step], following: Step, around: Sequence[Any]) -> str:
    told = [[step.place, step.type, step.name, step.is_done] for step in steps]
    return hashlib.sha256(canonical([told, following.form_id, *around])).hexdigest()


def _nothing(reason: str) -> Plan:
    return Plan(guard="", consequence="", nothing=reason)


def _states_words(steps: Sequence[Step], before: Sequence[bool]) -> str:
    moved = [step.name for step, was_done in zip(steps, before, strict=True) if step.is_done != was_done]
    return f"Other steps moved meanwhile than the one that was sent: {', '.join(moved[:5])}."
