"""Changes of a whole selection: what is to be set, the dry run row by row, the confirmation, and what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.access import policy
from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest, render_page
from console.paging import keyset_page
from integrations_app.batch_form import ValueForm, has_field, offered_fields
from integrations_app.models import Integration, VendorWrite, WriteBatch, WriteState
from integrations_app.services import vendor_writes
from integrations_app.services import write_batches as service
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations import registry
from integrations_app.vendors.capabilities import EditableField
from integrations_app.views import selecting

PAGE_SIZE = 100
State = WriteBatch.State
# The states in the order in which the page counts them.
_COUNTED = (
    WriteState.DONE,
    WriteState.READY,
    WriteState.CHECKING,
    WriteState.QUEUED,
    WriteState.SENT,
    WriteState.UNKNOWN,
    WriteState.ABANDONED,
)


# --- asking --------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@requires(Permission.INTEGRATION_EDIT)
def set_field(request: TenantRequest) -> HttpResponse:
    """First the field, which stands in the address; then its value. Nothing is sent from here."""
    try:
        selection = selecting.chosen(request)
    except InvalidError as error:
        return selecting.back_to_list(request, error)
    context = {"section": "integrations", **selecting.shown(selection, "edit")}
    fields = offered_fields(context["possible"])
    declared = fields.get(request.GET.get("field", ""))
    if declared is None:
        kept = request.GET.copy()
        kept.pop("field", None)
        choices = list(fields.values())
        return render(request, "batches/choose_field.html", {**context, "fields": choices, "kept": _pairs(kept)})
    rows = _with_field(context, declared)
    initial = {"key": vendor_writes.new_key(), "count": selection.count}
    form = ValueForm(request.POST or None, declared=declared, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            selection.check_as_shown(form.cleaned_data["count"])
            return redirect(_ask_to_set(request, declared, rows, form))
        except InvalidError as error:
            form.add_error(None, str(error))
            form.renew("count", selection.count)
    again = request.GET.copy()
    again.pop("field", None)
    context |= {"form": form, "declared": declared, "other_query": again.urlencode()}
    return render(request, "batches/set_field.html", context, status=422 if form.errors else 200)


def _pairs(query: QueryDict) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, values in query.lists() for value in values]


def _with_field(context: dict[str, Any], declared: EditableField) -> list[Integration]:
    """Narrow a choice down to those whose vendor offers the field; the others are left out, with the reason."""
    rows = [row for row in context["possible"] if has_field(row, declared)]
    others = [row for row in context["possible"] if not has_field(row, declared)]
    if others:
        context["left_out"].append({"reason": "Its vendor offers no such field.", "rows": others})
    context["possible"] = rows
    return rows


def _ask_to_set(
    request: TenantRequest, declared: EditableField, rows: list[Integration], form: ValueForm
) -> WriteBatch:
    label = declared.label[:1].lower() + declared.label[1:]
    return service.request(
        "edit",
        tenant=request.tenant,
        by=request.user,
        integrations=rows,
        params={"changes": {declared.name: form.cleaned_data["value"]}},
        key=form.cleaned_data["key"],
        title=f"Set {label} of {len(rows):,} integration{'' if len(rows) == 1 else 's'}",
        reason=form.cleaned_data["reason"],
    )


# --- one batch -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A line of the batch's table. `text` is what there is to say beside what would change."""

    write: VendorWrite
    name: str
    changes: list[dict[str, Any]]
    more: int
    text: str
    is_nothing: bool


@require_safe
@requires(Permission.INTEGRATION_VIEW)
def detail(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    batch = _find(request, pk)
    kind = registry.operation(batch.operation)
    standing = service.standing(batch)
    writes = VendorWrite.objects.filter(batch=batch).select_related("tenant", "integration")
    page = keyset_page(
        writes.defer("sealed", "sealed_plan"), order=("created_at", "id"), query=request.GET, size=PAGE_SIZE
    )
    is_stuck = batch.state in (State.CHECKING, State.RUNNING) and (batch.job is None or batch.job.is_finished)
    may = kind.permission in request.permissions
    context = {
        "section": "integrations",
        "batch": batch,
        "operation": kind,
        "standing": standing,
        "counted": _counted(standing),
        "rows": [_row(write) for write in page.rows],
        "page": page,
        "is_stuck": is_stuck,
        "looks_again": batch.state in (State.CHECKING, State.RUNNING) and not is_stuck,
        "refusal": "" if may else policy.refusal(kind.permission, request.tenant),
        "cancel_refusal": ""
        if Permission.JOB_CONTROL in request.permissions
        else policy.refusal(Permission.JOB_CONTROL, request.tenant),
        "form_key": vendor_writes.new_key(),
    }
    return render_page(request, "batches/detail.html", "batches/_batch.html", context)


def _counted(standing: service.Standing) -> list[dict[str, Any]]:
    """The numbers on top: rows by state, those with nothing to do apart from those that failed."""
    found = [
        {"state": state, "label": WriteState(state).label, "number": standing.by_state[state]}
        for state in _COUNTED
        if standing.by_state.get(state)
    ]
    if standing.failed:
        found.append({"state": WriteState.NOT_DONE, "label": "Not done", "number": standing.failed})
    if standing.nothing:
        found.append({"state": WriteState.ABANDONED, "label": "Nothing to do", "number": standing.nothing})
    return found


def _row(write: VendorWrite) -> Row:
    is_nothing = bool(write.result.get("nothing"))
    text = write.sentence or write.plan.get("note", "")
    if not text and write.state == WriteState.READY and write.plan.get("questions"):
        text = "Somebody changed it at the vendor too: decide on its own page."
    shown = [] if is_nothing else write.changes
    return Row(write, str(write.integration or write.title), shown[:1], max(0, len(shown) - 1), text, is_nothing)


def _find(request: TenantRequest, pk: uuid.UUID) -> WriteBatch:
    rows = WriteBatch.objects.for_tenant(request.tenant).select_related("tenant", "job__tenant", "requested_by")
    return get_object_or_404(rows, pk=pk)


@require_POST
@requires(Permission.INTEGRATION_SYNC)
def confirm(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    return _done(request, pk, lambda batch: service.confirm(batch, by=request.user))


@require_POST
@requires(Permission.INTEGRATION_SYNC)
def abandon(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    return _done(request, pk, lambda batch: service.abandon(batch, by=request.user))


@require_POST
@requires(Permission.INTEGRATION_SYNC)
def go_on(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    return _done(request, pk, lambda batch: service.go_on(batch, by=request.user))


@require_POST
@requires(Permission.INTEGRATION_SYNC)
def retry(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """A batch of its own, of those that were not done; the one they failed in stays as it is."""
    key = request.POST.get("key", "")
    return _done(request, pk, lambda batch: service.retry_failed(batch, by=request.user, key=key))


def _done(request: TenantRequest, pk: uuid.UUID, act: Callable[[WriteBatch], WriteBatch]) -> HttpResponse:
    batch = _find(request, pk)
    try:
        batch = act(batch)
    except InvalidError as error:
        messages.warning(request, str(error))
    return redirect(batch)
