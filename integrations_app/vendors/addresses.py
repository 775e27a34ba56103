"""Which network addresses the console will connect to for a vendor, and which web addresses it will follow.

A vendor's host name is resolved once per client and every address it stands for is checked; one forbidden address
refuses the whole name, so an answer that mixes a public and a private address cannot choose between them later.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
from collections.abc import Sequence
from typing import TypeAlias
from urllib.parse import unquote, urljoin, urlsplit

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# Public by the registry, yet never a vendor: cloud metadata and platform services, protocol assignments, old relays.
_REFUSED_NETWORKS: tuple[ipaddress.IPv4Network, ...] = tuple(
    ipaddress.IPv4Network(text) for text in ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24")
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

_URL_CHARACTERS = 8192
# Browsers, servers and our own HTTP stack disagree about these.
_UNCLEAR_IN_URL = frozenset(' \\"<>^`{|}')


class AddressRefusedError(Exception):
    """A host may not be connected to; the text says why and holds no more than the host's name."""


class HostUnknownError(Exception):
    """A host's name could not be resolved in time."""


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Read an allow-list of networks ("10.1.0.0/16", "127.0.0.1"); raises ValueError for one that is not a network."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def is_public(address: Address) -> bool:
    """Whether an address is an ordinary one of the public internet: the only kind a vendor is expected at."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            # What a DNS64 resolver hands out on an IPv6-only network: the address behind it is what counts.
            return is_public(ipaddress.IPv4Address(address.packed[-4:]))
        # 6to4, Teredo and IPv4-mapped addresses would smuggle an unchecked IPv4 address.
        is_tunnel = address.sixtofour is not None or address.teredo is not None
        return address in _GLOBAL_UNICAST and address.is_global and not address.is_multicast and not is_tunnel
    is_refused = any(address in network for network in _REFUSED_NETWORKS)
    return address.is_global and not (address.is_multicast or address.is_reserved or is_refused)


def checked_addresses(
    host: str, port: int, allowed: Sequence[Network], *, seconds: float, is_plain: bool
) -> tuple[str, ...]:
    """Resolve `host` and return its addresses, all of them checked, in the resolver's order.

    `allowed` are networks that may be reached although they are not public; without TLS (`is_plain`) only those may.
    Raises AddressRefusedError, or HostUnknownError after at most `seconds`.
    """
    found = _resolve(host, port, seconds)
    for text in found:
        address = ipaddress.ip_address(text)
        if any(address in network for network in allowed if network.version == address.version):
            continue
        if is_plain:
            raise AddressRefusedError(f"{host} would be reached without encryption.")
        if not is_public(address):
            raise AddressRefusedError(f"{host} leads to an address that is not public.")
    return found


def _resolve(host: str, port: int, seconds: float) -> tuple[str, ...]:
    """Look a name up in a thread of its own, for the system's resolver knows no deadline."""
    try:
        return (str(ipaddress.ip_address(host)),)
    except ValueError:
        pass
    answers: queue.SimpleQueue[tuple[str, ...]] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            entries = []
        # A scope ("fe80::1%eth0") is cut off; such addresses are link-local and refused.
        answers.put(tuple(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in entries)))

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    try:
        found = answers.get(timeout=max(seconds, 0.001))
    except queue.Empty:
        found = ()
    if not found:
        raise HostUnknownError(f"{host} could not be resolved.")
    return found


def resolved_below(base: str, url: str, current: str) -> str | None:
    """`url`, which a vendor gave at the address `current`, made absolute and without fragment; None unless it stays at
    the origin and below the path of `base`.
    """
    if len(url) > _URL_CHARACTERS or not (url.isascii() and url.isprintable()) or _UNCLEAR_IN_URL & set(url):
        return None
    try:
        absolute = urljoin(current, url).partition("#")[0]
        target, root = urlsplit(absolute), urlsplit(base)
    except ValueError:
        return None
    is_same_origin = (target.scheme, target.netloc.lower()) == (root.scheme, root.netloc.lower())
    has_dots = any(segment in (".", "..") for segment in unquote(target.path).split("/"))
    is_below = f"{target.path}/".startswith(f"{root.path}/")
    return absolute if is_same_origin and is_below and not has_dots else None
