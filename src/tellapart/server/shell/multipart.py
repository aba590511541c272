"""The photos in a multipart/form-data body.

The body is in memory already, with its limit (`limits.read_body`), so it is cut with the speed of `bytearray.find`
and its parts are views of it. Libraries read such a body while it streams, spool files to disk, and have been slow on
bodies made for the purpose; here nothing is written and no byte is copied.

Source: RFC 7578, multipart/form-data; RFC 2046, section 5.1, boundaries; RFC 9110, section 5.6, parameters.
"""

import re
from collections.abc import Iterator
from typing import Final

from tellapart.server.shell.limits import MAX_FIELD_BYTES, MAX_FIELDS, MAX_PHOTOS
from tellapart.server.shell.problem import Problem, bad_request

FIELD: Final = "photos"
MAX_PART_HEADER_BYTES: Final = 4_096  # a file name is at most some hundred
MAX_BOUNDARY: Final = 70  # letters: RFC 2046

_PARAMETER: Final = re.compile(r';[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^;"]*)')


def boundary_of(content_type: str) -> bytes:
    """The boundary that the header names.

    Raises:
        Problem: 415 it is no multipart/form-data, 400 without a usable boundary.
    """
    kind, parameters = _parameters(content_type)
    if kind != "multipart/form-data":
        raise Problem(
            415,
            "wrong_type",
            "Photos must be sent as multipart/form-data.",
            hint=f"Send them as files in the field '{FIELD}'.",
        )
    boundary = parameters.get("boundary", "")
    if not 0 < len(boundary) <= MAX_BOUNDARY or not boundary.isascii():
        raise bad_request("The multipart boundary is missing or too long.")
    return boundary.encode("ascii")


def photos_in(body: bytearray, content_type: str) -> list[memoryview]:
    """The content of every file in the field `photos`, in order, as views of `body`.

    Other fields are let pass within their limits, and ignored.

    Raises:
        Problem: the body is not whole, has too many parts, or no photo.
    """
    photos: list[memoryview] = []
    n_fields = 0
    view = memoryview(body)
    for start, end in _parts(body, boundary_of(content_type)):
        content, name, is_file = _part(body, start, end)
        if name == FIELD and is_file:
            photos.append(view[content:end])
            if len(photos) > MAX_PHOTOS:
                raise _too_many(f"There are more than {MAX_PHOTOS} photos.", "Send them in several requests.")
            continue
        n_fields += 1
        if n_fields > MAX_FIELDS:
            raise _too_many(f"There are more than {MAX_FIELDS} fields.", f"Only the field '{FIELD}' is read.")
        if end - content > MAX_FIELD_BYTES:
            raise Problem(
                413,
                "too_large",
                f"A field other than '{FIELD}' is larger than {MAX_FIELD_BYTES // 1024} KB.",
                hint=f"Send photos as files in the field '{FIELD}'.",
            )
    if not photos:
        raise Problem(400, "no_photos", "There is no photo.", hint=f"Send photos as files in the field '{FIELD}'.")
    return photos


def _parts(body: bytearray, boundary: bytes) -> Iterator[tuple[int, int]]:
    """(start, end) of every part: its headers, an empty line, its content.

    Raises:
        Problem: 400, a boundary is missing or followed by something else.
    """
    mark = b"--" + boundary
    if body.startswith(mark):
        at = len(mark)
    else:
        at = body.find(b"\r\n" + mark)
        if at < 0:
            raise bad_request("The multipart body has no part.")
        at += 2 + len(mark)
    mark = b"\r\n" + mark
    while not body.startswith(b"--", at):
        while bytes(body[at : at + 1]) in (b" ", b"\t"):
            at += 1
        if not body.startswith(b"\r\n", at):
            raise bad_request("The multipart body breaks its rules.")
        end = body.find(mark, at)
        if end < 0:
            raise bad_request("The multipart body has no end.", hint="Send the whole of it.")
        yield min(at + 2, end), end
        at = end + len(mark)


def _part(body: bytearray, start: int, end: int) -> tuple[int, str, bool]:
    """Where the content of the part begins, the part's name, and whether it is a file."""
    stop = body.find(b"\r\n\r\n", start, min(end, start + MAX_PART_HEADER_BYTES))
    if stop < 0:
        raise bad_request("A part of the multipart body has no end to its headers, or too many.")
    for line in bytes(body[start:stop]).decode("utf-8", "replace").split("\r\n"):
        key, _, value = line.partition(":")
        if key.strip().lower() == "content-disposition":
            kind, parameters = _parameters(value)
            if kind == "form-data" and "name" in parameters:
                return stop + 4, parameters["name"], "filename" in parameters or "filename*" in parameters
    raise bad_request("A part of the multipart body has no name.")


def _parameters(header: str) -> tuple[str, dict[str, str]]:
    """The value of a header, and what follows it as `; name=value`; of equal names the first counts."""
    value, _, _ = header.partition(";")
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(header, len(value)):
        name, text = match.groups()
        if text.startswith('"'):
            text = re.sub(r"\\(.)", r"\1", text[1:-1])
        found.setdefault(name.lower(), text.strip())
    return value.strip().lower(), found


def _too_many(message: str, hint: str) -> Problem:
    return Problem(400, "too_many", message, hint=hint)
