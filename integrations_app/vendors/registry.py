"""Which vendors there are. Adding one is one line in VENDORS."""

from __future__ import annotations

from integrations_app.vendors.alloy import AlloyClient
from integrations_app.vendors.base import Region, VendorClient
from integrations_app.vendors.celigo import CeligoClient
from integrations_app.vendors.membrane import MembraneClient
from integrations_app.vendors.torq import TorqClient

VENDORS: tuple[type[VendorClient], ...] = (
    AlloyClient,
    CeligoClient,
    TorqClient,
    MembraneClient,
)


def vendor(slug: str) -> type[VendorClient]:
    """The client class of a vendor; raises KeyError for a slug that no vendor has."""
    for client in VENDORS:
        if client.slug == slug:
            return client
    raise KeyError(slug)


def label(slug: str) -> str:
    """A vendor's name for people; raises KeyError for a slug that no vendor has."""
    return vendor(slug).label


def regions(slug: str, simulator_url: str = "") -> tuple[Region, ...]:
    """The places a vendor's account may be at: the vendor's own, and the simulator's after them where there is one."""
    client = vendor(slug)
    return client.regions + (client.simulator_region(simulator_url) if simulator_url else ())


def region(slug: str, region_slug: str, simulator_url: str = "") -> Region:
    """One of them by its slug; raises KeyError when it is not, or no longer, offered."""
    for place in regions(slug, simulator_url):
        if place.slug == region_slug:
            return place
    raise KeyError(region_slug)


def supports(slug: str, capability: type) -> bool:
    """Whether a vendor has a capability: one of the runtime-checkable protocols of `base`."""
    return issubclass(vendor(slug), capability)
