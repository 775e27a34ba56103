"""One change at a vendor, from what it would do to what became of it: checked, confirmed, sent once, read back."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from console.access import policy
from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest, render_page
from integrations_app.models import VendorWrite, WriteState
from integrations_app.services import vendor_writes as service
from integrations_app.services import write_plans
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations import registry
from integrations_app.vendor_words import vendor_words
from integrations_app.views.starting import write_started

_PASSED = {
    WriteState.CHECKING: 0,
    WriteState.READY: 1,
    WriteState.QUEUED: 2,
    WriteState.SENT: 3,
    WriteState.UNKNOWN: 3,
    WriteState.DONE: 4,
}
_STEPS = ("Checked", "Confirmed", "Sent", "Read back")
# Where a change was asked for, when that is not the integration's first page: a tab, and what a button to it says.
_ASKED_ON = {
    "switch_flow": ("flows", "To the flows"),
    "run_flow": ("flows", "To the flows"),
    "retry_errors": ("errors", "To the errors"),
    "resolve_errors": ("errors", "To the errors"),
    "register_connections": ("connections", "To the connections"),
    "unregister_connection": ("connections", "To the connections"),
}


@require_safe
@requires(Permission.INTEGRATION_VIEW)
def detail(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    return _page(request, _find(request, pk))


@require_POST
@requires(Permission.INTEGRATION_SYNC)
def confirm(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """What the person answered stays in the form when something is still missing."""
    write = _find(request, pk)
    answers = {name: value for name, value in request.POST.items() if isinstance(value, str)}
    try:
        service.confirm(write, by=request.user, answers=answers, shown=request.POST.get("shown", ""))
    except InvalidError as error:
        return _page(request, _find(request, pk), answers=answers, errors=error.errors, status=422)
    return write_started(request, write)


@require_POST
@requires(Permission.INTEGRATION_SYNC)
def abandon(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    write = service.abandon(_find(request, pk), by=request.user)
    if write.state == WriteState.ABANDONED:
        messages.success(request, "Given up. Nothing was sent to the vendor.")
    else:
        messages.warning(request, "It was under way already, so it could not be given up.")
    return redirect(write.integration or write)


@require_POST
@requires(Permission.INTEGRATION_SYNC)
def settle(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """A person says what became of a change whose answer was lost."""
    write = _find(request, pk)
    try:
        service.settle_by_person(write, by=request.user, happened=request.POST.get("happened") == "yes")
    except InvalidError as error:
        messages.warning(request, str(error))
    return redirect(write)


@require_POST
@requires(Permission.INTEGRATION_SYNC)
def look_again(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    return write_started(request, service.look_again(_find(request, pk), by=request.user))


@require_POST
@requires(Permission.INTEGRATION_EDIT)
def undo(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """Ask for the values from before a done change to be put back; that is a change of its own."""
    write = _find(request, pk)
    try:
        undoing = service.undo(write, by=request.user, key=request.POST.get("key", ""))
    except InvalidError as error:
        messages.warning(request, str(error))
        return redirect(write)
    return write_started(request, undoing)


def _find(request: TenantRequest, pk: uuid.UUID) -> VendorWrite:
    rows = VendorWrite.objects.for_tenant(request.tenant).select_related(
        "tenant", "integration__tenant", "vendor_account__tenant", "job", "made__tenant", "snapshot", "batch"
    )
    return get_object_or_404(rows, pk=pk)


def _page(
    request: TenantRequest,
    write: VendorWrite,
    *,
    answers: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    sees_all = _sees_all(request, write)
    if not sees_all:  # for this page only
        write.plan, write.result, write.sentence = {}, {}, ""
    kind = registry.operation(write.operation)
    is_stuck = _is_stuck(write)
    questions = write_plans.questions(write.plan)
    context = {
        "section": "integrations",
        "write": write,
        "operation": kind,
        "vendor": vendor_words(write.vendor_account.vendor) if write.vendor_account else None,
        "steps": _steps(write, is_stuck=is_stuck),
        "is_stuck": is_stuck,
        "looks_again": write.is_moving and not is_stuck,
        "changes": [change for change in write.changes if not _is_asked(change, write, questions)],
        "asked": _asked(write, questions, answers or {}, errors or {}),
        "errors": errors or {},
        "refusal": "" if kind.permission in request.permissions else policy.refusal(kind.permission, request.tenant),
        "undo_refusal": _undo_refusal(request, write),
        "made_url": _made_url(request, write),
        "sees_all": sees_all,
        "form_url": _form_url(write),
        "back": _back(write),
        # An edit, a restoring and an undoing are one operation; the title begins with what a person calls it.
        "verb": write.title.split(" ", 1)[0] if kind.is_undoable else kind.label,
        "form_key": service.new_key(),
        "shown_check": service.shown_check(write),
        "is_dangerous": any(question.kind == "typed_name" for question in questions),
    }
    return render_page(request, "changes/detail.html", "changes/_change.html", context, status=status)


def _is_stuck(write: VendorWrite) -> bool:
    """Whether the job that should take it further has ended without doing so."""
    return write.is_moving and write.batch_id is None and (write.job is None or write.job.is_finished)


def _steps(write: VendorWrite, *, is_stuck: bool) -> list[dict[str, str]]:
    """Where the write stands, a word for each of its steps."""
    # What the vendor refused never arrived; what was lost and is not there was looked for, and read back.
    is_refused = write.state == WriteState.NOT_DONE and 400 <= (write.vendor_status or 0) < 500
    passed = _PASSED.get(WriteState(write.state), (2 if is_refused else 3) if write.sent_at else 0)
    steps = []
    for number, label in enumerate(_STEPS):
        state = "done" if number < passed else "waiting"
        if number == passed and not write.is_over:
            state = "failed" if is_stuck else "unknown" if write.state == WriteState.UNKNOWN else "current"
        if write.state == WriteState.NOT_DONE and number == passed:
            state = "failed"
        steps.append({"label": label, "state": state})
    return steps


def _is_asked(change: dict[str, Any], write: VendorWrite, questions: list[Any]) -> bool:
    """A conflict that is still to be decided is shown with its question, not among the changes."""
    return write.state == WriteState.READY and any(question.name == f"choice:{change['key']}" for question in questions)


def _asked(
    write: VendorWrite, questions: list[Any], answers: dict[str, str], errors: dict[str, str]
) -> list[dict[str, Any]]:
    """The questions with what was answered so far."""
    by_key = {f"choice:{change['key']}": change for change in write.changes}
    return [
        {
            "question": question,
            "change": by_key.get(question.name),
            "answer": answers.get(question.name, question.initial),
            "error": errors.get(question.name, ""),
        }
        for question in questions
    ]


def _undo_refusal(request: TenantRequest, write: VendorWrite) -> str:
    """Why a done change cannot be put back, "" when it can be tried."""
    if Permission.INTEGRATION_EDIT not in request.permissions:
        return policy.refusal(Permission.INTEGRATION_EDIT, request.tenant)
    return service.cannot_undo(write)


def _sees_all(request: TenantRequest, write: VendorWrite) -> bool:
    """Whether nothing on the page belongs to a tenant that this person does not see."""
    if write.also_tenant_id is None:
        return True
    return policy.visible_tenants(request.user).filter(pk=write.also_tenant_id).exists()


def _made_url(request: TenantRequest, write: VendorWrite) -> str:
    """The page of what came of it; "" where that belongs to a tenant which this person does not see."""
    made = write.made
    if made is None:
        return ""
    is_seen = made.tenant_id == request.tenant.pk or policy.visible_tenants(request.user).filter(pk=made.tenant_id)
    return made.get_absolute_url() if is_seen else ""


def _back(write: VendorWrite) -> dict[str, str] | None:
    """Where the change was asked for, "url" and "label"; None where there is no integration."""
    if write.integration is None:
        return None
    tab, label = _ASKED_ON.get(write.operation, ("", "To the integration"))
    if not tab or write.integration.gone_at is not None:
        return {"url": write.integration.get_absolute_url(), "label": "To the integration"}
    url = reverse("integrations:tab", args=[write.tenant.slug, write.integration_id, tab])
    return {"url": url, "label": label}


def _form_url(write: VendorWrite) -> str:
    """The form again, filled in with what was to be made, where nothing came of it."""
    if write.state not in (WriteState.NOT_DONE, WriteState.ABANDONED) or write.vendor_account is None:
        return ""
    if write.operation == "create":
        url = reverse("integrations:create", args=[write.tenant.slug])
        return f"{url}?account={write.vendor_account_id}&again={write.pk}"
    if write.operation == "clone" and write.integration is not None:
        return f"{reverse('integrations:clone', args=[write.tenant.slug, write.integration_id])}?again={write.pk}"
    return ""
