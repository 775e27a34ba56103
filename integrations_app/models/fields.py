"""Column types and query sets that several models share."""

from __future__ import annotations

import unicodedata
from typing import Any, Self, TypeVar

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from console.access.models import Tenant

M = TypeVar("M", bound=models.Model)


def sort_key(name: str) -> str:
    """What names are sorted and searched by: case folded, compatibility forms folded, 200 characters at most."""
    return unicodedata.normalize("NFKC", name).casefold().strip()[:200]


class SortKeyField(models.CharField[str, str]):
    """Text compared by code point on every database; PostgreSQL would otherwise sort by the machine's locale."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        return {**super().db_parameters(connection), "collation": "C" if connection.vendor == "postgresql" else None}


class TenantQuerySet(models.QuerySet[M]):
    """Rows that belong to a tenant."""

    def for_tenant(self, tenant: Tenant) -> Self:
        return self.filter(tenant=tenant)

    def for_tenants(self, tenants: models.QuerySet[Tenant]) -> Self:
        """Rows of several tenants: pass `policy.visible_tenants(user)` or `policy.tenants_where(...)`."""
        return self.filter(tenant__in=tenants.values("id"))
