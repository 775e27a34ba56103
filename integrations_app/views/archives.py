"""One template archive: what is inside, without secrets; compared with another; taken along."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event

from console.access import policy
from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest, render_page
from integrations_app.models import ArchiveEntry, Integration, TemplateArchive
from integrations_app.services import archive_contents, archives
from integrations_app.services.documents import load
from integrations_app.services.errors import InvalidError
from integrations_app.vendor_words import vendor_words
from integrations_app.views.starting import job_started

QUERY_LENGTH = 200
# Others of the same integration that a list offers for comparison.
OTHERS_SHOWN = 25


@require_POST
@requires(Permission.ARCHIVE_INSPECT)
def fetch(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """Ask for a fresh archive of an integration; its tab then looks again until it is there."""
    rows = Integration.objects.for_tenant(request.tenant).select_related("tenant", "vendor_account")
    integration = get_object_or_404(rows, pk=pk)
    try:
        job = archives.request(integration, by=request.user)
    except InvalidError as error:
        messages.error(request, str(error))
        return redirect("integrations:tab", request.tenant.slug, integration.pk, "archives")
    return trigger_client_event(job_started(request, job), "archives-asked", {})


@require_safe
@requires(Permission.ARCHIVE_INSPECT)
def detail(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    archive = _find(request, pk)
    text = request.GET.get("q", "").strip()[:QUERY_LENGTH]
    context = {
        **_context(request, archive),
        "search": text,
        "contents": archive_contents.contents(archive, text) if archive.was_read else None,
        "others": _others(archive),
        **_entry(request, archive),
    }
    return render_page(request, "archives/detail.html", "archives/_archive.html", context)


@require_safe
@requires(Permission.ARCHIVE_INSPECT)
def compare(request: TenantRequest, pk: uuid.UUID) -> HttpResponse:
    """The archive beside another one of its integration (`with`), the older one first."""
    archive = _find(request, pk)
    other = _other(request, archive)
    before, after = sorted((archive, other), key=lambda one: (one.taken_at, one.pk))
    comparison = archive_contents.compare(before, after)
    chosen = _chosen(request, comparison)
    context = {
        **_context(request, archive),
        "other": other,
        "comparison": comparison,
        "counts": [(word, comparison.count(word)) for word in ("changed", "added", "removed")],
        "changes": comparison.changes[: archive_contents.ENTRIES_SHOWN],
        "chosen": chosen,
        "diff": archive_contents.difference(chosen) if chosen else None,
        "show_noise": request.GET.get("noise") == "1",
        "is_side": request.GET.get("view") == "side",
    }
    return render_page(request, "archives/compare.html", "archives/_compare.html", context)


@require_POST
@requires(Permission.ARCHIVE_DOWNLOAD)
def download(request: TenantRequest, pk: uuid.UUID) -> HttpResponseBase:
    """The file as the vendor made it, in the clear, secrets and all; written down before the first byte."""
    archive = _find(request, pk)
    try:
        file = archives.open_download(archive, by=request.user)
    except InvalidError as error:
        messages.error(request, str(error))
        return redirect(archive)
    response = StreamingHttpResponse(file.chunks, content_type="application/zip")
    response["Content-Length"] = str(file.size_bytes)
    response["Content-Disposition"] = (
        f"attachment; filename=\"{file.ascii_name}\"; filename*=UTF-8''{quote(file.name, safe='')}"
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def _find(request: TenantRequest, pk: uuid.UUID) -> TemplateArchive:
    rows = TemplateArchive.objects.for_tenant(request.tenant).select_related(
        "tenant", "integration__tenant", "taken_by", "job"
    )
    return get_object_or_404(rows, pk=pk)


def _context(request: TenantRequest, archive: TemplateArchive) -> dict[str, Any]:
    may_download = Permission.ARCHIVE_DOWNLOAD in request.permissions
    refusal = "" if may_download else policy.refusal(Permission.ARCHIVE_DOWNLOAD, request.tenant)
    if archive.state == TemplateArchive.State.EXPIRED:
        refusal = "Its time is over: the file was removed."
    return {
        "section": "integrations",
        "archive": archive,
        "integration": archive.integration,
        "vendor": vendor_words(archive.integration.vendor),
        "download_refusal": refusal,
    }


def _entry(request: TenantRequest, archive: TemplateArchive) -> dict[str, Any]:
    """The entry an address names, else the one to begin with; its document parsed."""
    if not archive.was_read:
        return {"entry": None, "document": None}
    given = request.GET.get("entry", "")
    if given:
        entry = archive_contents.entry(archive, int(given)) if given.isdecimal() and len(given) < 7 else None
        if entry is None:
            raise Http404
    else:
        entry = archive_contents.first_shown(archive)
    return {"entry": entry, "document": _document(entry)}


def _document(entry: ArchiveEntry | None) -> Any:
    return None if entry is None or entry.redacted is None else load(entry.redacted)


def _others(archive: TemplateArchive) -> list[TemplateArchive]:
    """Archives of the same integration that this one can be compared with."""
    if not archive.was_read:
        return []
    rows = archives.history(archive.integration).exclude(state=TemplateArchive.State.REFUSED).exclude(pk=archive.pk)
    return list(rows[:OTHERS_SHOWN])


def _other(request: TenantRequest, archive: TemplateArchive) -> TemplateArchive:
    """The archive to compare with: the one the address names, else the latest other one."""
    given = request.GET.get("with", "")
    rows = archives.history(archive.integration).exclude(state=TemplateArchive.State.REFUSED).exclude(pk=archive.pk)
    if not archive.was_read:
        raise Http404
    if given:
        try:
            rows = rows.filter(pk=uuid.UUID(given))
        except ValueError as error:
            raise Http404 from error
    other = rows.first()
    if other is None:
        raise Http404
    return other


def _chosen(request: TenantRequest, comparison: archive_contents.Comparison) -> archive_contents.EntryChange | None:
    """The file whose changes are shown: the one the address names, else the first that can be compared."""
    given = request.GET.get("path", "")
    if given:
        return next((change for change in comparison.changes if change.entry.path == given), None)
    return next((change for change in comparison.changes if change.has_documents), None)
