"""Membrane: `fields` (how its document is shown), `reading` (what it means), `tokens`, `search`, `client`."""

from integrations_app.vendors.membrane.client import MembraneClient

__all__ = ["MembraneClient"]
