"""A person's own page: name, time zone, and the ways to second factor, sessions and password."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from console.access import services
from console.access.decorators import signed_in
from console.access.forms import ProfileForm
from console.access.models import Grant, User
from console.http import SignedInRequest


@require_http_methods(["GET", "POST"])
@signed_in
def detail(request: SignedInRequest) -> HttpResponse:
    form = ProfileForm(request.POST or None, instance=User.objects.get(id=request.user.id))
    if form.is_valid():
        services.change_profile(user=request.user, **form.cleaned_data)
        messages.success(request, "Profile saved.")
        return redirect("me")
    grants = Grant.objects.active().of(request.user).select_related("role", "tenant", "team").order_by("granted_at")
    return render(request, "me/detail.html", {"form": form, "grants": grants}, status=400 if form.errors else 200)
