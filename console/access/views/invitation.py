"""The page behind an invitation's link: choose a password and come in."""

from __future__ import annotations

from django.contrib.auth import login
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from console.access import invitations
from console.access.decorators import public
from console.access.forms import NewPasswordForm


@require_http_methods(["GET", "POST"])
@public
@never_cache
@sensitive_post_parameters()
def accept(request: HttpRequest, token: str) -> HttpResponse:
    invitation = invitations.find_open(token)
    if invitation is None:
        return render(request, "invitation/closed.html", status=404)
    form = NewPasswordForm(request.POST or None, initial={"name": invitation.name})
    if form.is_valid():
        values = form.cleaned_data
        try:
            user = invitations.accept(
                token=token, name=values["name"], password=values["password"], time_zone=values["time_zone"]
            )
        except (PermissionDenied, ValidationError) as error:
            form.add_error(None, " ".join(error.messages) if isinstance(error, ValidationError) else str(error))
        else:
            login(request, user, backend="allauth.account.auth_backends.AuthenticationBackend")
            return redirect(invitation.tenant)
    context = {"form": form, "invitation": invitation}
    return render(request, "invitation/accept.html", context, status=400 if form.errors else 200)
