"""The history of a tenant: what was changed, found changed and kept, over all of its integrations."""

from __future__ import annotations

from django.http import HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest, render_page
from integrations_app.services import history_export
from integrations_app.services.history import History
from integrations_app.views import timeline

PAGE_SIZE = 50


@require_safe
@requires(Permission.INTEGRATION_VIEW)
def index(request: TenantRequest) -> HttpResponse:
    history = History(request.tenant)
    query = timeline.read_query(request.GET)
    page = history.page(query, cursors=request.GET, size=PAGE_SIZE)
    context = {
        "section": "history",
        "page": page,
        "filters": timeline.filters(request, history, query, page.rows),
        "rows_at_most": history_export.ROWS_AT_MOST,
    }
    return render_page(request, "history/index.html", "history/_timeline.html", context)


@require_safe
@requires(Permission.INTEGRATION_VIEW)
def export(request: TenantRequest) -> StreamingHttpResponse:
    return timeline.as_file(request, History(request.tenant))
