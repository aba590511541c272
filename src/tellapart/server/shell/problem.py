"""What the server refuses: a status, a stable code, one plain sentence and a hint, always as the same JSON.

Its form is that of RFC 9457, Problem Details for HTTP APIs, 2023: `type`, `title`, `status`, `detail`, and beside them
what programs and people read here, `error`, `message` and `hint`. The type is "about:blank": what tells refusals apart
is the code in `error`, and no page of ours on the web could be named that says more than the hint.

400 bad_request      the request breaks HTTP's or multipart's rules
400 no_photos        no photo in the field `photos`
400 too_many         more photos or fields than the limits
401 needs_token      the request does not carry the server's token
403 forbidden_origin another website asks, and is not on the list
404 not_found        no such page
405 not_allowed      the page is there, but not for this method
408 timeout          the request took too long to arrive
413 too_large        more bytes than the limits
415 wrong_type       not multipart/form-data, or packed
421 forbidden_host   the server is not known by that name
422 …                no photo could be read; the code is the `PhotoError`'s
422 bad_input        something else that the client sent or named, and can mend
429 too_much         the client's address takes more than its share
500 internal         a fault of ours
503 busy             as many photos as fit are already waiting, or the model is not ready yet
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from tellapart.errors import (
    ArtifactError,
    InputError,
    MissingExtraError,
    NoClassesError,
    PhotoError,
    TellapartError,
    TrainingError,
)

MEDIA_TYPE = "application/problem+json"

# Whoever can mend it: 4xx the client, 5xx we. A test requires every class of errors.py here.
HTTP_STATUS: dict[type[TellapartError], int] = {
    TellapartError: 500,
    InputError: 422,
    NoClassesError: 422,
    PhotoError: 422,
    ArtifactError: 500,
    TrainingError: 500,
    MissingExtraError: 500,
}


class Problem(Exception):  # noqa: N818  # the word of RFC 9457, and no fault
    """A request that is refused.

    Args:
        status: of HTTP.
        code: stable, for programs.
        message: one plain sentence without path, version or library name.
        hint: what to do next; may be empty.
        headers: to send along.
    """

    def __init__(
        self, status: int, code: str, message: str, *, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.headers = dict(headers or {})

    def to_json(self) -> dict[str, str | int]:
        """The machine contract; the members of RFC 9457 first."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.message,
            "error": self.code,
            "message": self.message,
            "hint": self.hint,
        }

    def response(self) -> Response:
        """The same as a response."""
        return json_response(self.to_json(), status=self.status, headers=self.headers, media_type=MEDIA_TYPE)


def json_response(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, media_type: str = "application/json"
) -> Response:
    """`value` as JSON that is never cached; refuses NaN and infinity."""
    return sent(as_json(value), status=status, headers=headers, media_type=media_type)


def sent(
    content: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None, media_type: str = "application/json"
) -> Response:
    """A response that is never cached, of what is JSON already."""
    return Response(content, status, {"cache-control": "no-store", **(headers or {})}, media_type)


def as_json(value: Any) -> bytes:
    """As it is sent.

    Raises:
        ValueError: NaN or infinity are in it.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def of_photo(error: PhotoError) -> dict[str, str]:
    """Why one photo of several cannot be used: a refusal's code, sentence and hint."""
    return {"error": error.code, "message": error.message, "hint": error.hint}


def of_error(error: TellapartError) -> Problem:
    """The refusal that an error of ours becomes: what the visitor can mend is told, a fault of ours is not."""
    status = next(HTTP_STATUS[kind] for kind in type(error).__mro__ if kind in HTTP_STATUS)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return internal()
    return Problem(status, error.code if isinstance(error, PhotoError) else "bad_input", error.message, hint=error.hint)


def bad_request(message: str, hint: str = "") -> Problem:
    """The request breaks a rule that programs must keep."""
    return Problem(400, "bad_request", message, hint=hint)


def busy(message: str = "The server is busy.", *, retry_after_s: int = 1) -> Problem:
    """There is no room now; a moment later there may be."""
    headers = {"retry-after": str(retry_after_s)}
    return Problem(503, "busy", message, hint="Try again in a moment.", headers=headers)


def timeout(seconds: float) -> Problem:
    """The request arrived too slowly."""
    return Problem(
        408, "timeout", f"The request did not arrive within {seconds:g} seconds.", hint="Send a smaller copy."
    )


def internal() -> Problem:
    """A fault of ours, which tells the client nothing."""
    return Problem(500, "internal", "Something went wrong here.", hint="Try again; if it stays, tell who runs this.")
