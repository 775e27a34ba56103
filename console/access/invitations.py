"""Invitations: a link that lets one person make an account and receive one grant."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from console.access import policy, services
from console.access.models import Invitation, Role, Tenant, User
from console.access.permissions import Permission
from console.audit.events import Event
from console.audit.services import record


@dataclass(frozen=True)
class SentInvitation:
    """An invitation with the secret of its link, which is shown once and never again."""

    invitation: Invitation
    token: str


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


@transaction.atomic
def invite(
    *,
    tenant: Tenant,
    email: str,
    name: str,
    role: Role,
    by: User,
    expires_at: datetime | None = None,
    reason: str = "",
    ticket: str = "",
) -> SentInvitation:
    """Invite somebody who has no account yet; the link works once, for a week, and never beyond the access's own end.

    `expires_at`, `reason` and `ticket` are the grant's. Raises PermissionDenied as `services.give_role` does, and
    ValidationError when the e-mail has an account or the end lies in the past.
    """
    services.check_may_give(tenant, role, by, expires_at)
    email = User.objects.normalize_email(email).lower()
    if User.objects.filter(email=email).exists():
        raise ValidationError({"email": "This person has an account: give the role directly."})
    if services.is_second_address(email):
        raise ValidationError({"email": "This person has an account under another address: give the role to that."})
    token = secrets.token_urlsafe(32)
    invitation = Invitation(
        email=email,
        name=name.strip(),
        tenant=tenant,
        role=role,
        access_expires_at=expires_at,
        reason=reason,
        ticket=ticket,
        digest=_digest(token),
        invited_by=by,
        expires_at=timezone.now() + Invitation.LIFETIME,
    )
    invitation.full_clean(exclude=["digest"])
    invitation.save()
    detail = {"role": str(role), "until": expires_at.isoformat() if expires_at else "", "ticket": ticket}
    record(Event.INVITATION_SENT, by=by, tenant=tenant, target=invitation, detail=detail, reason=reason)
    return SentInvitation(invitation, token)


def find_open(token: str) -> Invitation | None:
    """The open invitation behind a link; None when it was used, withdrawn, has expired or never was."""
    invitation = Invitation.objects.select_related("tenant", "role", "invited_by").filter(digest=_digest(token)).first()
    return invitation if invitation and invitation.is_open else None


@transaction.atomic
def accept(*, token: str, name: str, password: str, time_zone: str) -> User:
    """Create the invited person's account and give the role; raises PermissionDenied when the link no longer works.

    The role is given with the inviter's present rights: who lost them since cannot let anybody in.
    """
    invitation = Invitation.objects.select_for_update().filter(digest=_digest(token)).first()
    if invitation is None or not invitation.is_open or invitation.invited_by is None:
        raise PermissionDenied("This invitation no longer works. Ask for a new one.")
    user = User.objects.filter(email=invitation.email).first()
    if user is not None:
        raise PermissionDenied("This person has an account already: sign in and ask for the role.")
    user = services.create_user(
        email=invitation.email, name=name, password=password, by=invitation.invited_by, time_zone=time_zone
    )
    services.give_role(
        tenant=invitation.tenant,
        user=user,
        role=invitation.role,
        by=invitation.invited_by,
        expires_at=invitation.access_expires_at,
        reason=invitation.reason or "Accepted an invitation",
        ticket=invitation.ticket,
    )
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at"])
    detail = {"role": str(invitation.role)}
    record(Event.INVITATION_ACCEPTED, by=user, tenant=invitation.tenant, target=invitation, detail=detail)
    return user


@transaction.atomic
def withdraw(*, invitation_id: uuid.UUID, tenant: Tenant, by: User) -> None:
    """Make an invitation's link useless; one that is gone already is no error."""
    policy.require(by, Permission.PEOPLE_MANAGE, tenant)
    invitation = Invitation.objects.filter(id=invitation_id, tenant=tenant, accepted_at=None).first()
    if invitation is None:
        return
    record(Event.INVITATION_WITHDRAWN, by=by, tenant=tenant, target=invitation)
    invitation.delete()
