from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    name = "console.access"
    label = "access"
    verbose_name = "Access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from console.access import scope, sign_in_events
        from console.access.services import sync_builtin_roles

        # Roles are rows because grants point at them; each migrate makes them equal to `roles.py` again.
        post_migrate.connect(lambda **_: sync_builtin_roles(), sender=self, weak=False)
        sign_in_events.connect()
        scope.connect()
