"""Installing and uninstalling, step by step: all steps, who did which, and the form of the next one.

Nothing of it lives in the session: the vendor's steps say how far it is, the ledger who did what, so that somebody else
goes on with it on another day. No page here asks the vendor: the steps are a listing, read by a job.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRefresh, reswap, retarget

from console.access import policy
from console.access.decorators import requires
from console.access.permissions import Permission
from console.access.vault import TenantVault
from console.http import TenantRequest, wants_fragment
from integrations_app.models import Integration, Job, Listing, VendorWrite, WriteState
from integrations_app.services import listings, step_forms, vendor_writes
from integrations_app.services.documents import Redactor
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations import registry, steps
from integrations_app.services.step_forms import Step
from integrations_app.step_form import IDENTITY, Carried, StepForm, carried
from integrations_app.vendor_words import vendor_words
from integrations_app.views.listing import find_integration
from integrations_app.views.starting import write_started

# Of an installation with more steps than these, those around the next one are shown.
STEPS_BEFORE, STEPS_AFTER = 20, 60
# What stands in the place of a step while the connections to choose from are missing.
CONNECTIONS_WANTED = "connections"
# How long the page says of a step that it is done, or why it came to nothing, without being asked.
NEWS = timedelta(hours=1)

_OTHER_STEP = "This step is not the next one any more, so nothing was sent. What was typed is kept below."
_OTHER_QUESTIONS = "The step asks for something else now, so nothing was sent. What was typed is filled in again."


@require_http_methods(["GET", "POST"])
@requires(Permission.INTEGRATION_VIEW)
def install(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    return _answer(request, pk, steps.INSTALL)


@require_http_methods(["GET", "POST"])
@requires(Permission.INTEGRATION_VIEW)
def uninstall(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    return _answer(request, pk, steps.UNINSTALL)


def _answer(request: TenantRequest, pk: uuid.UUID, operation: str) -> HttpResponse:
    wizard = Wizard(request, find_integration(request, pk), operation)
    if request.method == "POST":
        return _submitted(wizard)
    if not wants_fragment(request):
        return _page(wizard, wizard.form())
    match request.GET.get("part"):
        case "send":
            return _send(wizard)
        case "age":
            return _age(wizard)
    return _page(wizard, wizard.form())


# --- what the page knows -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One step in the list. `state`: "done", "current" or "waiting"; `done_by` is None for one done elsewhere."""

    step: Step
    state: str
    done_by: steps.DoneBy | None


class Wizard:
    """What is known of one installation, or uninstallation, for one request."""

    def __init__(self, request: TenantRequest, integration: Integration, operation: str) -> None:
        if vendor_writes.unsupported_reason(operation, integration.vendor):
            raise Http404
        self.request, self.integration, self.operation = request, integration, operation
        self.is_uninstall = operation == steps.UNINSTALL
        self.url = reverse(steps.PAGES[operation], args=[request.tenant.slug, integration.pk])
        self.kind = steps.KIND_OF_STEPS[operation]
        self.listing = listings.find(integration, self.kind)
        self.job = listings.open_job(integration, self.kind)
        self.is_known = self.listing is not None and self.listing.read_at is not None
        self.steps = step_forms.read(listings.items(self.listing)) if self.listing and self.is_known else []
        self.next = step_forms.following(self.steps, uninstall=self.is_uninstall)
        self.connections, self.connections_job = self._connections()
        self.write = steps.latest(integration, operation)

    def _connections(self) -> tuple[Listing | None, Job | None]:
        if self.next is None or self.next.wants != "connection":
            return None, None
        account = self.integration.vendor_account
        return listings.find(account, steps.CONNECTIONS), listings.open_job(account, steps.CONNECTIONS)

    @property
    def refusal(self) -> str:
        """Why this person cannot do a step here now, "" when they can."""
        permission = registry.operation(self.operation).permission
        if permission not in self.request.permissions:
            return policy.refusal(permission, self.request.tenant)
        return self.lost

    @property
    def lost(self) -> str:
        if self.integration.vendor_account.is_removed:
            return "Its vendor account was removed here, so nothing can be asked of the vendor."
        return "It is gone at the vendor." if self.integration.gone_at is not None else ""

    @property
    def may_read(self) -> bool:
        return not self.lost and Permission.INTEGRATION_SYNC in self.request.permissions

    @property
    def asks(self) -> list[str]:
        """The listings that the page asks for by itself when it is opened: those that are old."""
        if not self.may_read:
            return []
        wanted = [self.kind] if self.job is None and listings.is_stale(self.listing) else []
        if self._lacks_connections and self.connections_job is None and listings.is_stale(self.connections):
            wanted.append(steps.CONNECTIONS)
        return wanted

    @property
    def _lacks_connections(self) -> bool:
        is_wanted = self.next is not None and self.next.wants == "connection"
        return is_wanted and (self.connections is None or self.connections.read_at is None)

    @property
    def is_reading(self) -> bool:
        return self.job is not None or self.connections_job is not None

    @property
    def waits_for_connections(self) -> bool:
        """Whether the form is drawn only once the connections to choose from are there."""
        return self._lacks_connections and (self.connections_job is not None or steps.CONNECTIONS in self.asks)

    @property
    def shown_id(self) -> str:
        """What the page shows, so that a part of it that looks again can tell whether that is still so."""
        if not self.is_known:
            return ""
        if self.waits_for_connections:
            return CONNECTIONS_WANTED
        return f"{self.next.place}-{self.next.form_id}" if self.next is not None else "all-done"

    @property
    def is_stuck(self) -> bool:
        """Whether the job of the last step ended without taking it to its end."""
        return (
            self.write is not None and self.write.is_moving and (self.write.job is None or self.write.job.is_finished)
        )

    @property
    def is_busy(self) -> bool:
        """Whether a step is under way, or nobody knows yet what one did: no other is begun then."""
        return self.write is not None and not self.write.is_over

    @property
    def news(self) -> VendorWrite | None:
        """The last step, while it is news: over a moment ago, or not over."""
        if self.write is None or (self.write.over_at and self.write.over_at < timezone.now() - NEWS):
            return None
        return self.write

    def rows(self) -> list[Row]:
        """The steps to show, those around the next one where there are very many."""
        who = steps.who_did(self.integration, self.operation)
        at = next((number for number, step in enumerate(self.steps) if step is self.next), 0)
        first = max(0, at - STEPS_BEFORE)
        shown = self.steps[first : at + STEPS_AFTER]
        return [
            Row(
                step,
                "done" if step.is_done else "current" if step is self.next else "waiting",
                who.get(step.place) if step.is_done else None,
            )
            for step in shown
        ]

    def form(self, *, bound: bool = False) -> StepForm | None:
        if self.next is None or self.waits_for_connections:
            return None
        data = self.request.POST if bound else None
        return StepForm(data, step=self.next, connections=self._choices(), before=self._before(), auto_id="step_%s")

    def _choices(self) -> list[tuple[str, str]] | None:
        """The account's connections of the step's type, by id."""
        if self.connections is None or self.connections.read_at is None or self.next is None:
            return None
        wanted = self.next.connection_type
        return [
            (item["remote_id"], _connection_label(item))
            for item in listings.items(self.connections)
            if not wanted or item["values"].get("type") in (wanted, "", None)
        ]

    def _before(self) -> list[Mapping[str, Any]]:
        """The answers of the last try of the next step, where that came to nothing: nobody types them twice."""
        return list(self.write.changes[1:]) if self.write is not None and self.is_last_try_of_next else []

    @property
    def is_last_try_of_next(self) -> bool:
        """Whether the last write was a try of the step that is next still, and came to nothing."""
        write = self.news
        if write is None or write.state != WriteState.NOT_DONE or self.next is None or not write.changes:
            return False
        return bool(write.changes[0].get("key") == step_forms.step_key(self.next.place))

    def redactor(self) -> Redactor:
        return Redactor((), TenantVault(self.request.tenant.pk).fingerprint)

    @property
    def read_url(self) -> str:
        """Where the steps are asked for anew."""
        return self._read_url(self.kind)

    @property
    def read_urls(self) -> list[str]:
        """Where the page asks by itself for what is old."""
        return [self._read_url(kind) for kind in self.asks]

    def _read_url(self, kind: str) -> str:
        return reverse("integrations:read_listing", args=[self.request.tenant.slug, self.integration.pk, kind])


def _connection_label(item: Mapping[str, Any]) -> str:
    is_offline = item["values"].get("is_online") is False
    return f"{item['name']} · {item['remote_id']}{' · offline' if is_offline else ''}"


# --- the page and its parts ----------------------------------------------------------------------------------------


def _page(
    wizard: Wizard, form: StepForm | None, *, reason: str = "", kept: list[Carried] | None = None, status: int = 200
) -> HttpResponse:
    rows = wizard.rows()
    context = {
        **_send_context(wizard),
        "section": "integrations",
        "vendor": vendor_words(wizard.integration.vendor),
        "form": form,
        "rows": rows,
        "before": rows[0].step.place - 1 if rows else 0,
        "after": len(wizard.steps) - (rows[0].step.place - 1 + len(rows)) if rows else 0,
        "done_count": sum(step.is_done for step in wizard.steps),
        "reason": reason,
        "kept": kept or [],
        "is_changed": False,
    }
    if not wants_fragment(wizard.request):
        return render(wizard.request, "wizard/wizard.html", context, status=status)
    # htmx swaps no answer that is an error.
    return render(wizard.request, "wizard/_wizard.html", context)


def _send_context(wizard: Wizard) -> dict[str, Any]:
    write = wizard.news
    return {
        "wizard": wizard,
        "integration": wizard.integration,
        "write": write,
        "form_key": vendor_writes.new_key(),
        "vendor": vendor_words(wizard.integration.vendor),
    }


def _send(wizard: Wizard) -> HttpResponse:
    """The foot of the form while a step is under way; once it is done, the whole page shows what is next."""
    if wizard.write is None or wizard.write.state == WriteState.DONE:
        return HttpResponseClientRefresh()
    return render(wizard.request, "wizard/_send.html", _send_context(wizard))


def _age(wizard: Wizard) -> HttpResponse:
    """How old the steps are; a page that showed none yet is drawn anew, one that somebody types into is not."""
    shown = wizard.request.GET.get("shown", "")
    is_changed = not wizard.is_reading and shown != wizard.shown_id
    if is_changed and shown in ("", CONNECTIONS_WANTED):
        return HttpResponseClientRefresh()
    context = {**_send_context(wizard), "is_changed": is_changed, "shown": shown, "looks_again": True}
    return render(wizard.request, "wizard/_age.html", context)


# --- a step is submitted -------------------------------------------------------------------------------------------


def _submitted(wizard: Wizard) -> HttpResponse:
    request = wizard.request
    permission = registry.operation(wizard.operation).permission
    if permission not in request.permissions:
        raise PermissionDenied(policy.refusal(permission, request.tenant))
    drawn = {name: request.POST.get(name, "") for name in IDENTITY}
    following = wizard.next
    if following is None or drawn["place"] != str(following.place) or drawn["name"] != following.name:
        return _page(
            wizard,
            wizard.form(),
            reason=_OTHER_STEP,
            kept=carried(request.POST, wizard.redactor()),
            status=409,
        )
    form = wizard.form(bound=True)
    if form is None:
        return _page(wizard, None)
    if drawn["form_id"] != following.form_id:
        form.add_error(None, _OTHER_QUESTIONS)
    if form.is_valid() and (write := _asked(wizard, form)) is not None:
        return _started(wizard, write)
    form.scrub(wizard.redactor())
    return _page(wizard, form, status=422)


def _asked(wizard: Wizard, form: StepForm) -> VendorWrite | None:
    try:
        return vendor_writes.request(
            wizard.operation,
            by=wizard.request.user,
            integration=wizard.integration,
            params={"step": form.step.identity, "given": form.given},
            key=form.cleaned_data["key"],
        )
    except InvalidError as error:
        form.show_errors(error)
        return None


def _started(wizard: Wizard, write: VendorWrite) -> HttpResponse:
    """What would be lost is confirmed on the change's own page; a step of installing is followed here."""
    if wizard.is_uninstall:
        return write_started(wizard.request, write)
    if not wants_fragment(wizard.request):
        return redirect(wizard.url)
    wizard.write = write
    response = render(wizard.request, "wizard/_send.html", _send_context(wizard))
    return reswap(retarget(response, "#send"), "outerHTML")
