"""Jobs: what runs, what ran, one of them followed to its end."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from console.access import policy
from console.access.decorators import requires, signed_in
from console.access.permissions import Permission
from console.http import SignedInRequest, TenantRequest, render_page
from console.paging import among, capped_count, keyset_page
from integrations_app.models import Integration, Job, JobLine, JobState, WriteBatch
from integrations_app.models.job import OPEN_STATES, JobQuerySet
from integrations_app.services import jobs as service
from integrations_app.services.job_types import JOB_TYPES

PAGE_SIZE = 50
LINES_SHOWN = 200

_GROUPS = {
    "open": ("Not finished", OPEN_STATES),
    "failed": ("Failed or partly done", (JobState.FAILED, JobState.PARTIAL, JobState.UNKNOWN)),
    "succeeded": ("Succeeded", (JobState.SUCCEEDED,)),
    "cancelled": ("Cancelled", (JobState.CANCELLED,)),
}


@require_safe
@signed_in
def fleet(request: SignedInRequest) -> HttpResponse:
    tenants = policy.tenants_where(request.user, Permission.JOB_VIEW)
    return _list(request, Job.objects.filter(among("tenant_id", tenants.values("id"))))


@require_safe
@requires(Permission.JOB_VIEW)
def index(request: TenantRequest) -> HttpResponse:
    return _list(request, Job.objects.for_tenant(request.tenant))


def _list(request: SignedInRequest, jobs: JobQuerySet) -> HttpResponse:
    group, kind = request.GET.get("state", ""), request.GET.get("type", "")
    if group in _GROUPS:
        jobs = jobs.filter(state__in=_GROUPS[group][1])
    if kind in JOB_TYPES:
        jobs = jobs.filter(type=kind)
    page = keyset_page(
        jobs.select_related("tenant", "requested_by"), order=("-created_at", "-id"), query=request.GET, size=PAGE_SIZE
    )
    context = {
        "section": "jobs",
        "page": page,
        "count": capped_count(jobs),
        "filters": _filters(group, kind),
        "is_filtered": bool(group or kind),
        "has_open": any(not job.is_finished for job in page.rows),
    }
    return render_page(request, "jobs/index.html", "jobs/_table.html", context)


def _filters(group: str, kind: str) -> list[dict[str, Any]]:
    states = [{"value": value, "label": label} for value, (label, _) in _GROUPS.items()]
    kinds = [{"value": name, "label": job_type.label} for name, job_type in JOB_TYPES.items()]
    return [
        {
            "name": "state",
            "label": "State",
            "current": _GROUPS[group][0] if group in _GROUPS else "",
            "options": states,
        },
        {
            "name": "type",
            "label": "Kind",
            "current": JOB_TYPES[kind].label if kind in JOB_TYPES else "",
            "options": kinds,
        },
    ]


@require_safe
@requires(Permission.JOB_VIEW)
def detail(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """The job's page; htmx asks for the moving part until the job ends."""
    jobs = Job.objects.for_tenant(request.tenant).select_related("tenant", "requested_by", "vendor_account")
    job = get_object_or_404(jobs, pk=pk)
    return render_page(request, "jobs/detail.html", "jobs/_progress.html", _detail(request, job))


def _detail(request: TenantRequest, job: Job) -> dict[str, Any]:
    may_control = Permission.JOB_CONTROL in request.permissions
    lines = list(JobLine.objects.for_tenant(request.tenant).filter(job=job).order_by("-id")[: LINES_SHOWN + 1])
    refusal = policy.refusal(Permission.JOB_CONTROL, request.tenant)
    return {
        "section": "jobs",
        "job": job,
        "job_type": JOB_TYPES.get(job.type),
        "lines": lines[:LINES_SHOWN][::-1],
        "has_older_lines": len(lines) > LINES_SHOWN,
        "failures": [line for line in lines if line.level == JobLine.Level.ERROR and line.subject],
        "seconds": _seconds(job),
        "target_url": _target_url(job),
        "retry_reason": service.cannot_retry(job) if may_control else refusal,
        "cancel_reason": "" if may_control else refusal,
        "is_retryable": job.state in service.RETRYABLE_STATES,
    }


def _target_url(job: Job) -> str:
    """The page of the integration, or of the batch of changes, that the job is about; "" when it is about something
    else or that is not here.
    """
    models: dict[str, type[Integration] | type[WriteBatch]] = {"integration": Integration, "writebatch": WriteBatch}
    model = models.get(job.target_type)
    if model is None:
        return ""
    try:
        wanted = uuid.UUID(job.target_id)
    except ValueError:
        return ""
    found = model._default_manager.filter(tenant=job.tenant, pk=wanted).select_related("tenant").first()
    return found.get_absolute_url() if found else ""


def _seconds(job: Job) -> float | None:
    if job.started_at is None or job.finished_at is None:
        return None
    return (job.finished_at - job.started_at).total_seconds()


@require_POST
@requires(Permission.JOB_CONTROL)
def cancel(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    job = get_object_or_404(Job.objects.for_tenant(request.tenant), pk=pk)
    if job.is_finished:
        messages.warning(request, "This job had ended already; nothing was cancelled.")
    else:
        service.cancel(job=job, by=request.user)
        messages.success(request, "Cancelled. What it is doing at this moment still ends.")
    return redirect(job)


@require_POST
@requires(Permission.JOB_CONTROL)
def retry(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    job = get_object_or_404(Job.objects.for_tenant(request.tenant), pk=pk)
    try:
        return redirect(service.retry(job=job, by=request.user))
    except service.JobStateError as error:
        messages.warning(request, str(error))
        return redirect(job)


@require_safe
@signed_in
def running(request: SignedInRequest) -> HttpResponse:
    """The indicator in the top bar, asked for again and again."""
    return render(request, "components/shell/running_jobs.html", {})
