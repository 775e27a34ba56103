"""Keyset pages: every row once, whatever its name, and no cursor that breaks the page."""

from __future__ import annotations

import base64
import json

import pytest

from console.access.models import Tenant
from console.paging import keyset_page

pytestmark = pytest.mark.django_db
ORDER = ("name", "id")


def names(query: dict[str, str]) -> list[str]:
    return [tenant.name for tenant in keyset_page(Tenant.objects.all(), order=ORDER, query=query, size=2).rows]


def test_pages_go_on_after_the_longest_name_there_is() -> None:
    longest = "\N{PILE OF POO}" * 120
    for number, name in enumerate(("Aalborg", longest, longest, "Zwolle")):
        Tenant.objects.create(slug=f"tenant-{number}", name=name)
    seen: list[str] = []
    query: dict[str, str] = {}
    for _ in range(4):
        page = keyset_page(Tenant.objects.all(), order=ORDER, query=query, size=1)
        seen += [tenant.name for tenant in page.rows]
        query = {"after": page.next}
    assert sorted(seen) == sorted(Tenant.objects.values_list("name", flat=True))
    assert not page.next


@pytest.mark.parametrize("name", ["\ud800", "a\x00b", 7, None, ["x"]])
def test_a_cursor_that_is_none_of_ours_gives_the_first_page(name: object) -> None:
    Tenant.objects.create(slug="larkspur", name="Larkspur")
    text = json.dumps([list(ORDER), [name, "not an id"]])
    cursor = base64.urlsafe_b64encode(text.encode()).decode()
    assert names({"after": cursor}) == ["Larkspur"]
    assert names({"after": "%%%"}) == ["Larkspur"]


@pytest.mark.parametrize("name", ["\ud800", "a\x00b"])
def test_a_cursor_with_a_text_that_no_database_holds_gives_the_first_page(name: str) -> None:
    tenant = Tenant.objects.create(slug="larkspur", name="Larkspur")
    cursor = base64.urlsafe_b64encode(json.dumps([list(ORDER), [name, str(tenant.id)]]).encode()).decode()
    assert names({"after": cursor}) == ["Larkspur"]
