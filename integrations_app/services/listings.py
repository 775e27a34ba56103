"""Listings: what belongs to an integration (flows, connections, people) as its vendor last listed it, kind by kind.

A worker reads a kind whole and keeps it redacted in one row; pages show that row with its age. Every read here starts
from the tenant of the integration or of the vendor account that the listing belongs to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone

from console.access.models import Tenant, User
from console.access.vault import TenantVault
from integrations_app.models import Integration, Job, Listing, VendorAccount
from integrations_app.services import account_health, jobs, vendor_accounts
from integrations_app.services.documents import Redactor, canonical, load, plain, plain_json
from integrations_app.services.redaction import is_secret_text
from integrations_app.vendors import registry
from integrations_app.vendors.base import DocumentField, FieldKind
from integrations_app.vendors.capabilities import ListingKind, RemoteItem, RemoteListing, SupportsListings
from integrations_app.vendors.errors import VendorError, VendorPausedError, VendorRateLimitError

__all__ = [
    "STALE_AFTER",
    "find",
    "is_stale",
    "items",
    "kind_of",
    "kinds",
    "open_job",
    "read",
    "request",
    "with_listings",
]

# A tab opened later than this after the last reading asks for another by itself.
STALE_AFTER = timedelta(minutes=10)
# What one row keeps: a page parses it whole, and nobody pages through more.
ITEMS_KEPT = 5_000
BYTES_KEPT = 8_000_000
# The documents behind the rows stop earlier than the rows: they are looked at one by one.
RAW_BYTES_KEPT = 4_000_000
ONE_RAW_BYTES = 200_000
TEXT_LENGTH = 2_000
SCOPE_LENGTH = 200

# Columns whose texts are ids, states and moments: shown unless their shape alone gives a secret away.
_READABLE = (FieldKind.CODE, FieldKind.TIME)


# --- kinds -------------------------------------------------------------------------------------------------------


def kinds(vendor: str) -> tuple[ListingKind, ...]:
    """The kinds a vendor lists, in the order of the tabs; () for a vendor that lists none."""
    return registry.vendor(vendor).listings


def kind_of(vendor: str, slug: str) -> ListingKind:
    """One kind by its slug; raises KeyError for one that the vendor has not."""
    for kind in kinds(vendor):
        if kind.slug == slug:
            return kind
    raise KeyError(slug)


# --- asking and looking ------------------------------------------------------------------------------------------


def request(of: Integration | VendorAccount, kind: str, *, by: User | None, scope: str = "") -> Job:
    """Ask for one kind to be read anew; while that is under way, the same job.

    Raises KeyError for a kind the vendor has not, ValueError for a kind that is not of an integration (or of an
    account) as `of` is, or whose scope is missing, PermissionDenied.
    """
    wanted = kind_of(of.vendor, kind)
    if wanted.is_of_account is isinstance(of, Integration) or wanted.is_scoped is not bool(scope):
        raise ValueError(f"{kind} is not listed of this")
    return jobs.request(
        "read_listing",
        tenant=of.tenant,
        by=by,
        target=of,
        vendor_account=of.vendor_account if isinstance(of, Integration) else of,
        params={"kind": kind, "scope": scope[:SCOPE_LENGTH]},
        key=_job_key(of, kind, scope),
        title=f"{wanted.label} of {of}",
    )


def open_job(of: Integration | VendorAccount, kind: str, scope: str = "") -> Job | None:
    """The reading that is under way, if there is one."""
    return Job.objects.for_tenant(of.tenant).open().filter(key=_job_key(of, kind, scope)).first()


def _job_key(of: Integration | VendorAccount, kind: str, scope: str) -> str:
    # The scope is longer than a key may be, and is the vendor's text.
    tail = f":{hashlib.sha256(scope.encode()).hexdigest()[:16]}" if scope else ""
    return f"listing:{of.pk}:{kind}{tail}"


def find(of: Integration | VendorAccount, kind: str, scope: str = "") -> Listing | None:
    """What was last read of a kind, None when nobody ever asked."""
    rows = Listing.objects.for_tenant(of.tenant).filter(kind=kind, scope=scope)
    return rows.filter(_owner(of)).first()


def _owner(of: Integration | VendorAccount) -> Q:
    return Q(integration=of) if isinstance(of, Integration) else Q(vendor_account=of, integration=None)


def with_listings(tenant: Tenant) -> Prefetch[str, QuerySet[Listing], str]:
    """For `prefetch_related` on integrations: how many of each kind there are and how old that is, without the items.

    Scoped ones are left out: there is one for each thing somebody looked into.
    """
    return Prefetch("listings", Listing.objects.for_tenant(tenant).filter(scope="").defer("items"))


def items(listing: Listing) -> list[dict[str, Any]]:
    """The redacted items: [{"remote_id", "name", "values", "raw" (None when too large to keep), "at"}]."""
    kept: list[dict[str, Any]] = load(listing.items)
    return kept


def is_stale(listing: Listing | None, now: datetime | None = None) -> bool:
    """Whether nobody has asked the vendor lately, with or without success."""
    if listing is None:
        return True
    asked = max(filter(None, (listing.read_at, listing.failed_at)), default=None)
    return asked is None or (now or timezone.now()) - asked > STALE_AFTER


# --- reading -----------------------------------------------------------------------------------------------------


def read(
    account: VendorAccount,
    integration: Integration | None,
    kind: str,
    scope: str = "",
    *,
    hold: Callable[[], None] = lambda: None,
) -> Listing:
    """Have the vendor list one kind and keep it, redacted; returns the row. `hold` is called inside its transaction.

    A reading that fails leaves what was read before, with the reason. Raises KeyError for an unknown kind, VendorError.
    Workers only.
    """
    wanted = kind_of(account.vendor, kind)
    asked_at = timezone.now()
    remote_id = integration.remote_id if integration is not None else ""
    try:
        client = vendor_accounts.connect(account, SupportsListings)
        if not isinstance(client, SupportsListings):  # connect() has said so already; this tells the type checker
            raise TypeError("The client lists nothing of an integration.")
        found = client.read_listing(kind, remote_id, scope)
    except VendorError as error:
        account_health.note_failure(account, error, is_about_one=True)
        if not isinstance(error, VendorRateLimitError | VendorPausedError):  # those only wait
            failure = {"failed_at": asked_at, "failure": account_health.failure_text(error)}
            _keep(account, integration, wanted, scope, asked_at, hold, failure)
        raise
    row = _keep(account, integration, wanted, scope, asked_at, hold, _columns(account, wanted, found, asked_at))
    account_health.note_success(account)
    return row


def _columns(account: VendorAccount, kind: ListingKind, found: RemoteListing, asked_at: datetime) -> dict[str, Any]:
    kept, is_whole = _Keeper(account, kind).keep(found.items)
    return {
        "items": b"[" + b",".join(kept) + b"]",
        "count": len(kept),
        "bad_count": len(found.bad),
        "is_whole": found.is_whole and is_whole,
        "newest_at": max((item.at for item in found.items if item.at is not None), default=None),
        "read_at": asked_at,
        "failed_at": None,
        "failure": "",
    }


def _keep(
    account: VendorAccount,
    integration: Integration | None,
    kind: ListingKind,
    scope: str,
    asked_at: datetime,
    hold: Callable[[], None],
    columns: Mapping[str, Any],
) -> Listing:
    """Write the row, unless somebody who asked later has written it already."""
    rows = Listing.objects.for_tenant(account.tenant).select_for_update()
    with transaction.atomic():
        hold()
        row, _ = rows.get_or_create(
            integration=integration,
            vendor_account=account,
            kind=kind.slug,
            scope=scope,
            defaults={"tenant": account.tenant},
        )
        if row.read_at is None or row.read_at <= asked_at:
            for name, value in columns.items():
                setattr(row, name, value)
            row.save(update_fields=list(columns))
    return row


@dataclass
class _Keeper:
    """Turns a vendor's items into what may be stored and shown."""

    account: VendorAccount
    kind: ListingKind

    def __post_init__(self) -> None:
        fingerprint = TenantVault(self.account.tenant_id).fingerprint
        secrets = [DocumentField(path, path, FieldKind.SECRET) for path in self.kind.secret_paths]
        self._documents = Redactor(secrets, fingerprint)
        self._texts = Redactor((), fingerprint)
        # A vendor's audit tells of fields of any document: what is secret in one of them is secret there.
        client = registry.vendor(self.account.vendor)
        anywhere = [DocumentField(p, p, FieldKind.SECRET) for kind in client.listings for p in kind.secret_paths]
        self._fields = Redactor([*client.document_fields, *anywhere], fingerprint)
        self._columns = {column.name: column.kind for column in self.kind.columns}
        self._raw_left = RAW_BYTES_KEPT

    def keep(self, found: tuple[RemoteItem, ...]) -> tuple[list[bytes], bool]:
        """The items as canonical JSON, and whether these are all of them."""
        kept: list[bytes] = []
        left = BYTES_KEPT
        for item in found[:ITEMS_KEPT]:
            stored = canonical(self._item(item))
            left -= len(stored) + 1
            if left < 0:
                break
            kept.append(stored)
        return kept, len(kept) == len(found)

    def _item(self, item: RemoteItem) -> dict[str, Any]:
        return {
            "remote_id": plain(item.remote_id, 200),
            "name": plain(self._texts.redact_text(item.name), 300),
            "values": {name: self._value(name, value) for name, value in item.values.items()} | self._change(item),
            "raw": self._raw(item.raw),
            "at": item.at.isoformat() if item.at is not None else None,
        }

    def _change(self, item: RemoteItem) -> dict[str, Any]:
        """The values of a changed field, which are as secret as the field is; nothing for an item of another sort."""
        field = item.values.get("field")
        if not isinstance(field, str) or not field:
            return {}
        values = {name: item.values[name] for name in ("before", "after") if name in item.values}
        return {name: plain_json(self._fields.redact_at(field, value), TEXT_LENGTH) for name, value in values.items()}

    def _raw(self, raw: Mapping[str, Any]) -> Any:
        redacted = self._documents.redact(raw)
        if len(redacted) > min(self._raw_left, ONE_RAW_BYTES):
            return None
        self._raw_left -= len(redacted)
        return load(redacted)

    def _value(self, name: str, value: Any) -> Any:
        """One value of a column; one that is in no column is looked at as a field of an unknown document."""
        if name not in self._columns:
            redacted = load(self._texts.redact({name: value}))
            return plain_json(next(iter(redacted.values())), TEXT_LENGTH)
        return self._shown(value, self._columns[name])

    def _shown(self, value: Any, kind: FieldKind) -> Any:
        if kind is FieldKind.SECRET and value not in (None, ""):
            return load(self._texts.redact({"token": value}))["token"]
        if isinstance(value, str):
            is_readable = kind in _READABLE and not is_secret_text(value, FieldKind.CODE)
            return plain(value if is_readable else self._texts.redact_text(value), TEXT_LENGTH)
        if kind is FieldKind.DOCUMENT or isinstance(value, Mapping):
            return plain_json(load(self._texts.redact(value)), TEXT_LENGTH)
        if isinstance(value, list | tuple):
            return [self._shown(item, kind) for item in value]
        return value
