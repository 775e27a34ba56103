"""Tenants, grants and invitations: what is allowed, what is refused, what is written to the audit log."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils import timezone

from console.access import invitations, policy, services
from console.access.models import Grant, Invitation, Role, Tenant, User
from console.access.permissions import Permission
from console.audit.models import AuditEvent
from tests.people import PASSWORD, People


def role(slug: str) -> Role:
    return Role.objects.get(slug=slug)


def test_who_adds_a_tenant_owns_it_and_both_are_in_the_audit_log(people: People) -> None:
    tenant = services.create_tenant(by=people.platform, name="Nordhavn", slug="nordhavn", labels=["EU", " EU ", ""])
    assert policy.may(people.platform, Permission.TENANT_SETTINGS, tenant)
    assert [label.name for label in tenant.labels.all()] == ["EU"]
    events = AuditEvent.objects.for_tenant(tenant).values_list("event", flat=True)
    assert set(events) == {"tenant.created", "grant.given"}


def test_nobody_else_adds_a_tenant(people: People) -> None:
    with pytest.raises(PermissionDenied):
        services.create_tenant(by=people.members["owner"], name="Nordhavn", slug="nordhavn")
    assert not Tenant.objects.filter(slug="nordhavn").exists()


def test_an_admin_cannot_give_the_owner_role_they_do_not_hold(people: People) -> None:
    with pytest.raises(PermissionDenied):
        services.give_role(tenant=people.tenant, user=people.stranger, role=role("owner"), by=people.members["admin"])
    assert not policy.visible_tenants(people.stranger).exists()


def test_an_admin_gives_and_takes_a_role(people: People) -> None:
    admin = people.members["admin"]
    grant = services.give_role(tenant=people.tenant, user=people.stranger, role=role("editor"), by=admin)
    assert policy.may(people.stranger, Permission.SNAPSHOT_CREATE, people.tenant)
    services.remove_grant(grant=grant, tenant=people.tenant, by=admin)
    assert not policy.visible_tenants(people.stranger).exists()
    assert AuditEvent.objects.filter(event="grant.removed", by_id=admin.id).count() == 1


def test_giving_the_same_role_again_moves_its_end(people: People) -> None:
    owner = people.members["owner"]
    end = timezone.now() + timedelta(hours=4)
    first = services.give_role(tenant=people.tenant, user=people.stranger, role=role("support"), by=owner)
    again = services.give_role(
        tenant=people.tenant, user=people.stranger, role=role("support"), by=owner, expires_at=end, reason="HD-2"
    )
    assert first.id == again.id
    assert Grant.objects.get(id=first.id).expires_at == end


def test_a_pass_that_has_ended_already_is_refused(people: People) -> None:
    with pytest.raises(ValidationError):
        services.give_role(
            tenant=people.tenant,
            user=people.stranger,
            role=role("support"),
            by=people.members["owner"],
            expires_at=timezone.now() - timedelta(minutes=1),
        )


def test_the_last_owner_stays(people: People) -> None:
    owner = people.members["owner"]
    grant = Grant.objects.get(user=owner, tenant=people.tenant)
    with pytest.raises(ValidationError):
        services.remove_grant(grant=grant, tenant=people.tenant, by=owner)
    assert Grant.objects.filter(id=grant.id).exists()


def test_settings_drawn_from_an_older_version_are_refused_and_change_nothing(people: People) -> None:
    owner = people.members["owner"]
    services.change_tenant(tenant=people.tenant, by=owner, version=1, labels=["EU"], changes={"name": "Larkspur BV"})
    with pytest.raises(services.StaleError):
        services.change_tenant(tenant=people.tenant, by=owner, version=1, labels=[], changes={"name": "Old name"})
    stored = Tenant.objects.get(id=people.tenant.id)
    assert (stored.name, stored.version) == ("Larkspur BV", 2)
    assert stored.labels.count() == 1


def test_an_invitation_lets_one_person_in_once(people: People, client: Client) -> None:
    sent = invitations.invite(
        tenant=people.tenant, email="New@People.example", name="", role=role("viewer"), by=people.members["owner"]
    )
    form = {"name": "New Person", "time_zone": "Europe/Amsterdam", "password": PASSWORD, "password_again": PASSWORD}
    answer = client.post(f"/invitations/{sent.token}/", form)
    assert answer.status_code == 302
    user = User.objects.get(email="new@people.example")
    assert policy.permissions_at(user, people.tenant) == policy.permissions_at(people.members["viewer"], people.tenant)
    assert Client().get(f"/invitations/{sent.token}/").status_code == 404
    assert sent.token.encode() not in bytes(Invitation.objects.get().digest)


def test_an_invitation_carries_the_end_and_the_reason_of_the_access(people: People, client: Client) -> None:
    client.force_login(people.members["owner"])
    ends = timezone.now() + timedelta(hours=4)
    form = {
        "email": "night@people.example",
        "role": "support",
        "expires_at": ends.strftime("%Y-%m-%dT%H:%M"),
        "reason": "Night shift",
        "ticket": "SUP-7",
    }
    page = client.post(f"/t/{people.tenant.slug}/people/", form).content.decode()
    link = re.search(r"/invitations/[\w-]+/", page)
    assert link is not None
    token = link.group().split("/")[2]
    user = invitations.accept(token=token, name="Night", password=PASSWORD, time_zone="UTC")
    grant = Grant.objects.get(user=user)
    assert grant.expires_at is not None
    assert abs(grant.expires_at - ends) < timedelta(minutes=1)
    assert (grant.reason, grant.ticket) == ("Night shift", "SUP-7")


def test_the_last_owner_does_not_become_a_pass(people: People) -> None:
    owner = people.members["owner"]
    with pytest.raises(ValidationError):
        services.give_role(
            tenant=people.tenant,
            user=owner,
            role=role("owner"),
            by=owner,
            expires_at=timezone.now() + timedelta(days=1),
            reason="A slip of the mouse",
        )
    assert Grant.objects.get(user=owner, tenant=people.tenant).expires_at is None


def test_nobody_makes_another_persons_address_theirs_by_typing_it(people: People, client: Client) -> None:
    user = services.create_user(email="eve@people.example", name="Eve", password=PASSWORD, by=people.members["owner"])
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.post("/accounts/email/", {"email": "ceo@people.example", "action_add": "1"})
    assert EmailAddress.objects.filter(user=user, email="ceo@people.example", verified=False).exists()
    client.post("/accounts/email/", {"email": "ceo@people.example", "action_primary": "1"})
    user.refresh_from_db()
    assert user.email == "eve@people.example"


def test_an_invitation_by_somebody_who_lost_their_rights_lets_nobody_in(people: People) -> None:
    admin = people.members["admin"]
    sent = invitations.invite(tenant=people.tenant, email="new@people.example", name="", role=role("viewer"), by=admin)
    Grant.objects.filter(user=admin).delete()
    with pytest.raises(PermissionDenied):
        invitations.accept(token=sent.token, name="New", password=PASSWORD, time_zone="UTC")
    assert not User.objects.filter(email="new@people.example").exists()


def test_the_first_user_is_created_once(db: None) -> None:
    owner = services.create_first_user(email="ana@example.com", name="Ana", password=PASSWORD)
    assert owner.is_platform_admin
    with pytest.raises(PermissionDenied):
        services.create_first_user(email="eve@example.com", name="Eve", password=PASSWORD)


def test_an_audit_event_cannot_be_changed_or_deleted(people: People) -> None:
    services.create_tenant(by=people.platform, name="Nordhavn", slug="nordhavn")
    event = AuditEvent.objects.first()
    assert event is not None
    for attempt in (
        event.save,
        event.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(reason="x"),
    ):
        with pytest.raises(TypeError):
            attempt()


def test_signing_in_and_failing_to_are_in_the_audit_log(people: People, client: Client) -> None:
    owner = people.members["owner"]
    client.post("/accounts/login/", {"login": owner.email, "password": "wrong"})
    client.post("/accounts/login/", {"login": owner.email, "password": PASSWORD})
    events = list(AuditEvent.objects.filter(by_id=owner.id).order_by("at").values_list("event", flat=True))
    assert events == ["user.sign_in_failed", "user.signed_in"]


def test_a_pass_shows_its_reason_on_every_page_of_the_tenant_until_its_holder_ends_it(people: People) -> None:
    services.give_role(
        tenant=people.tenant,
        user=people.stranger,
        role=role("support"),
        by=people.members["owner"],
        expires_at=timezone.now() + timedelta(hours=3, minutes=10),
        reason="Orders stuck since Friday",
        ticket="HD-4821",
    )
    client = Client()
    client.force_login(people.stranger)
    page = client.get(f"/t/{people.tenant.slug}/jobs/").content.decode()
    assert "Orders stuck since Friday" in page
    assert "HD-4821" in page
    assert client.post(f"/t/{people.tenant.slug}/people/pass/end/").status_code == 302
    assert client.get(f"/t/{people.tenant.slug}/jobs/").status_code == 404
    assert AuditEvent.objects.filter(event="grant.removed", by_id=people.stranger.id).exists()


def test_a_new_password_is_in_the_audit_log_without_it(people: People, client: Client) -> None:
    owner = people.members["owner"]
    client.post("/accounts/login/", {"login": owner.email, "password": PASSWORD})
    new = "another-fake-password-2"
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert client.post("/accounts/password/change/", form).status_code == 302
    event = AuditEvent.objects.get(event="user.sign_in_changed")
    assert event.sentence.endswith("new password")
    assert new not in str(event.detail)
