"""Looks for secrets where none may be: pages, every column of the database, logs, and the files beside them."""

from __future__ import annotations

import base64
import html
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.db import connection
from django.http import HttpResponseBase, StreamingHttpResponse
from django.test import Client
from django.urls import resolve, reverse

from console.access.models import Tenant
from integrations_app.models import (
    Credential,
    Integration,
    Job,
    Snapshot,
    TemplateArchive,
    VendorAccount,
    VendorWrite,
    WriteBatch,
)
from integrations_app.tabs import TABS
from integrations_app.vendors import registry
from integrations_app.vendors.base import SupportsLiveSearch
from tests.site.test_access_table import INSIDE, PLATFORM, SIGNED_IN, Row


@dataclass(frozen=True, order=True)
class Leak:
    """`where` a secret stands that should not ("page /t/larkspur/jobs/"), and which one."""

    where: str
    secret: str


class Secrets:
    """The secrets that were planted, by what they are called, in each form in which they may turn up."""

    def __init__(self, planted: Mapping[str, str]) -> None:
        self._forms = {name: tuple(_forms(value)) for name, value in planted.items()}

    def leaks_in(self, where: str, content: str | bytes) -> Iterator[Leak]:
        found = content.encode("utf-8", "replace") if isinstance(content, str) else content
        for name, forms in self._forms.items():
            if any(form in found for form in forms):
                yield Leak(where, name)


def _forms(value: str) -> Iterator[bytes]:
    """As it is, and as JSON, HTML, an address, hex, UTF-16 or base64 would write it."""
    plain = value.encode()
    quoted = json.dumps(value)[1:-1]
    yield from {plain, quoted.encode(), json.dumps(quoted)[1:-1].encode(), html.escape(value).encode()}
    yield from {quote(value).encode(), quote(value, safe="").encode()}
    yield from (plain.hex().encode(), value.encode("utf-16-le"))
    for before, encode in product(range(3), (base64.b64encode, base64.urlsafe_b64encode)):
        # What stands around it shifts the letters and mixes into the first and the last ones.
        yield encode(b"\0" * before + plain)[4:-4]


# --- the database ------------------------------------------------------------------------------------------------


def in_database(secrets: Secrets) -> set[Leak]:
    """Every column of every table, whatever its type; sealed ones are bytes like the others."""
    leaks: set[Leak] = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                for column, value in zip(columns, row, strict=True):
                    leaks.update(secrets.leaks_in(f"column {table}.{column}", _content(value)))
    return leaks


def _content(value: Any) -> str | bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value)


# --- logs and files ----------------------------------------------------------------------------------------------


def in_logs(secrets: Secrets, records: Iterable[logging.LogRecord]) -> set[Leak]:
    """Everything a log line holds, also what the formatter in use would not write."""
    formatter = logging.Formatter()
    leaks: set[Leak] = set()
    for record in records:
        text = f"{record.__dict__} {formatter.format(record)}"
        leaks.update(secrets.leaks_in(f"log of {record.name}", text))
    return leaks


def in_files(secrets: Secrets) -> set[Leak]:
    """What lies in DATA_DIR (the database itself included) and what the broker wrote beside it."""
    leaks: set[Leak] = set()
    data = Path(os.environ["DATA_DIR"])
    for folder in (data, data.parent / "valkey"):
        for path in folder.rglob("*"):
            if path.is_file():
                leaks.update(secrets.leaks_in(f"file {path.relative_to(data.parent)}", path.read_bytes()))
    return leaks


# --- pages -------------------------------------------------------------------------------------------------------


def in_pages(secrets: Secrets, addresses: Iterable[str], client: Client) -> set[Leak]:
    """Each address opened as a whole page, which holds its fragments; its headers count too. An error page fails.

    Not every vendor has every page: one that is not there for some things must be there for another.
    """
    leaks: set[Leak] = set()
    answers: dict[str, set[int]] = {}
    for address in addresses:
        response = client.get(address)
        assert response.status_code in (200, 302, 404), f"{address} answers {response.status_code}"
        answers.setdefault(resolve(address.partition("?")[0]).view_name, set()).add(response.status_code)
        leaks.update(secrets.leaks_in(f"page {address}", f"{response.headers}"))
        leaks.update(secrets.leaks_in(f"page {address}", _body(response)))
    assert [name for name, statuses in answers.items() if statuses == {404}] == []
    return leaks


def _body(response: HttpResponseBase) -> bytes:
    if isinstance(response, StreamingHttpResponse):
        return b"".join(response)
    return bytes(response.content)  # type: ignore[attr-defined]  # HttpResponse


def tenant_addresses(tenant: Tenant) -> Iterator[str]:
    """Every page of a tenant, once for each thing that has one: the access table knows which pages there are."""
    for name, row in INSIDE.items():
        if row.method != "get":
            continue
        if name == "integrations:tab":
            yield from _tabs(tenant)
        else:
            yield from (reverse(name, args=[tenant.slug, *ids]) for ids in _ids(tenant, row))
    for vendor in registry.VENDORS:
        yield f"{reverse('vendor_accounts:create', args=[tenant.slug])}?vendor={vendor.slug}"


def _ids(tenant: Tenant, row: Row) -> list[tuple[Any, ...]]:
    if not row.takes:
        return [()]
    accounts = VendorAccount.objects.for_tenant(tenant)
    searchable = [vendor.slug for vendor in registry.VENDORS if issubclass(vendor, SupportsLiveSearch)]
    found = {
        "integration": Integration.objects.for_tenant(tenant),
        "account": accounts,
        "searchable_account": accounts.filter(vendor__in=searchable),
        "job": Job.objects.for_tenant(tenant),
        "snapshot": Snapshot.objects.for_tenant(tenant),
        "archive": TemplateArchive.objects.for_tenant(tenant),
        "write": VendorWrite.objects.for_tenant(tenant),
        "batch": WriteBatch.objects.for_tenant(tenant),
    }[row.takes]
    ids = [(pk, *row.extra) for pk in found.values_list("pk", flat=True)]  # type: ignore[attr-defined]
    assert ids, f"nothing to look at for {row}"
    return ids


def _tabs(tenant: Tenant) -> Iterator[str]:
    integrations = Integration.objects.for_tenant(tenant).select_related("vendor_account", "document")
    for integration in integrations.prefetch_related("parts"):
        for tab in TABS:
            if tab.is_offered(integration):
                yield reverse("integrations:tab", args=[tenant.slug, integration.pk, tab.slug])
    for snapshot in Snapshot.objects.for_tenant(tenant):
        history = reverse("integrations:tab", args=[tenant.slug, snapshot.integration_id, "history"])
        yield f"{history}?from={snapshot.pk}&noise=1"
    for archive in TemplateArchive.objects.for_tenant(tenant):
        for entry in archive.entries.all():
            yield f"{archive.get_absolute_url()}?entry={entry.number}"
    for job in Job.objects.for_tenant(tenant).filter(type="search_vendor"):
        yield f"{reverse('vendor_accounts:search', args=[tenant.slug, job.vendor_account_id])}?job={job.pk}"


def site_addresses() -> list[str]:
    """Pages that belong to no tenant and are open to everybody who is signed in."""
    return [reverse(name) for name, method in SIGNED_IN.items() if method == "get"]


def platform_addresses() -> Iterator[str]:
    """Pages of platform admins, with each shared credential's."""
    for name in PLATFORM:
        if name == "credentials:create":
            yield from (f"{reverse(name)}?vendor={vendor.slug}" for vendor in registry.VENDORS)
        elif name.startswith("credentials:") and name != "credentials:index":
            for pk in Credential.objects.filter(tenant=None).values_list("pk", flat=True):
                yield reverse(name, args=[pk])
        else:
            yield reverse(name)
