"""Who may do what where: grants by tenant, label and all, through teams, with an end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from console.access import policy
from console.access.models import Grant, Role, Team, TeamMember, TenantLabel
from console.access.permissions import Permission
from console.access.roles import BUILTIN_ROLES
from tests.people import People


def test_a_member_may_do_what_their_role_says_and_nothing_more(people: People) -> None:
    for role in BUILTIN_ROLES:
        assert policy.permissions_at(people.members[role.slug], people.tenant) == role.permissions


def test_a_grant_at_one_tenant_says_nothing_about_another(people: People) -> None:
    owner = people.members["owner"]
    assert policy.may(owner, Permission.TENANT_SETTINGS, people.tenant)
    assert not policy.may(owner, Permission.INTEGRATION_VIEW, people.other_tenant)
    assert list(policy.visible_tenants(owner)) == [people.tenant]


def test_a_label_grant_reaches_every_tenant_that_carries_the_label(people: People, db: None) -> None:
    support = Role.objects.get(slug="support")
    Grant.objects.create(user=people.stranger, role=support, scope=Grant.Scope.LABEL, label="EU")
    assert not policy.visible_tenants(people.stranger).exists()
    label = TenantLabel.objects.create(tenant=people.other_tenant, name="EU")
    assert list(policy.visible_tenants(people.stranger)) == [people.other_tenant]
    assert policy.may(people.stranger, Permission.INTEGRATION_SYNC, people.other_tenant)
    label.delete()
    assert not policy.may(people.stranger, Permission.INTEGRATION_SYNC, people.other_tenant)


def test_a_grant_everywhere_reaches_every_tenant(people: People) -> None:
    viewer = Role.objects.get(slug="viewer")
    Grant.objects.create(user=people.stranger, role=viewer, scope=Grant.Scope.ALL)
    assert policy.visible_tenants(people.stranger).count() == 2
    assert not policy.tenants_where(people.stranger, Permission.AUDIT_VIEW).exists()


def test_a_pass_ends_by_itself(people: People) -> None:
    support = Role.objects.get(slug="support")
    end = timezone.now() + timedelta(hours=1)
    grant = Grant.objects.create(
        user=people.stranger, role=support, tenant=people.tenant, expires_at=end, reason="HD-1"
    )
    assert policy.may(people.stranger, Permission.SNAPSHOT_CREATE, people.tenant)
    Grant.objects.filter(id=grant.id).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert not policy.visible_tenants(people.stranger).exists()


def test_a_team_grant_reaches_its_members_for_as_long_as_they_are_in_it(people: People) -> None:
    team = Team.objects.create(name="Second line")
    Grant.objects.create(team=team, role=Role.objects.get(slug="support"), tenant=people.tenant)
    membership = TeamMember.objects.create(team=team, user=people.stranger)
    assert policy.may(people.stranger, Permission.INTEGRATION_SYNC, people.tenant)
    membership.delete()
    assert not policy.may(people.stranger, Permission.INTEGRATION_SYNC, people.tenant)


def test_somebody_who_may_not_sign_in_may_do_nothing(people: People) -> None:
    owner = people.members["owner"]
    owner.is_active = False
    assert policy.permissions_at(owner, people.tenant) == frozenset()


def test_a_platform_admin_needs_a_grant_like_everybody(people: People) -> None:
    assert not policy.visible_tenants(people.platform).exists()


@pytest.mark.parametrize(
    "columns",
    [
        {"scope": "tenant", "label": "EU"},
        {"scope": "label", "label": ""},
        {"scope": "all", "label": "EU"},
    ],
)
def test_the_database_refuses_a_grant_whose_scope_is_not_whole(people: People, columns: dict[str, str]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.create(user=people.stranger, role=Role.objects.get(slug="viewer"), **columns)
