"""How much of the machine the visitors of one address may take, so that nobody takes it all.

Counted is work, in seconds of decoding and of the network, because requests are not alike: a photo of 100 megapixels is
legal and costs as much as sixty of a phone's messenger. What an address has left is a bucket that refills with time.
Addresses of this machine itself are not limited: whoever asks from there is its owner, or a proxy that speaks for many.
"""

import ipaddress
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tellapart.server.limits import MAX_REQUESTS
from tellapart.server.problem import Problem

WORK_SHARE: Final = 0.5  # of the machine, in the long run
WORK_BURST_S: Final = 60.0  # of work at once: over a thousand ordinary photos
REQUESTS_AT_ONCE: Final = MAX_REQUESTS // 2
IPV6_HOUSEHOLD: Final = 64  # bits of an address that are one customer's; the rest they choose freely
MAX_ADDRESSES: Final = 10_000  # remembered


@dataclass
class _Account:
    """What one address has left."""

    work_s: float
    counted_at: float
    requests: int = 0


class Fairness:
    """The accounts of all addresses; to be used within one event loop.

    Args:
        n_cores: seconds of work that the machine does in a second.
        clock: seconds that only grow.
    """

    def __init__(self, n_cores: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._refill = WORK_SHARE * n_cores
        self._clock = clock
        self._accounts: dict[str, _Account] = {}

    @contextmanager
    def visit(self, address: str | None) -> Iterator[Callable[[float], None]]:
        """One request of `address`: what its work takes is to be told, in seconds, also after the block's end.

        Raises:
            Problem: 429, the address has as many requests under way as it may, or has used up its work.
        """
        household = _household(address)
        if household is None:
            yield _free
            return
        account = self._account(household)
        if account.requests >= REQUESTS_AT_ONCE:
            raise _too_much(1)
        if account.work_s <= 0:
            raise _too_much(math.floor(-account.work_s / self._refill) + 1)
        account.requests += 1

        def spend(seconds: float) -> None:
            account.work_s -= seconds

        try:
            yield spend
        finally:
            account.requests -= 1

    def _account(self, household: str) -> _Account:
        now = self._clock()
        account = self._accounts.pop(household, None) or _Account(WORK_BURST_S, now)
        account.work_s = min(WORK_BURST_S, account.work_s + self._refill * (now - account.counted_at))
        account.counted_at = now
        self._accounts[household] = account  # the last one now
        if len(self._accounts) > MAX_ADDRESSES:
            # The one that asked longest ago has the fullest bucket, or nearly; one with a request under way stays.
            oldest = next((name for name, other in self._accounts.items() if not other.requests), None)
            if oldest is not None:
                del self._accounts[oldest]
        return account


def _free(_: float) -> None:
    pass


def _household(address: str | None) -> str | None:
    """What is counted as one visitor; None for this machine itself, and where there is no address."""
    try:
        known = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is None:
            network = ipaddress.ip_network((int(known) >> (128 - IPV6_HOUSEHOLD) << (128 - IPV6_HOUSEHOLD), 64))
            return None if known.is_loopback else str(network)
        known = known.ipv4_mapped
    return None if known.is_loopback else str(known)


def _too_much(retry_after_s: int) -> Problem:
    return Problem(
        429,
        "too_much",
        "Your address asks for more than its share of this server.",
        hint=f"Try again in {retry_after_s} seconds." if retry_after_s > 1 else "Try again in a moment.",
        headers={"retry-after": str(retry_after_s)},
    )
