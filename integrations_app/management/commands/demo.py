"""`manage.py demo`: the demo tenants at the simulated vendors, and the people to sign in as."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.access import demo_sign_ins
from integrations_app import demo


class Command(BaseCommand):
    """Thin: makes the demo and prints how to sign in."""

    help = "Make the demo tenants, once, beside whatever is here; prints the sign-ins and their password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--only-if-new", action="store_true", help="do nothing where people were added without the demo"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            demo.check_allowed()
            if options["only_if_new"] and demo.is_elsewhere_in_use():
                return
            demo.fill()
        except demo.DemoError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Sign in as: {', '.join(demo_sign_ins.emails())}")
        self.stdout.write(f"Password: {demo_sign_ins.password()}" if demo_sign_ins.password() else _NO_PASSWORD)


_NO_PASSWORD = "Its password is not in DATA_DIR any more; set one: manage.py changepassword " + demo_sign_ins.EMAILS[0]
