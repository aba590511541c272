"""Room for bytes and photos: taken, refused when full, always given back."""

import pytest

from tellapart.server.shell import limits
from tellapart.server.shell.limits import MAX_HELD_BYTES, MAX_PHOTOS, MAX_WAITING_PHOTOS, Budget, Reservation
from tellapart.server.shell.problem import Problem


def assert_busy(do):
    with pytest.raises(Problem) as caught:
        do()
    assert caught.value.status == 503
    assert int(caught.value.headers["retry-after"]) >= 1


def test_it_is_given_back_whatever_happens():
    room, share = Budget(), Budget()

    def fail():
        with Reservation(room, share) as reservation:
            reservation.add_bytes(10)
            reservation.add_photos(3)
            assert (room.photos, room.held_bytes) == (share.photos, share.held_bytes) == (3, 10)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert room == share == Budget()


def test_bytes_have_an_end():
    room = Budget()
    with Reservation(room, Budget()) as reservation, Reservation(room, Budget()) as other:
        reservation.add_bytes(MAX_HELD_BYTES)
        assert_busy(lambda: other.add_bytes(1))
    assert room == Budget()


def test_photos_have_an_end_but_one_request_always_fits():
    assert MAX_PHOTOS <= MAX_WAITING_PHOTOS
    room = Budget()
    with Reservation(room, Budget()) as first, Reservation(room, Budget()) as second:
        first.add_photos(MAX_WAITING_PHOTOS - 1)
        second.add_photos(1)
        assert_busy(lambda: second.add_photos(1))
    assert room == Budget()


def test_one_visitor_s_share_is_not_all_of_it():
    room, share = Budget(), Budget(most_photos=20, most_bytes=100)
    with Reservation(room, share) as first, Reservation(room, share) as second, Reservation(room, Budget()) as other:
        first.add_photos(16)
        first.add_bytes(60)
        assert_busy(lambda: second.add_photos(16))
        assert_busy(lambda: second.add_bytes(41))
        assert (room.photos, room.held_bytes) == (16, 60)
        other.add_photos(16)
        other.add_bytes(41)
    assert room == Budget()


def test_a_full_request_is_far_below_all_of_them():
    assert limits.MAX_BODY_BYTES * 4 <= MAX_HELD_BYTES
