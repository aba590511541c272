"""How much one request, and all of them together, may take: bytes while they arrive, photos while they wait."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.requests import Request

from tellapart.server.problem import Problem, bad_request, busy

MAX_BODY_BYTES = 20_000_000  # of a request; a phone's photo is 2 to 8 MB
MAX_PHOTOS = 16  # of a request
MAX_FIELDS = 16  # other than photos, of a request
MAX_FIELD_BYTES = 8_192
MAX_REQUESTS = 64  # that are being received or answered; at 2 cores about a second's work
MAX_WAITING_PHOTOS = 128  # of all requests: eight full ones
MAX_HELD_BYTES = 160_000_000  # of all bodies: eight full ones


@dataclass
class Room:
    """What all requests hold at the moment. Whoever finds it full is told so at once, rather than made to wait."""

    requests: int = 0
    photos: int = 0
    held_bytes: int = 0

    @contextmanager
    def request(self) -> Iterator["Hold"]:
        """Room for one request, given back at the end of the block, however it ends.

        Raises:
            Problem: 503, there is none.
        """
        if self.requests >= MAX_REQUESTS:
            raise busy()
        hold = Hold(self)
        self.requests += 1
        try:
            yield hold
        finally:
            self.requests -= 1
            self.photos -= hold.photos
            self.held_bytes -= hold.held_bytes


@dataclass
class Hold:
    """What one request holds of the room."""

    room: Room
    photos: int = 0
    held_bytes: int = 0

    def add_bytes(self, n: int) -> None:
        """Take room for `n` bytes more of the body.

        Raises:
            Problem: 503, all bodies together are too large.
        """
        if self.room.held_bytes + n > MAX_HELD_BYTES:
            raise busy()
        self.room.held_bytes += n
        self.held_bytes += n

    def add_photos(self, n: int) -> None:
        """Take room for `n` photos to be answered.

        Raises:
            Problem: 503, too many are waiting.
        """
        if self.room.photos and self.room.photos + n > MAX_WAITING_PHOTOS:
            raise busy()
        self.room.photos += n
        self.photos += n


async def read_body(request: Request, hold: Hold) -> bytearray:
    """The body, refused as soon as it is too large, whatever its length is said to be.

    Raises:
        Problem: 413 too large, 415 packed, 400 of two lengths, 503 no room.
        ClientDisconnect: the visitor went away.
    """
    headers = request.headers
    if "content-length" in headers and "transfer-encoding" in headers:
        raise bad_request("The request says its length in two ways.", hint="Send Content-Length, or chunks.")
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Problem(415, "wrong_type", "The request is packed.", hint="Send it without Content-Encoding.")
    if int(headers.get("content-length") or 0) > MAX_BODY_BYTES:
        raise too_large()
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > MAX_BODY_BYTES:
            raise too_large()
        hold.add_bytes(len(chunk))
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
