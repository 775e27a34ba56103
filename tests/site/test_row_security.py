"""Row-level security on PostgreSQL: what the database shows and refuses when the code forgets to ask.

These tests run where PostgreSQL is: `make test` runs them on the stack postgres-redis.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import connection
from django.db.utils import OperationalError, ProgrammingError
from django.test import Client
from django.utils import timezone

from console.access import scope
from console.access.models import Grant, Role, Tenant, TenantLabel
from console.audit.events import Event
from console.audit.models import AuditEvent
from console.audit.services import record
from integrations_app.models import Credential, Integration, Job, VendorAccount
from tests.people import People
from tests.things import make_job, make_things

pytestmark = pytest.mark.postgres

# Read before it is known which tenants are in scope, so they have no policy of their own.
OPEN_TABLES = {"access_tenantlabel", "access_grant", "access_invitation", "access_datakey"}


@pytest.fixture
def two_sides(people: People) -> People:
    make_things(people.tenant)
    make_things(people.other_tenant)
    return people


def tables_without_a_policy() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity")
        secured = {name for (name,) in cursor.fetchall()}
    of_a_tenant = {
        model._meta.db_table
        for model in apps.get_models()
        if any(field.name in ("tenant", "tenant_id", "vendor_account", "credential") for field in model._meta.fields)
    }
    return of_a_tenant - secured - OPEN_TABLES


def test_every_table_of_tenant_data_is_secured_and_one_that_is_not_is_noticed(db: None) -> None:
    assert tables_without_a_policy() == set()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE integrations_app_snapshot DISABLE ROW LEVEL SECURITY")
    assert tables_without_a_policy() == {"integrations_app_snapshot"}


def test_a_query_that_forgets_the_tenant_finds_only_what_the_person_may_see(two_sides: People) -> None:
    with scope.of(two_sides.members["viewer"]):
        for model in (VendorAccount, Integration, Job, Credential):
            assert {row.tenant_id for row in model.objects.all()} == {two_sides.tenant.id}
    assert Integration.objects.count() == 2


def test_a_stranger_and_nobody_find_nothing(two_sides: People) -> None:
    for who in (two_sides.stranger, two_sides.platform, None):
        with scope.of(who):
            assert not Integration.objects.exists()
            assert not Credential.objects.exists()


def test_a_row_for_another_tenant_is_refused(two_sides: People) -> None:
    foreign = VendorAccount.objects.get(tenant=two_sides.other_tenant)
    with scope.of(two_sides.members["owner"]), pytest.raises(ProgrammingError, match="row-level security"):
        make_job(foreign)


def test_labels_teams_and_ends_of_grants_reach_as_far_as_in_the_code(two_sides: People) -> None:
    support, stranger = Role.objects.get(slug="support"), two_sides.stranger

    def seen() -> set[Tenant]:
        with scope.of(stranger):
            return {row.tenant for row in Integration.objects.select_related("tenant")}

    TenantLabel.objects.create(tenant=two_sides.tenant, name="EU")
    by_label = Grant.objects.create(user=stranger, role=support, scope=Grant.Scope.LABEL, label="EU")
    assert seen() == {two_sides.tenant}
    by_label.delete()
    everywhere = Grant.objects.create(user=stranger, role=support, scope=Grant.Scope.ALL)
    assert seen() == {two_sides.tenant, two_sides.other_tenant}
    Grant.objects.filter(id=everywhere.id).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert seen() == set()


def test_a_shared_credential_is_seen_but_not_changed_by_whoever_is_signed_in(two_sides: People) -> None:
    shared = Credential.objects.create(tenant=None, vendor="celigo", name="Shared")
    with scope.of(two_sides.members["owner"]):
        assert shared in Credential.objects.all()
        assert Credential.objects.filter(id=shared.id).update(name="Taken") == 0
        assert Credential.objects.filter(tenant=two_sides.tenant).update(name="Mine") == 1
    with scope.of(None):
        assert not Credential.objects.exists()


def test_the_scope_survives_a_rollback_inside_a_request(two_sides: People) -> None:
    from django.db import transaction

    with scope.of(two_sides.members["viewer"]):
        try:
            with transaction.atomic():
                assert Integration.objects.count() == 1
                raise RuntimeError
        except RuntimeError:
            pass
        assert Integration.objects.count() == 1
    assert Integration.objects.count() == 2


def test_the_database_changes_and_deletes_no_audit_event(people: People) -> None:
    event = record(Event.TENANT_CREATED, by=None, tenant=people.tenant, target=people.tenant)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_auditevent SET by_label = 'somebody else'")
        assert cursor.rowcount == 0
        cursor.execute("DELETE FROM audit_auditevent")
        assert cursor.rowcount == 0
    assert AuditEvent.objects.get(pk=event.pk).by_label == "the console"


def test_pages_work_within_the_scope(two_sides: People, client: Client) -> None:
    client.force_login(two_sides.members["owner"])
    page = client.get("/integrations/").content.decode()
    assert "Orders" in page
    assert "Kestrel" not in page
    assert client.post(f"/t/{two_sides.tenant.slug}/integrations/sync/").status_code == 302
    assert Job.objects.filter(tenant=two_sides.tenant, type="sync_account", state="queued").exists()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_went_away_is_a_database_error_to_whoever_asks(people: People) -> None:
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    with scope.of(people.stranger), pytest.raises(OperationalError):
        Integration.objects.count()
    connection.close()
    assert Integration.objects.count() == 0
