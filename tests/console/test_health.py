"""What machines ask: alive, ready, figures."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings


def test_healthz_answers_without_touching_the_database(client: Client) -> None:
    # Without the `db` fixture a query would fail the test.
    answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.django_db
def test_readyz_is_well_with_a_migrated_database(client: Client) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "problem": ""}


@pytest.mark.django_db
def test_readyz_says_which_step_is_missing(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "1 migrations are not applied" in answer.json()["problem"]


def test_metrics_answer_this_machine(client: Client) -> None:
    answer = client.get("/metrics")

    assert answer.status_code == 200
    assert b"django_http_requests" in answer.content


def test_metrics_refuse_another_machine(client: Client) -> None:
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 403


def test_metrics_refuse_another_machine_behind_our_own_proxy(client: Client, settings: Settings) -> None:
    settings.PROXIES = 1

    answer = client.get("/metrics", REMOTE_ADDR="127.0.0.1", headers={"X-Forwarded-For": "127.0.0.1, 192.0.2.7"})

    assert answer.status_code == 403


@pytest.mark.parametrize(("header", "status"), [("Bearer right", 200), ("Bearer wrong", 403), ("", 403)])
def test_with_a_token_metrics_answer_only_who_holds_it(
    client: Client, settings: Settings, header: str, status: int
) -> None:
    settings.METRICS_TOKEN = "right"

    answer = client.get("/metrics", REMOTE_ADDR="192.0.2.7", headers={"Authorization": header})

    assert answer.status_code == status
