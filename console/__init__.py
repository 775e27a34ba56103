"""The site: people, permissions, audit and settings; what would exist even with no integrations in it."""

from console.celery import app as celery_app

__all__ = ["celery_app"]
