"""What a page answers when it has asked for a job: the job never takes the page away."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from console.http import wants_fragment
from integrations_app.models import Job, VendorWrite


def job_started(request: HttpRequest, job: Job, *, answer: HttpResponse | None = None) -> HttpResponse:
    """A toast with the job's link for htmx, beside `answer` (a fragment; nothing is swapped without one).

    Without htmx the browser is led to the job's page.
    """
    if not wants_fragment(request):
        return redirect(job)
    response = answer or HttpResponse(status=204)
    toast = {"text": f"{job.title}: started.", "tone": "run", "href": job.get_absolute_url(), "link": "Follow"}
    return trigger_client_event(response, "toast", toast)


def write_started(request: HttpRequest, write: VendorWrite) -> HttpResponse:
    """Lead to the write's page, where what it would do is shown and confirmed, and then what became of it."""
    url = write.get_absolute_url()
    return HttpResponseClientRedirect(url) if wants_fragment(request) else redirect(url)
