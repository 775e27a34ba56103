"""What pages say of a vendor. Templates get these plain values and not the client: they would call the class."""

from __future__ import annotations

from dataclasses import dataclass

from integrations_app.vendors import registry
from integrations_app.vendors.base import VendorClient


@dataclass(frozen=True)
class VendorWords:
    """`needs` names what a person must have at hand to connect an account ("API token")."""

    slug: str
    label: str
    needs: tuple[str, ...]


def _words(client: type[VendorClient]) -> VendorWords:
    credential = [field.label for field in client.credential_fields]
    binding = [field.label for field in client.binding_fields]
    return VendorWords(client.slug, client.label, (*credential, *binding))


def vendor_words(slug: str) -> VendorWords:
    """The words of one vendor; raises what `registry.vendor` raises for an unknown slug."""
    return _words(registry.vendor(slug))


def all_vendor_words() -> tuple[VendorWords, ...]:
    return tuple(_words(client) for client in registry.VENDORS)
