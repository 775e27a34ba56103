"""Imported by a test's Celery worker (`--include`): makes the probes known there."""

from tests.integrations_app.jobs import probes

probes.register()
