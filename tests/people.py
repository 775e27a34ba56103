"""The people and places most tests need: two tenants, a member for each role, somebody of the other, a stranger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django.test import Client

    from console.access.models import Tenant, User

ROLES = ("owner", "admin", "editor", "support", "viewer", "auditor")
PASSWORD = "not-a-real-password-1"


@dataclass(frozen=True)
class People:
    """`members` by role at `tenant`; `other_owner` owns `other_tenant`; `stranger` has nothing, `platform` no grant."""

    tenant: Tenant
    other_tenant: Tenant
    members: dict[str, User]
    other_owner: User
    stranger: User
    platform: User

    @property
    def everybody(self) -> dict[str, User | None]:
        """All of them by name, and somebody who is not signed in."""
        outside = {"other": self.other_owner, "stranger": self.stranger, "platform": self.platform, "nobody": None}
        return {**self.members, **outside}


def make_tenant(slug: str, name: str) -> Tenant:
    from console.access.models import Tenant

    return Tenant.objects.create(slug=slug, name=name)


def make_user(name: str, *, is_platform_admin: bool = False) -> User:
    from console.access.models import User

    return User.objects.create_user(
        f"{name}@people.example", PASSWORD, name=name.capitalize(), is_platform_admin=is_platform_admin
    )


def give(user: User, role: str, tenant: Tenant) -> None:
    from console.access.models import Grant, Role

    Grant.objects.create(user=user, role=Role.objects.get(slug=role), tenant=tenant)


@pytest.fixture
def people(db: None) -> People:
    tenant, other = make_tenant("larkspur", "Larkspur Outdoor"), make_tenant("kestrel", "Kestrel Freight")
    members = {role: make_user(role) for role in ROLES}
    for role, user in members.items():
        give(user, role, tenant)
    other_owner = make_user("other")
    give(other_owner, "owner", other)
    return People(
        tenant=tenant,
        other_tenant=other,
        members=members,
        other_owner=other_owner,
        stranger=make_user("stranger"),
        platform=make_user("platform", is_platform_admin=True),
    )


@pytest.fixture
def owner_client(client: Client, people: People) -> Client:
    """A browser in which the owner of the first tenant is signed in."""
    client.force_login(people.members["owner"])
    return client
