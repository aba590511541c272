"""Errors raised on purpose come out of another process as they went in."""

import multiprocessing
import pickle

import pytest

from tellapart import errors
from tellapart.data.photo import read

OURS = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]


@pytest.mark.parametrize("kind", OURS)
def test_errors_can_be_sent(kind: type[errors.TellapartError]) -> None:
    options = {"code": "truncated"} if issubclass(kind, errors.PhotoError) else {}
    error = kind("It is broken.", hint="Mend it.", **options)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), vars(again), again.args) == (str(error), vars(error), error.args)


def test_a_pool_gives_back_what_a_worker_raised() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool, pytest.raises(errors.PhotoError) as raised:
        pool.apply_async(read, ["no-such-photo.jpg"]).get(60)
    assert raised.value.code
