"""How much of the server the clients of one address may take, so that nobody takes it all.

Besides room, work is counted, in seconds of decoding and of the network, because requests are not alike: a photo of 100
megapixels is legal and costs as much as sixty of a phone's messenger. What an address has left is a bucket that refills
with time. Addresses of this machine itself are not limited: whoever asks from there is its owner, or a proxy that
speaks for many.
"""

import ipaddress
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tellapart.server.shell.limits import MAX_HELD_BYTES, MAX_WAITING_PHOTOS, Budget
from tellapart.server.shell.problem import Problem

WORK_SHARE: Final = 0.5  # of the machine, in the long run
WORK_BURST_S: Final = 30.0  # of work at once: over a thousand ordinary photos
ROOM_SHARE: Final = 0.25  # of the photos waiting, and of the bytes held
IPV6_HOUSEHOLD: Final = 56  # bits of an address that are one customer's; the rest they choose freely
MAX_ADDRESSES: Final = 10_000  # remembered


@dataclass
class Account(Budget):
    """What one client holds, and how much work they may still ask for."""

    work_s: float = math.inf
    counted_at: float = 0.0

    def charge(self, seconds: float) -> None:
        """So much work was done for them."""
        self.work_s -= seconds


class RateLimit:
    """The accounts of all addresses; to be used within one event loop.

    Args:
        n_cores: seconds of work that the machine does in a second.
        clock: seconds that only grow.
    """

    def __init__(self, n_cores: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._refill = WORK_SHARE * n_cores
        self._clock = clock
        self._accounts: dict[str, Account] = {}

    def account(self, address: str | None) -> Account:
        """The account of a request from `address`.

        Raises:
            Problem: 429, its work is used up.
        """
        client_address = client_of(address)
        if client_address is None:
            return Account()
        account = self._refilled(client_address)
        if account.work_s <= 0:
            raise _too_much(math.floor(-account.work_s / self._refill) + 1)
        return account

    def _refilled(self, client_address: str) -> Account:
        now = self._clock()
        account = self._accounts.pop(client_address, None) or Account(
            int(ROOM_SHARE * MAX_WAITING_PHOTOS), int(ROOM_SHARE * MAX_HELD_BYTES), work_s=WORK_BURST_S, counted_at=now
        )
        account.work_s = min(WORK_BURST_S, account.work_s + self._refill * (now - account.counted_at))
        account.counted_at = now
        self._accounts[client_address] = account  # the last one now
        if len(self._accounts) > MAX_ADDRESSES:
            # Who asked longest ago has the fullest bucket, or nearly; but one who holds something stays.
            oldest = next((name for name, other in self._accounts.items() if not other.held_bytes), None)
            if oldest is not None:
                del self._accounts[oldest]
        return account


def is_among(address: str | None, networks: Iterable[str]) -> bool:
    """Whether the address lies in one of `networks`, each an address or one such as 10.0.0.0/24."""
    try:
        known = _known(address or "")
    except ValueError:
        return False
    return any(known in ipaddress.ip_network(network) for network in networks)


def client_of(address: str | None) -> str | None:
    """What is counted as one client; None for this machine itself, and where there is no address.

    Whatever a proxy wrote that is no address is one client too, so that nobody gets more by it.
    """
    if not address:
        return None
    try:
        known = _known(address)
    except ValueError:
        return "unknown"
    if known.is_loopback:
        return None
    return str(ipaddress.ip_network((known, IPV6_HOUSEHOLD), strict=False)) if known.version == 6 else str(known)


def _known(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address; of one of IPv4 that is written as IPv6, that of IPv4. Raises ValueError for what is none."""
    known = ipaddress.ip_address(address)
    return known.ipv4_mapped or known if isinstance(known, ipaddress.IPv6Address) else known


def _too_much(retry_after_s: int) -> Problem:
    return Problem(
        429,
        "too_much",
        "Your address asks for more than its share of this server.",
        hint=f"Try again in {retry_after_s} seconds." if retry_after_s > 1 else "Try again in a moment.",
        headers={"retry-after": str(retry_after_s)},
    )
