"""Where a vendor may be called: its own regions, the simulator where there is one, and what the installer allows.

`VENDOR_ALLOWED_HOSTS` holds entries of three forms: a host ("api.internal.example"), a base address
("https://gateway.example/v1"), either with a vendor's slug and "=" in front when it serves that vendor only, and a
network ("10.20.0.0/16"), which calls may then reach although it is private.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from django.conf import settings

from integrations_app.services.errors import InvalidError
from integrations_app.vendors import registry
from integrations_app.vendors.base import LOOPBACK_NETWORKS, Region, VendorClient


def regions_for(vendor: str) -> tuple[Region, ...]:
    """Every region an account of this vendor may be at, the vendor's own first."""
    client = registry.vendor(vendor)
    return (*client.regions, *_simulated(client), *_allowed(client))


def region(vendor: str, slug: str) -> Region:
    """The region of that slug; raises InvalidError when there is none (any more)."""
    for found in regions_for(vendor):
        if found.slug == slug:
            return found
    raise InvalidError({"region": "This region is not available here."})


def allowed_networks(vendor: str, slug: str) -> tuple[str, ...]:
    """The private networks that calls to a region may reach: loopback for the simulator, else what the installer
    allows.
    """
    if slug in {found.slug for found in _simulated(registry.vendor(vendor))}:
        return LOOPBACK_NETWORKS
    return tuple(entry for entry in settings.VENDOR_ALLOWED_HOSTS if _is_network(entry))


def _simulated(client: type[VendorClient]) -> tuple[Region, ...]:
    is_there = settings.SIMULATOR_URL and not settings.IS_PRODUCTION
    return client.simulator_region(settings.SIMULATOR_URL) if is_there else ()


def _allowed(client: type[VendorClient]) -> Iterator[Region]:
    for entry in settings.VENDOR_ALLOWED_HOSTS:
        vendor, _, where = entry.rpartition("=")
        if _is_network(entry) or vendor not in ("", client.slug):
            continue
        yield from _at(client, where)


def _is_network(entry: str) -> bool:
    try:
        ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
    return True


def _at(client: type[VendorClient], where: str) -> Iterator[Region]:
    """The vendor's regions moved to another host: one for each way of answering, where there are several."""
    seen: list[object] = []
    for own in client.regions:
        hosts = {role: _moved(base, where) for role, base in own.hosts.items()}
        if (hosts, dict(own.options)) in seen:
            continue
        seen.append((hosts, dict(own.options)))
        name = hashlib.sha256(f"{where}|{sorted(hosts.items())}|{sorted(own.options.items())}".encode()).hexdigest()[
            :12
        ]
        label = urlsplit(hosts["api"]).netloc
        if own.options:
            label += f" ({own.label})"
        yield replace(own, slug=f"host-{name}", label=label, hosts=hosts, app_url="")


def _moved(base: str, where: str) -> str:
    if "://" in where:
        return where.rstrip("/")
    return f"https://{where.rstrip('/')}{urlsplit(base).path}"
