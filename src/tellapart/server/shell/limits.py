"""How much one request, and all of them together, may take: bytes while they arrive, photos while they wait."""

from dataclasses import dataclass
from typing import Self

from starlette.requests import Request

from tellapart.server.shell.problem import Problem, busy

MAX_BODY_BYTES = 20_000_000  # of a request; a phone's photo is 2 to 8 MB
MAX_PHOTOS = 16  # of a request
MAX_FIELDS = 16  # other than photos, of a request
MAX_FIELD_BYTES = 8_192
MAX_WAITING_PHOTOS = 128  # of all requests: eight full ones, at 2 cores about two seconds' work
MAX_HELD_BYTES = 160_000_000  # of all bodies: eight full ones


@dataclass
class Budget:
    """What some requests hold at the moment, and the most that they may hold together.

    Args:
        photos: being answered or waiting.
        held_bytes: of bodies, also of those that still arrive.
    """

    most_photos: int = MAX_WAITING_PHOTOS
    most_bytes: int = MAX_HELD_BYTES
    photos: int = 0
    held_bytes: int = 0


class Reservation:
    """What one request holds, of everybody's room and of its client's share.

    A request that is still arriving holds its bytes and no more: as many slow ones as there are connections keep nobody
    else waiting. Whoever finds no room is told so at once, rather than made to wait.

    Args:
        room: of all requests.
        share: of the requests from the same client.
    """

    def __init__(self, room: Budget, share: Budget) -> None:
        self._holdings = (room, share)
        self._photos = 0
        self._held_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for holding in self._holdings:
            holding.photos -= self._photos
            holding.held_bytes -= self._held_bytes

    def add_bytes(self, n: int) -> None:
        """Take room for `n` bytes more of the body.

        Raises:
            Problem: 503, all bodies together are too large, or this client's.
        """
        if any(holding.held_bytes + n > holding.most_bytes for holding in self._holdings):
            raise busy()
        for holding in self._holdings:
            holding.held_bytes += n
        self._held_bytes += n

    def add_photos(self, n: int) -> None:
        """Take room for `n` photos to be answered.

        Raises:
            Problem: 503, too many are waiting, or too many of this client's.
        """
        if any(holding.photos and holding.photos + n > holding.most_photos for holding in self._holdings):
            raise busy()
        for holding in self._holdings:
            holding.photos += n
        self._photos += n


async def read_body(request: Request, reservation: Reservation) -> bytearray:
    """The body, refused as soon as it is too large, whatever its length is said to be.

    Raises:
        Problem: 413 too large, 415 packed, 503 no room.
        ClientDisconnect: the client went away.
    """
    headers = request.headers
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Problem(415, "wrong_type", "The request is packed.", hint="Send it without Content-Encoding.")
    if int(headers.get("content-length") or 0) > MAX_BODY_BYTES:
        raise too_large()
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > MAX_BODY_BYTES:
            raise too_large()
        reservation.add_bytes(len(chunk))
        body += chunk
    return body


def too_large() -> Problem:
    """More bytes than a request may have."""
    return Problem(
        413,
        "too_large",
        f"The request is larger than {MAX_BODY_BYTES // 10**6} MB.",
        hint="Send fewer photos at a time, or smaller copies.",
    )
