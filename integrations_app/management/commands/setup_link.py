"""Print the address where the owner of a new installation is created."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.access import services, setup_code


class Command(BaseCommand):
    help = "Print the path of the first-run page with its set-up code; only works until the owner exists."

    def handle(self, *args: Any, **options: Any) -> None:
        if services.has_users():
            raise CommandError("The owner exists already: sign in at /accounts/login/.")
        self.stdout.write(f"/welcome/?code={setup_code.current()}")
