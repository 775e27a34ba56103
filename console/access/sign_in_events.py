"""Writes sign-ins into the audit log. Django announces them by signal and in no other way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account import signals as account_signals
from allauth.mfa import signals as mfa_signals
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.dispatch import Signal

from console.access.models import User
from console.audit.events import Event
from console.audit.services import record


def connect() -> None:
    """Listen from now on; called once, when the app is ready."""
    user_logged_in.connect(_signed_in, dispatch_uid="audit signed in")
    user_logged_out.connect(_signed_out, dispatch_uid="audit signed out")
    user_login_failed.connect(_failed, dispatch_uid="audit sign-in failed")
    for signal, what in _CHANGES:
        signal.connect(_changed(what), weak=False, dispatch_uid=f"audit {what}")


def _changed(what: str) -> Callable[..., None]:
    def changed(user: User, **_: Any) -> None:
        with transaction.atomic():
            record(Event.USER_SIGN_IN_CHANGED, by=user, target=user, detail={"what": what})

    return changed


# allauth tells of each change by a signal of its own; what was typed is not kept.
_CHANGES: tuple[tuple[Signal, str], ...] = (
    (account_signals.password_changed, "new password"),
    (account_signals.password_reset, "password reset by mail"),
    (account_signals.email_added, "e-mail address added"),
    (account_signals.email_changed, "e-mail address changed"),
    (account_signals.email_removed, "e-mail address removed"),
    (mfa_signals.authenticator_added, "second factor added"),
    (mfa_signals.authenticator_removed, "second factor removed"),
    (mfa_signals.authenticator_reset, "recovery codes made anew"),
)


def _signed_in(user: User, **_: Any) -> None:
    with transaction.atomic():
        record(Event.USER_SIGNED_IN, by=user, target=user)


def _signed_out(user: User | None, **_: Any) -> None:
    if user is None:  # the session had ended already
        return
    with transaction.atomic():
        record(Event.USER_SIGNED_OUT, by=user, target=user)


def _failed(credentials: dict[str, Any], **_: Any) -> None:
    """Kept only for accounts that exist: what else is typed there may be a password in the wrong field."""
    email = str(credentials.get("email") or credentials.get("username") or "")
    user = User.objects.filter(email__iexact=email).first() if email else None
    if user is None:
        return
    with transaction.atomic():
        record(Event.USER_SIGN_IN_FAILED, by=user, target=user)
