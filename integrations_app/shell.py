"""The product's counts in the shell around every page; `apps.py` registers them with the site."""

from __future__ import annotations

from console.access import policy
from console.access.models import User
from console.access.permissions import Permission
from integrations_app.models import Job
from integrations_app.services import tasks_for_people


def running_jobs(user: User) -> int:
    """How many jobs run at this moment where this person may see jobs."""
    return Job.objects.for_tenants(policy.tenants_where(user, Permission.JOB_VIEW)).running().count()


def home_count(user: User) -> int:
    """How much waits for us where this person may see integrations."""
    return tasks_for_people.count_ours(policy.tenants_where(user, Permission.INTEGRATION_VIEW))
