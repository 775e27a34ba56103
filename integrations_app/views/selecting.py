"""Which integrations a person chose in a tenant's list: some by their boxes, or all that its filters match.

The choice stands in the address of the page that follows, so that the page can be reloaded and linked to.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from console.access.decorators import requires
from console.access.models import Tenant
from console.access.permissions import Permission
from console.http import TenantRequest
from integrations_app.models import Integration
from integrations_app.services import integrations as service
from integrations_app.services import write_batches
from integrations_app.services.errors import InvalidError
from integrations_app.views.integrations import PAGE_SIZE, read_query

# What the bar above the list offers, and the page where each goes on.
ACTIONS = {"revisions": "integrations:revisions", "field": "integrations:set_field"}
# What a filter leaves in the address and is no part of a choice.
_PLACE = ("sort", "after", "before")
_NOTHING = "Nothing was chosen: tick the boxes of the integrations you mean."
TOO_MANY = (
    "More than {cap:,} match, and at most {cap:,} can be changed at once: narrow the list down with its filters first."
)


@require_POST
@requires(Permission.INTEGRATION_VIEW)
def choose(request: TenantRequest) -> HttpResponse:
    """Lead to the page of the chosen action, with the choice in its address."""
    query = _choice(request)
    url = ACTIONS.get(request.POST.get("action", ""))
    if url is None or not query:
        messages.warning(request, _NOTHING)
        back = reverse("integrations:index", args=[request.tenant.slug])
        return redirect(f"{back}?{request.GET.urlencode()}" if request.GET else back)
    return redirect(f"{reverse(url, args=[request.tenant.slug])}?{query.urlencode()}")


def _choice(request: TenantRequest) -> QueryDict:
    """The choice as a query string: `all=1` with the list's filters, or an `id` for each box."""
    if request.POST.get("all"):
        query = request.GET.copy()
        for name in (*_PLACE, "all", "id"):
            query.pop(name, None)
        query["all"] = "1"
        return query
    query = QueryDict(mutable=True)
    query.setlist("id", [str(pk) for pk in _ids(request.POST.getlist("id"))])
    return query if query.getlist("id") else QueryDict()


def _ids(given: list[str]) -> list[uuid.UUID]:
    """The ids among `given`, at most a page of them."""
    found = []
    for text in given[:PAGE_SIZE]:
        try:
            found.append(uuid.UUID(text))
        except ValueError:
            continue
    return found


@dataclass(frozen=True)
class Selection:
    """`rows` are in the order of their names. `count` goes into the form: a list that grew since is noticed."""

    rows: list[Integration]
    is_all: bool

    @property
    def count(self) -> int:
        return len(self.rows)

    def check_as_shown(self, shown: str) -> None:
        """Raises InvalidError when `shown`, the number that a form was drawn with, is not how many there are now."""
        if shown != str(self.count):
            words = f"The list changed meanwhile: {self.count:,} match now. Nothing was asked for yet: look again."
            raise InvalidError({"": words})


def chosen(request: TenantRequest) -> Selection:
    """The choice that stands in the address. Raises InvalidError for none, or for more than one batch takes."""
    is_all = request.GET.get("all") == "1"
    if is_all:
        query = read_query(request, Tenant.objects.filter(id=request.tenant.id), request.tenant)
        found = service.rows(query)
    else:
        ids = _ids(request.GET.getlist("id"))
        found = Integration.objects.for_tenant(request.tenant).filter(pk__in=ids)
    rows = list(write_batches.with_all(found).order_by("name_sort", "id")[: write_batches.MAX_ROWS + 1])
    if not rows:
        raise InvalidError({"": _NOTHING})
    if len(rows) > write_batches.MAX_ROWS:
        raise InvalidError({"": TOO_MANY.format(cap=write_batches.MAX_ROWS)})
    return Selection(rows, is_all)


def back_to_list(request: TenantRequest, error: InvalidError) -> HttpResponse:
    """Say why a choice cannot be gone on with, on the list it was made in."""
    messages.warning(request, str(error))
    query = request.GET.copy()
    for name in ("all", "id", "field"):
        query.pop(name, None)
    back = reverse("integrations:index", args=[request.tenant.slug])
    return redirect(f"{back}?{query.urlencode()}" if query else back)


def shown(selection: Selection, operation: str) -> dict[str, Any]:
    """The parts of a page's context that say what an operation would touch, and what it leaves out and why."""
    possible, left_out = write_batches.sort_out(operation, selection.rows)
    return {
        "selection": selection,
        "possible": possible,
        "left_out": [{"reason": reason, "rows": rows} for reason, rows in left_out.items()],
    }
