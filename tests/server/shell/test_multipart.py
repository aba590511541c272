"""Cutting a multipart body: what browsers and programs send, and what nobody sends by accident."""

import time
from contextlib import suppress

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.server.shell.limits import MAX_BODY_BYTES, MAX_FIELD_BYTES, MAX_FIELDS, MAX_PHOTOS
from tellapart.server.shell.multipart import MAX_BOUNDARY, photos_in
from tellapart.server.shell.problem import Problem

TYPE = "multipart/form-data; boundary=XX"


def body_of(*parts, boundary=b"XX", end=b"--XX--\r\n"):
    return bytearray(b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + end)


def part(content, name=b"photos", filename=b'; filename="a.jpg"'):
    return b'Content-Disposition: form-data; name="' + name + b'"' + filename + b"\r\n\r\n" + content


def contents(body, content_type=TYPE):
    return [bytes(photo) for photo in photos_in(body, content_type)]


def refusal(body, content_type=TYPE):
    with pytest.raises(Problem) as caught:
        photos_in(bytearray(body), content_type)
    assert caught.value.message.endswith(".")
    return caught.value.status, caught.value.code


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=MAX_PHOTOS), st.binary(max_size=20))
@settings(max_examples=100, deadline=None)
def test_what_goes_in_comes_out_in_order(photos, preamble):
    if any(b"\r\n--XX" in photo for photo in [*photos, preamble]) or preamble.startswith(b"--XX"):
        return
    body = body_of(*map(part, photos))
    assert contents(body) == photos
    assert contents(bytearray(preamble + b"\r\n") + body + b"epilogue") == photos


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_cut_or_refused(noise):
    for body in (noise, b"--XX\r\n" + noise + b"\r\n--XX--", body_of(part(b"x"))[:-9] + noise):
        with suppress(Problem):  # any other exception would be a 500
            contents(bytearray(body))


def test_what_a_real_client_sends():
    sent = httpx2.Request(
        "POST",
        "http://x",
        files=[("photos", ('ภาพ "1".jpg', b"one", "image/jpeg")), ("photos", ("b", b"two"))],
        data={"note": "hi"},
    )
    assert contents(bytearray(sent.read()), sent.headers["content-type"]) == [b"one", b"two"]


def test_photos_are_views_of_the_body():
    body = body_of(part(b"abc"))
    [photo] = photos_in(body, TYPE)
    assert photo.obj is body


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="XX"',
        "Multipart/Form-Data;boundary=XX; charset=utf-8",
        "multipart/form-data; charset=utf-8 ; BOUNDARY=XX",
    ],
)
def test_spellings_of_the_boundary(content_type):
    assert contents(body_of(part(b"x")), content_type) == [b"x"]


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "application/x-www-form-urlencoded", "multipart/mixed"]
)
def test_other_types_are_refused(content_type):
    assert refusal(body_of(part(b"x")), content_type) == (415, "wrong_type")


@pytest.mark.parametrize("boundary", ["", "B" * (MAX_BOUNDARY + 1), "ü"])
def test_boundaries_that_nobody_needs(boundary):
    assert refusal(b"", f"multipart/form-data; boundary={boundary}") == (400, "bad_request")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--XX",
        b"--XX\r\n",
        body_of(part(b"x"), end=b""),
        body_of(part(b"x"), end=b"--XY--"),
        body_of(b"Content-Disposition: form-data\r\n\r\nx"),
        body_of(b"no headers"),
        body_of(b"X: " + b"y" * 5000 + b"\r\n" + part(b"x")),
        body_of(b"Content-Disposition: attachment; name=photos\r\n\r\nx"),
        b"--XXjunk\r\n" + part(b"x") + b"\r\n--XX--",
    ],
)
def test_broken_bodies_are_refused(body):
    assert refusal(body) == (400, "bad_request")


@pytest.mark.parametrize(
    "one",
    [
        part(b"x", name=b"photo"),
        part(b"x", filename=b""),
        part(b"x", name=b"photos[]"),
        b'Content-Disposition: form-data; filename="; name=\\"photos\\""; name="other"\r\n\r\nx',
    ],
)
def test_no_photo_in_the_right_field(one):
    assert refusal(body_of(one)) == (400, "no_photos")


def test_limits_to_the_last_one():
    assert len(contents(body_of(*[part(b"x")] * MAX_PHOTOS))) == MAX_PHOTOS
    assert refusal(body_of(*[part(b"x")] * (MAX_PHOTOS + 1))) == (400, "too_many")
    field = part(b"v" * MAX_FIELD_BYTES, name=b"note", filename=b"")
    assert contents(body_of(*[field] * MAX_FIELDS, part(b"x"))) == [b"x"]
    assert refusal(body_of(*[field] * (MAX_FIELDS + 1), part(b"x"))) == (400, "too_many")
    large = part(b"v" * (MAX_FIELD_BYTES + 1), name=b"note", filename=b"")
    assert refusal(body_of(large, part(b"x"))) == (413, "too_large")


@pytest.mark.parametrize(
    "unit",
    [b"\r", b"\r\n", b"\r\n-", b"\r\n--X", b"--XX", b"\r\n--XX\r\n", b"\r\n--XX\r\n\r\n", b"\r\n--XX \t", b";", b'"'],
)
def test_bodies_made_to_be_slow_are_not(unit):
    worst = bytearray(b"--XX\r\n" + unit * (MAX_BODY_BYTES // len(unit)))
    started = time.perf_counter()
    with pytest.raises(Problem):
        photos_in(worst, TYPE)
    assert time.perf_counter() - started < 1.0
