"""The page of a job: what it offers when the job has ended."""

from __future__ import annotations

from django.test import Client
from django.utils import timezone

from integrations_app.models import Job, VendorAccount
from tests.people import People
from tests.things import make_account, make_job


def test_what_cannot_be_tried_again_says_why_on_the_button_and_behind_it(people: People, client: Client) -> None:
    account = make_account(people.tenant)
    job = make_job(account)
    client.force_login(people.members["editor"])
    page = f"/t/{people.tenant.slug}/jobs/{job.pk}/"
    assert f'action="{page}retry/"' in client.get(page).content.decode()
    VendorAccount.objects.filter(pk=account.pk).update(removed_at=timezone.now())
    shown = client.get(page).content.decode()
    assert f'action="{page}retry/"' not in shown
    assert "The vendor account of this job was removed." in shown
    answer = client.post(f"{page}retry/", follow=True)
    assert answer.status_code == 200
    assert "The vendor account of this job was removed." in answer.content.decode()
    assert Job.objects.count() == 1


def test_a_sync_that_was_not_believed_says_so_on_its_page(people: People, client: Client) -> None:
    note = "The list held 3 where 40 were known."
    job = make_job(make_account(people.tenant), state="succeeded", result={"note": note}, finished_at=timezone.now())
    client.force_login(people.members["viewer"])
    assert note in client.get(f"/t/{people.tenant.slug}/jobs/{job.pk}/").content.decode()
