"""`manage.py rewrap_keys`: the second half of changing the encryption key (docs/install.md)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console import crypto
from console.access import vault


class Command(BaseCommand):
    """Thin: `vault.rewrap` and what may be done afterwards."""

    help = "Wrap every data key with the first key of the key file, so that the others are needed no longer."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = vault.rewrap()
            current, *others = crypto.key_names()
        except (crypto.KeyFileError, crypto.SealBrokenError) as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        self.stdout.write(
            f"{count} data {'key' if count == 1 else 'keys'} wrapped anew; all are wrapped with {current}."
        )
        if others:
            self.stdout.write(f"Only older backups of the database need {', '.join(others)} now.")
