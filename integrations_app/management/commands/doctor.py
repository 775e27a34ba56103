"""`manage.py doctor`: is this installation well? One line per question, exit code 1 when something needs a person."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations_app.services import health


class Command(BaseCommand):
    help = "Check database, keys, cache, broker, workers, files and disk, and say what to do about each problem."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        checks = health.run_checks(ask_workers=True)
        for check in checks:
            advice = f". {check.advice}" if check.advice else ""
            self.stdout.write(f"{_MARKS[check.state]} {check.name}: {check.finding}{advice}")
        problems = sum(check.state == "failing" for check in checks)
        if problems:
            raise CommandError(f"{problems} {'problem' if problems == 1 else 'problems'} found.")


# A vendor that fails, or a full disk to come, is worth a look and no fault of the installation.
_MARKS = {"ok": "ok     ", "partial": "LOOK   ", "failing": "PROBLEM"}
