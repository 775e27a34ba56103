"""Page or fragment, whose address a request has, what the log keeps, and sessions that end under an open page."""

from __future__ import annotations

import logging

import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django_htmx.middleware import HtmxDetails
from pytest_django import Settings

from console.http import RequestLogMiddleware, client_address, wants_fragment
from tests.people import People


@pytest.mark.parametrize(
    ("headers", "is_fragment"),
    [
        ({}, False),
        ({"HX-Request": "true"}, True),
        ({"HX-Request": "true", "HX-Boosted": "true"}, False),
        ({"HX-Request": "true", "HX-History-Restore-Request": "true"}, False),
    ],
)
def test_only_a_request_for_a_part_of_the_page_gets_a_fragment(
    rf: RequestFactory, headers: dict[str, str], is_fragment: bool
) -> None:
    request = rf.get("/", headers=headers)
    request.htmx = HtmxDetails(request)  # type: ignore[attr-defined]  # what the middleware does

    assert wants_fragment(request) is is_fragment


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "", "192.0.2.1"),
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.6, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.6, 203.0.113.9, 192.0.2.8", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.1"),
        (1, "not an address", ""),
    ],
)
def test_the_address_is_the_one_that_our_own_proxies_saw(
    rf: RequestFactory, settings: Settings, proxies: int, forwarded: str, address: str
) -> None:
    settings.PROXIES = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}

    assert client_address(rf.get("/", REMOTE_ADDR="192.0.2.1", headers=headers)) == address


def test_the_request_log_keeps_no_query_and_no_one_time_key() -> None:
    def logged(path: str) -> str:
        request = HttpRequest()
        request.method, request.path = "GET", path
        request.META["QUERY_STRING"] = "q=https://hooks.example/secret"
        return RequestLogMiddleware.format_request(request)

    assert logged("/search") == "GET /search"
    assert logged("/accounts/password/reset/key/3-c0ffee/") == "GET /accounts/password/reset/key/…"


@pytest.mark.django_db
def test_an_answer_carries_the_request_id_of_its_log_lines(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="django_structlog"):
        answer = client.get("/accounts/login/")

    assert answer.headers["X-Request-ID"]
    assert any(answer.headers["X-Request-ID"] in str(record.msg) for record in caplog.records)


@pytest.mark.django_db
def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    answer = client.get("/integrations/")

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/")


@pytest.mark.django_db
def test_when_the_session_has_ended_htmx_moves_the_whole_page_to_sign_in(client: Client) -> None:
    here = "http://testserver/integrations/?text=orders"

    answer = client.get("/jobs/running/", headers={"HX-Request": "true", "HX-Current-URL": here})

    assert answer.status_code == 200
    assert answer.headers["HX-Redirect"] == "/accounts/login/?next=%2Fintegrations%2F%3Ftext%3Dorders"


@pytest.mark.django_db
def test_nobody_signs_up_by_themselves(client: Client) -> None:
    answer = client.post(
        "/accounts/signup/",
        {"email": "new@example.com", "password1": "correct horse 9", "password2": "correct horse 9"},
    )

    from console.access.models import User

    assert answer.status_code == 200
    assert not User.objects.exists()


def test_what_no_database_holds_is_a_bad_request(people: People, client: Client) -> None:
    client.force_login(people.members["owner"])
    here = f"/t/{people.tenant.slug}/integrations/"
    assert client.get(here, {"q": "a\x00b"}).status_code == 400
    assert client.get(here, {"q": "a b"}).status_code == 200
    assert client.post(f"/t/{people.tenant.slug}/people/", {"reason": "a\x00b"}).status_code == 400


def test_no_cache_keeps_what_a_signed_in_person_was_shown(people: People, client: Client) -> None:
    assert "Cache-Control" not in client.get("/accounts/password/reset/done/").headers
    client.force_login(people.members["viewer"])
    assert client.get(f"/t/{people.tenant.slug}/integrations/").headers["Cache-Control"] == "private, no-store"
