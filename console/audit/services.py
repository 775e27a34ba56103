"""Recording and nothing else: `record()` is called in the same transaction as the change it tells of."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Protocol

import structlog
from django.db import models, transaction

from console.access.models import Tenant, User
from console.audit.events import Event
from console.audit.models import AuditEvent

# Who acts when no person does: the scheduler, a sweep.
SYSTEM = "the console"


class Labelled(Protocol):
    """A model instance: its class is the target's type, its text the target's label."""

    @property
    def pk(self) -> Any: ...


def record(
    event: Event,
    *,
    by: User | None,
    tenant: Tenant | None = None,
    target: Labelled | None = None,
    detail: Mapping[str, Any] | None = None,
    reason: str = "",
) -> AuditEvent:
    """Add one audit event; `by` None means the console itself. Must run inside the transaction of the change.

    `detail` holds plain JSON values and never a secret: fingerprints, names, states. The request's id and address come
    from the logging context of the request, when there is one.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("An audit event is recorded in the transaction of its change.")
    context = structlog.contextvars.get_contextvars()
    return AuditEvent.objects.create(
        event=event,
        tenant_id=tenant.id if tenant else None,
        tenant_label=tenant.name if tenant else "",
        by_id=by.id if by else None,
        by_label=str(by) if by else SYSTEM,
        target_type=_type_of(target),
        target_id=_id_of(target),
        target_label=str(target)[:300] if target is not None else "",
        detail=dict(detail or {}),
        reason=reason[:300],
        ip_address=context.get("ip") or None,
        request_id=str(context.get("request_id") or "")[:64],
    )


def _type_of(target: Labelled | None) -> str:
    return target._meta.model_name or "" if isinstance(target, models.Model) else ""


def _id_of(target: Labelled | None) -> str:
    if target is None:
        return ""
    return str(target.pk) if not isinstance(target.pk, uuid.UUID) else target.pk.hex
