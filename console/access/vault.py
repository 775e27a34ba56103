"""Seals and opens tenant data with the tenant's own key. `tenant_id` None means what the company shares.

A context names the one place a value belongs to (table, row, field); it does not open anywhere else.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterable

from django.db import IntegrityError, transaction

from console import crypto
from console.access.models import DataKey
from console.audit.events import Event
from console.audit.services import record


def seal(tenant_id: uuid.UUID | None, context: str, plain: bytes) -> bytes:
    """Encrypt `plain` for `context` with the current key of `tenant_id`."""
    key_id, key = _current(tenant_id)
    return crypto.encrypt(key, key_id, plain, _bound(tenant_id, context))


def unseal(tenant_id: uuid.UUID | None, context: str, sealed: bytes | memoryview) -> bytes:
    """Decrypt what `seal` made for the same tenant and context; raises `crypto.SealBrokenError`."""
    sealed = bytes(sealed)
    key = _by_id(tenant_id, crypto.key_id_of(sealed))
    return crypto.decrypt(key, sealed, _bound(tenant_id, context))


def fingerprint(tenant_id: uuid.UUID | None, plain: bytes) -> str:
    """Eight hex digits by which people tell two secrets apart; they say nothing about the secret without the key."""
    return digest(tenant_id, "fingerprint", plain).hex()[:8]


def digest(tenant_id: uuid.UUID | None, purpose: str, value: bytes) -> bytes:
    """A keyed 32-byte digest, stable for as long as the tenant's first key exists: for looking up exact values."""
    return crypto.keyed_digest(_first(tenant_id), purpose, value)


class TenantVault:
    """The functions of this module for one tenant, its keys read once: for a worker that seals thousands of values.

    Keep one for a job at most: a key rotated meanwhile is not noticed.
    """

    def __init__(self, tenant_id: uuid.UUID | None) -> None:
        self.tenant_id = tenant_id

    @functools.cached_property
    def _now(self) -> tuple[uuid.UUID, bytes]:
        return _current(self.tenant_id)

    @functools.cached_property
    def _oldest(self) -> bytes:
        return _first(self.tenant_id)

    def seal(self, context: str, plain: bytes) -> bytes:
        """See `seal`."""
        key_id, key = self._now
        return crypto.encrypt(key, key_id, plain, _bound(self.tenant_id, context))

    def unseal(self, context: str, sealed: bytes | memoryview) -> bytes:
        """See `unseal`."""
        sealed = bytes(sealed)
        key_id, key = self._now
        if crypto.key_id_of(sealed) != key_id:
            return unseal(self.tenant_id, context, sealed)
        return crypto.decrypt(key, sealed, _bound(self.tenant_id, context))

    def digest(self, purpose: str, value: bytes) -> bytes:
        """See `digest`."""
        return crypto.keyed_digest(self._oldest, purpose, value)

    def fingerprint(self, plain: bytes) -> str:
        """See `fingerprint`."""
        return self.digest("fingerprint", plain).hex()[:8]


def digests(tenant_ids: Iterable[uuid.UUID], purpose: str, value: bytes) -> dict[uuid.UUID, bytes]:
    """`digest` of one value for many tenants, in one query; a tenant that has no key yet has no digests either."""
    rows = DataKey.objects.filter(tenant__in=list(tenant_ids)).order_by("-created_at")
    oldest = {row[0]: row[1:] for row in rows.values_list("tenant_id", "wrapped_with", "wrapped")}
    return {
        tenant_id: crypto.keyed_digest(_unwrap(name, bytes(wrapped), _bound(tenant_id, "data key")), purpose, value)
        for tenant_id, (name, wrapped) in oldest.items()
        if tenant_id is not None
    }


def rewrap() -> int:
    """Wrap every data key anew with the current key of the key file; how many were wrapped with another one.

    What the data keys sealed stays as it is. Afterwards the other keys of the file open nothing that is in the
    database; its older backups still need them. Raises `crypto.KeyFileError` or `crypto.SealBrokenError`, and then
    nothing changed.
    """
    count = 0
    with transaction.atomic():
        for row in DataKey.objects.select_for_update().exclude(wrapped_with=crypto.current_key_name()):
            bound = _bound(row.tenant_id, "data key")
            key = crypto.unwrap_data_key(row.wrapped_with, bytes(row.wrapped), bound)
            row.wrapped_with, row.wrapped = crypto.wrap_data_key(key, bound)
            row.save(update_fields=["wrapped_with", "wrapped"])
            count += 1
        if count:
            record(Event.KEYS_REWRAPPED, by=None, detail={"count": count, "key": crypto.current_key_name()})
    return count


def _bound(tenant_id: uuid.UUID | None, context: str) -> str:
    return f"{tenant_id or 'shared'}|{context}"


def _current(tenant_id: uuid.UUID | None) -> tuple[uuid.UUID, bytes]:
    row = DataKey.objects.filter(tenant=tenant_id, is_current=True).values_list("id", flat=True).first()
    key_id = row or _create(tenant_id)
    return key_id, _by_id(tenant_id, key_id)


def _create(tenant_id: uuid.UUID | None) -> uuid.UUID:
    name, wrapped = crypto.new_data_key(_bound(tenant_id, "data key"))
    try:
        with transaction.atomic():
            return DataKey.objects.create(tenant_id=tenant_id, wrapped_with=name, wrapped=wrapped).id
    except IntegrityError:  # another process made it in the same moment
        return DataKey.objects.get(tenant=tenant_id, is_current=True).id


def _first(tenant_id: uuid.UUID | None) -> bytes:
    key_id = DataKey.objects.filter(tenant=tenant_id).order_by("created_at").values_list("id", flat=True).first()
    return _by_id(tenant_id, key_id or _create(tenant_id))


def _by_id(tenant_id: uuid.UUID | None, key_id: uuid.UUID) -> bytes:
    row = DataKey.objects.filter(id=key_id, tenant=tenant_id).values_list("wrapped_with", "wrapped").first()
    if row is None:
        raise crypto.SealBrokenError("The key of a sealed value is not here.")
    return _unwrap(row[0], bytes(row[1]), _bound(tenant_id, "data key"))


# Unwrapping is pure in its arguments, so the cache never goes stale; it holds keys, which live in this process anyway.
@functools.lru_cache(maxsize=256)
def _unwrap(name: str, wrapped: bytes, context: str) -> bytes:
    return crypto.unwrap_data_key(name, wrapped, context)
