"""Which addresses of the internet are nobody's but this network's, as a redirect of a stranger must not reach.

Routers, printers, databases and the services that tell a machine in a cloud its own credentials answer there without
asking who calls. A name counts by all that it resolves to, and what is checked is what is connected to: an answer that
changes between two look-ups gains nothing.
"""

import ipaddress
from typing import Final

# Public by their numbers, and yet services inside a cloud that hand out credentials and settings (Azure).
_INSIDE: Final = tuple(
    map(ipaddress.ip_network, ("168.63.129.16/32", "192.0.0.0/24", "64:ff9b:1::/48"))
)  # and what older Pythons take for global
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")  # the last 32 bits are an address of the old kind


def is_private(number: str) -> bool:
    """Whether an address, in digits, is not of the public internet: loopback, link-local, metadata and the like.

    What is no address in digits counts as private.
    """
    try:
        ip = ipaddress.ip_address(number.partition("%")[0])
    except ValueError:
        return True
    if isinstance(ip, ipaddress.IPv6Address):
        old = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            old = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if old is not None:
            return is_private(str(old))
    return not ip.is_global or ip.is_multicast or any(ip in network for network in _INSIDE)
