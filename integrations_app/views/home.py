"""Home: what needs a person now, across the tenants one may see."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from console.access import policy
from console.access.decorators import signed_in
from console.access.permissions import Permission
from console.http import SignedInRequest, render_page
from integrations_app.models import Integration, Job
from integrations_app.services import integrations as service
from integrations_app.services import tasks_for_people

RECENT_JOBS = 8
TENANTS_SHOWN = 50
TURNS = (("", "Everyone"), ("us", "Our turn"), ("tenant", "Tenant"), ("vendor", "Vendor"))


@require_safe
@signed_in
def home(request: SignedInRequest) -> HttpResponse:
    tenants = policy.tenants_where(request.user, Permission.INTEGRATION_VIEW)
    if request.user.is_platform_admin and not tenants.exists():
        return redirect("welcome")
    all_tasks = tasks_for_people.things_to_do(tenants)
    turn = request.GET.get("turn", "")
    shown = [(group.tenant, [task for task in group.tasks if turn in ("", task.turn)]) for group in all_tasks]
    jobs = Job.objects.for_tenants(policy.tenants_where(request.user, Permission.JOB_VIEW)).select_related("tenant")
    context = {
        "section": "home",
        "groups": [(tenant, tasks) for tenant, tasks in shown if tasks],
        "turns": _turns(all_tasks, turn),
        "count": sum(len(group.tasks) for group in all_tasks),
        "waiting_tenants": len(all_tasks),
        "health": _health(tenants),
        "tenants_count": tenants.count(),
        "list_age": service.list_age(service.ListQuery(tenants=tenants)),
        "jobs": jobs[:RECENT_JOBS],
        "may_sync": policy.tenants_where(request.user, Permission.INTEGRATION_SYNC).exists(),
    }
    return render_page(request, "home/home.html", "home/_needs.html", context)


def _turns(all_tasks: Any, current: str) -> list[dict[str, Any]]:
    counts = {"": 0, "us": 0, "tenant": 0, "vendor": 0}
    for group in all_tasks:
        for task in group.tasks:
            counts[""] += 1
            if task.turn in counts and task.turn:
                counts[task.turn] += 1
    return [
        {"value": value, "label": label, "count": counts[value], "is_current": value == current}
        for value, label in TURNS
        if value in ("", current) or counts[value]
    ]


def _health(tenants: Any) -> list[dict[str, Any]]:
    """Per tenant: how many integrations are fine, want attention, or rest. Archived and gone ones do not count."""
    counts = service.counts_by_state(tenants)
    states = Integration.State
    lines = []
    for tenant in tenants.order_by("name", "id")[:TENANTS_SHOWN]:
        of = counts.get(tenant.id, {})
        fine, warn = of.get(states.ACTIVE, 0), of.get(states.ATTENTION, 0)
        building, off = of.get(states.BUILDING, 0), of.get(states.INACTIVE, 0)
        total = fine + warn + building + off
        lines.append({"tenant": tenant, "ok": fine, "warn": warn, "run": building, "off": off, "total": total})
    return lines
