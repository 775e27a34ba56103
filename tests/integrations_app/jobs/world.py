"""Tenants, people and accounts for the tests of jobs, and short ways to ask for a probe and to run it here."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

from django.db import connection

from console.access.models import Grant, Role, Tenant, User
from console.access.services import sync_builtin_roles
from integrations_app.jobs import runner
from integrations_app.models import Job, VendorAccount
from integrations_app.services import jobs

_numbers = itertools.count(1)


def tenant(name: str = "Larkspur") -> Tenant:
    return Tenant.objects.create(slug=f"{name.lower()}-{next(_numbers)}", name=name)


def member(at: Tenant, role: str = "editor") -> User:
    sync_builtin_roles()
    user = User.objects.create_user(f"{role}-{next(_numbers)}@demo.example", None, name=f"{role.title()} Person")
    Grant.objects.create(user=user, role=Role.objects.get(slug=role), scope=Grant.Scope.TENANT, tenant=at)
    return user


def account(at: Tenant, name: str = "Production") -> VendorAccount:
    return VendorAccount.objects.create(
        tenant=at, vendor="nowhere", name=f"{name} {next(_numbers)}", region="simulator"
    )


def ask(
    at: Tenant, job_type: str = "probe", *, target: VendorAccount | None = None, key: str = "", **params: Any
) -> Job:
    """A probe asked for by the console itself."""
    return jobs.request(job_type, tenant=at, by=None, target=target, key=key, params=params)


def run_here(job: Job) -> Job:
    """Admit what may be admitted and run `job` in this process, as a worker would on its message."""
    jobs.dispatch()
    runner.run(str(job.pk))
    job.refresh_from_db()
    return job


def at_once(*actions: Callable[[], Any]) -> list[Any]:
    """Do all at the same moment, each in a thread with a connection of its own; their results, or the error of one."""
    start = threading.Barrier(len(actions))
    results: list[Any] = [None] * len(actions)
    failures: list[BaseException] = []

    def do(number: int, action: Callable[[], Any]) -> None:
        try:
            start.wait(10)
            results[number] = action()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=do, args=pair) for pair in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]
    return results
