"""Every address x role x own or other tenant: who may open what. A new address is refused here until it has its row."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from console.access.models import Grant, Invitation, Role
from tests.people import ROLES, People
from tests.things import Things, make_things

SEE = frozenset(ROLES)
OPERATE = frozenset({"owner", "admin", "editor", "support"})
EDIT = frozenset({"owner", "admin", "editor"})
ADMINISTER = frozenset({"owner", "admin"})
AUDIT = frozenset({"owner", "admin", "auditor"})
OWN = frozenset({"owner"})


@dataclass(frozen=True)
class Row:
    """An address inside a tenant: which roles get in. `takes` names the thing whose id stands in the address."""

    roles: frozenset[str]
    takes: str = ""
    method: str = "get"
    extra: tuple[Any, ...] = ()


INSIDE = {
    "tenants:detail": Row(SEE),
    "tenants:settings": Row(OWN),
    "people:index": Row(SEE),
    "people:remove": Row(ADMINISTER, takes="grant", method="post"),
    "people:end_pass": Row(SEE, method="post"),
    "people:withdraw": Row(ADMINISTER, takes="invitation", method="post"),
    "audit:index": Row(AUDIT),
    "integrations:index": Row(SEE),
    "integrations:sync": Row(OPERATE, method="post"),
    "integrations:detail": Row(SEE, takes="integration"),
    "integrations:tab": Row(SEE, takes="integration", extra=("raw",)),
    "integrations:read_listing": Row(OPERATE, takes="integration", method="post", extra=("flows",)),
    "integrations:refresh": Row(OPERATE, takes="integration", method="post"),
    "integrations:snapshot": Row(OPERATE, takes="integration", method="post"),
    "integrations:choose": Row(SEE, method="post"),
    "integrations:set_field": Row(EDIT),
    "integrations:revisions": Row(OPERATE),
    "integrations:revision": Row(OPERATE, takes="integration"),
    "integrations:create": Row(EDIT),
    "integrations:edit": Row(EDIT, takes="integration"),
    "integrations:clone": Row(EDIT, takes="integration"),
    "integrations:delete": Row(ADMINISTER, takes="integration"),
    "integrations:install": Row(SEE, takes="integration"),
    "integrations:uninstall": Row(SEE, takes="integration"),
    "integrations:switch_flow": Row(EDIT, takes="integration", method="post"),
    "integrations:run_flow": Row(EDIT, takes="integration", method="post"),
    "integrations:retry_errors": Row(EDIT, takes="integration", method="post"),
    "integrations:resolve_errors": Row(EDIT, takes="integration", method="post"),
    "integrations:register_connections": Row(EDIT, takes="integration"),
    "integrations:unregister_connection": Row(EDIT, takes="integration", method="post"),
    "integrations:ping_connection": Row(OPERATE, takes="integration", method="post"),
    "integrations:history_export": Row(SEE, takes="integration"),
    "integrations:history_refresh": Row(OPERATE, takes="integration", method="post"),
    "integrations:restore": Row(EDIT, takes="snapshot"),
    # What a change may do is asked of its operation; the table's is an edit.
    "changes:detail": Row(SEE, takes="write"),
    "changes:confirm": Row(EDIT, takes="write", method="post"),
    "changes:abandon": Row(EDIT, takes="write", method="post"),
    "changes:settle": Row(EDIT, takes="write", method="post"),
    "changes:look_again": Row(EDIT, takes="write", method="post"),
    "changes:undo": Row(EDIT, takes="write", method="post"),
    "changes:batch": Row(SEE, takes="batch"),
    "changes:batch_confirm": Row(EDIT, takes="batch", method="post"),
    "changes:batch_abandon": Row(EDIT, takes="batch", method="post"),
    "changes:batch_go_on": Row(EDIT, takes="batch", method="post"),
    "changes:batch_retry": Row(EDIT, takes="batch", method="post"),
    "history:index": Row(SEE),
    "history:export": Row(SEE),
    "archives:fetch": Row(OPERATE, takes="integration", method="post"),
    "archives:detail": Row(OPERATE, takes="archive"),
    "archives:compare": Row(OPERATE, takes="archive"),
    "archives:download": Row(EDIT, takes="archive", method="post"),
    "vendor_accounts:index": Row(SEE),
    "vendor_accounts:create": Row(ADMINISTER),
    "vendor_accounts:detail": Row(SEE, takes="account"),
    "vendor_accounts:test": Row(OPERATE, takes="account", method="post"),
    "vendor_accounts:sync": Row(OPERATE, takes="account", method="post"),
    "vendor_accounts:replace": Row(ADMINISTER, takes="account"),
    "vendor_accounts:edit": Row(ADMINISTER, takes="account"),
    "vendor_accounts:remove": Row(ADMINISTER, takes="account"),
    "vendor_accounts:search": Row(OPERATE, takes="searchable_account"),
    "vendor_accounts:revisions": Row(SEE, takes="account"),
    "vendor_accounts:take_revisions": Row(OPERATE, takes="account"),
    "vendor_accounts:revision_policy": Row(ADMINISTER, takes="account"),
    "jobs:index": Row(SEE),
    "jobs:detail": Row(SEE, takes="job"),
    "jobs:cancel": Row(OPERATE, takes="job", method="post"),
    "jobs:retry": Row(OPERATE, takes="job", method="post"),
}

# Open to everybody who is signed in: each read in them starts from the tenants the person may see.
SIGNED_IN = {
    "home": "get",
    "search": "get",
    "me": "get",
    "integrations:fleet": "get",
    "integrations:sync_fleet": "post",
    "jobs:fleet": "get",
    "jobs:running": "get",
    "audit:fleet": "get",
}
PLATFORM = {
    "tenants:index": "get",
    "tenants:create": "get",
    "health": "get",
    "credentials:index": "get",
    "credentials:create": "get",
    "credentials:detail": "get",
    "credentials:replace": "get",
    "credentials:bind": "get",
    "credentials:remove": "get",
}
PUBLIC = {"welcome", "invitation", "healthz", "readyz", "metrics"}


def _our_names() -> Iterator[str]:
    """Every named address but allauth's, which stand under /accounts/ and are checked by `test_sign_in_pages`."""

    def walk(patterns: list[URLPattern | URLResolver], space: str, prefix: str) -> Iterator[str]:
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if route.startswith("accounts/"):
                continue
            if isinstance(pattern, URLResolver):
                inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
                yield from walk(pattern.url_patterns, inner, route)
            else:
                yield f"{space}{pattern.name}"

    yield from walk(get_resolver().url_patterns, "", "")


def missing_rows(names: set[str]) -> set[str]:
    return names - set(INSIDE) - set(SIGNED_IN) - set(PLATFORM) - PUBLIC


def test_every_address_has_its_row() -> None:
    assert missing_rows(set(_our_names())) == set()


def test_an_address_without_a_row_is_noticed() -> None:
    assert missing_rows({*_our_names(), "planted:address"}) == {"planted:address"}


@pytest.fixture
def targets(people: People) -> dict[str, uuid.UUID]:
    things = make_things(people.tenant, by=people.members["owner"])
    return _targets(people, things)


def _targets(people: People, things: Things) -> dict[str, uuid.UUID]:
    from tests.things import make_account, make_archive, make_batch, make_write

    viewer = Role.objects.get(slug="viewer")
    grant = Grant.objects.create(user=people.stranger, role=viewer, tenant=people.other_tenant)
    Grant.objects.filter(id=grant.id).update(tenant=people.tenant, user=people.other_owner)
    invitation = Invitation.objects.create(
        email="new@people.example", tenant=people.tenant, role=viewer, digest=b"\0" * 32, expires_at="2099-01-01T00:00Z"
    )
    searchable = make_account(people.tenant, vendor="torq", name="Searchable")
    make_archive(things.integration, "flows/a.json")
    return {
        "grant": grant.id,
        "invitation": invitation.id,
        "integration": things.integration.id,
        "account": things.account.id,
        "searchable_account": searchable.id,
        "job": things.job.id,
        "snapshot": things.snapshot.id,
        "archive": make_archive(things.integration, "flows/a.json").id,
        "write": make_write(things.integration).id,
        "batch": make_batch(things.integration).id,
    }


def _ask(who: Any, name: str, method: str, arguments: list[Any]) -> int:
    client = Client()
    if who is not None:
        client.force_login(who)
    response = getattr(client, method)(reverse(name, args=arguments))
    if response.status_code == 302 and response["Location"].startswith("/accounts/login/"):
        return 401
    return int(response.status_code)


@pytest.mark.parametrize("name", INSIDE)
def test_inside_a_tenant_each_role_gets_in_where_the_table_says(
    name: str, people: People, targets: dict[str, uuid.UUID]
) -> None:
    # The one grant of the other owner here would let them in; the table's question is about those without one.
    row = INSIDE[name]
    arguments = [people.tenant.slug, *([targets[row.takes]] if row.takes else []), *row.extra]
    asked = {**people.members, "stranger": people.stranger, "platform": people.platform, "nobody": None}
    answers = {}
    # Those who may get in come last: what they do may take the target away.
    for who in sorted(asked, key=lambda role: role in row.roles):
        answers[who] = _ask(asked[who], name, row.method, arguments)
        if who in row.roles:
            assert answers[who] in (200, 302), f"{who} gets {answers[who]} at {name}"
            if row.method == "post":
                break
        elif who in ROLES:
            assert answers[who] == 403, f"{who} gets {answers[who]} at {name}"
    assert answers["stranger"] == answers["platform"] == 404
    assert answers["nobody"] == 401


@pytest.mark.parametrize("name", [name for name, row in INSIDE.items() if row.takes])
def test_a_thing_of_another_tenant_is_not_found_under_ones_own(
    name: str, people: People, targets: dict[str, uuid.UUID]
) -> None:
    row = INSIDE[name]
    Grant.objects.filter(user=people.other_owner, tenant=people.tenant).delete()
    # The grant that was the target is gone with it; any unknown id does as well for that row.
    arguments = [people.other_tenant.slug, targets[row.takes], *row.extra]
    answer = _ask(people.other_owner, name, row.method, arguments)
    # Withdrawing an invitation that is not there is no error, and does nothing.
    assert answer == (302 if name == "people:withdraw" else 404)
    assert Invitation.objects.filter(id=targets["invitation"]).exists()


@pytest.mark.parametrize("name", SIGNED_IN)
def test_signed_in_pages_open_for_everybody_but_strangers_to_the_site(
    name: str, people: People, targets: dict[str, uuid.UUID]
) -> None:
    for who, user in people.everybody.items():
        expected = (401,) if user is None else (200, 302)
        assert _ask(user, name, SIGNED_IN[name], []) in expected, who


@pytest.mark.parametrize("name", PLATFORM)
def test_platform_pages_do_not_exist_for_others(name: str, people: People) -> None:
    from integrations_app.models import Credential

    shared = Credential.objects.create(tenant=None, vendor="celigo", name="Shared")
    takes_id = name not in ("tenants:index", "tenants:create", "health", "credentials:index", "credentials:create")
    address = reverse(name, args=[shared.id] if takes_id else [])
    if name == "credentials:create":
        address += "?vendor=celigo"
    for who, user in people.everybody.items():
        client = Client()
        if user is not None:
            client.force_login(user)
        expected = {"platform": 200, "nobody": 302}.get(who, 404)
        assert client.get(address).status_code == expected, who


def test_another_tenants_rows_never_show_in_a_list(people: People) -> None:
    make_things(people.tenant, by=people.members["owner"])
    client = Client()
    client.force_login(people.other_owner)
    for name in ("integrations:fleet", "jobs:fleet", "home", "audit:fleet"):
        page = client.get(reverse(name)).content.decode()
        assert "Orders" not in page
        assert "Larkspur" not in page
