"""The error pages: what happened in words, the reason where it helps, and the request's id."""

from __future__ import annotations

import pytest
from django.core.exceptions import SuspiciousOperation
from django.test import Client, RequestFactory
from django.urls import reverse

from console import errors
from tests.people import People


def test_a_refusal_says_what_would_be_needed_and_carries_the_request_id(people: People) -> None:
    client = Client()
    client.force_login(people.members["viewer"])
    answer = client.get(reverse("tenants:settings", args=[people.tenant.slug]))
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "change the tenant&#x27;s settings at Larkspur Outdoor" in page
    assert answer.headers["X-Request-ID"] in page


def test_a_missing_tenant_and_a_strangers_one_show_the_same_page(people: People) -> None:
    client = Client()
    client.force_login(people.stranger)
    texts = []
    for slug in (people.tenant.slug, "no-such-tenant"):
        answer = client.get(reverse("tenants:detail", args=[slug]))
        assert answer.status_code == 404
        texts.append(answer.content.decode().replace(answer.headers["X-Request-ID"], ""))
    first, second = (text.partition("<main")[2] for text in texts)
    assert first == second


@pytest.mark.parametrize(("page", "status"), [(errors.bad_request, 400), (errors.server_error, 500)])
def test_the_last_pages_are_drawn_without_the_request(page: object, status: int) -> None:
    request = RequestFactory().get("/")
    answer = page(request, SuspiciousOperation()) if status == 400 else page(request)  # type: ignore[operator]
    assert answer.status_code == status
    assert b"<h1>" in answer.content
