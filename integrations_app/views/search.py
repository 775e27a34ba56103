"""Search everything: paste an id, a name, a webhook address or an e-mail, and land at the right tenant's thing."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from console.access.decorators import signed_in
from console.http import SignedInRequest
from integrations_app.services import finding


@require_safe
@signed_in
def search(request: SignedInRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:500]
    matches = finding.find(text, user=request.user) if text else []
    if len(matches) == 1 and matches[0].is_exact and request.GET.get("stay") != "1":
        return redirect(matches[0].url)
    return render(request, "search/search.html", {"text": text, "matches": matches})
