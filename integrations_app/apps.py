from __future__ import annotations

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations_app"
    label = "integrations_app"
    verbose_name = "Integrations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from console.access import shell as site_shell
        from integrations_app import shell

        site_shell.register_counter("running_jobs", shell.running_jobs)
        site_shell.register_counter("home_count", shell.home_count)
