"""Celigo integrator.io: `fields` (how its document is shown), `reading` (what it means), `client` (the calls)."""

from integrations_app.vendors.celigo.client import CeligoClient

__all__ = ["CeligoClient"]
