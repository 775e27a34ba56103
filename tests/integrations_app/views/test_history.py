"""The history tab: two states of an integration side by side."""

from __future__ import annotations

from django.test import Client

from integrations_app.models import IntegrationDocument, Snapshot
from tests.people import People
from tests.things import make_things


def test_noise_is_hidden_until_somebody_asks_for_it(people: People, client: Client) -> None:
    things = make_things(people.tenant)
    before = b'{"lastModified": "2026-01-01", "name": "Orders"}'
    after = b'{"lastModified": "2026-02-02", "name": "Refunds"}'
    Snapshot.objects.update(redacted=before)
    IntegrationDocument.objects.update(redacted=after)
    client.force_login(people.members["viewer"])
    page = f"/t/{people.tenant.slug}/integrations/{things.integration.pk}/history/"
    usual = client.get(page).content.decode()
    assert "Refunds" in usual
    assert "2026-02-02" not in usual
    noisy = client.get(page, {"noise": "1"}).content.decode()
    assert "Refunds" in noisy
    assert "2026-02-02" in noisy
