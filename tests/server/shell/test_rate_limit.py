"""Work and requests under way, counted by address: refused beyond the share, refilled with time, bounded memory."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tellapart.server.shell.limits import Budget, Reservation
from tellapart.server.shell.problem import Problem
from tellapart.server.shell.rate_limit import MAX_ADDRESSES, WORK_BURST_S, WORK_SHARE, RateLimit, is_among

ADDRESS = "203.0.113.7"


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def refusal(rate_limit, address):
    with pytest.raises(Problem) as caught:
        rate_limit.account(address)
    assert (caught.value.status, caught.value.code) == (429, "too_much")
    return int(caught.value.headers["retry-after"])


def work(rate_limit, address, seconds):
    rate_limit.account(address).charge(seconds)


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 200)), min_size=5, max_size=60), st.integers(1, 64))
def test_nobody_gets_more_than_the_share_and_the_burst(turns, cores):
    clock = Clock()
    rate_limit, done, largest = RateLimit(cores, clock), 0.0, 0.0
    for pause, seconds in turns:
        clock.now += pause
        try:
            work(rate_limit, ADDRESS, seconds)
        except Problem:
            continue
        done, largest = done + seconds, max(largest, seconds)
    allowed = WORK_BURST_S + WORK_SHARE * cores * (clock.now - Clock.now)
    assert done <= allowed + largest + 1e-6  # the last request is known only when it is done


@example(994.9999999999999, 1)  # in the account it is 995
@given(st.floats(0, 1000), st.integers(1, 64))
def test_the_wait_that_is_told_is_long_enough_and_not_much_longer(debt, cores):
    clock = Clock()
    rate_limit = RateLimit(cores, clock)
    work(rate_limit, ADDRESS, WORK_BURST_S + debt)
    debt = WORK_BURST_S + debt - WORK_BURST_S  # as it is in floating point, where the sum is rounded
    wait = refusal(rate_limit, ADDRESS)
    assert wait <= debt / (WORK_SHARE * cores) + 1
    clock.now += wait
    work(rate_limit, ADDRESS, 0)


def test_who_is_among_the_proxies():
    assert is_among("10.0.0.2", ["10.0.0.2"])
    assert is_among("10.0.0.77", ["192.0.2.1", "10.0.0.0/24"])
    assert is_among("::ffff:10.0.0.2", ["10.0.0.2"])
    assert is_among("2001:db8::5", ["2001:db8::/32"])
    for other in ("10.0.0.3", "::1", "", None, "unix:", "10.0.0.2, 10.0.0.3"):
        assert not is_among(other, ["10.0.0.2"])


def test_one_address_does_not_cost_another():
    rate_limit = RateLimit(2, Clock())
    work(rate_limit, ADDRESS, 10_000)
    refusal(rate_limit, ADDRESS)
    work(rate_limit, "203.0.113.8", 1)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "", None])
def test_this_machine_is_free(address):
    rate_limit = RateLimit(1, Clock())
    for _ in range(3):
        work(rate_limit, address, 10_000)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", True),
        ("2001:db8::1", "2001:db8:0:100::1", False),
        ("unknown", "1.2.3.4:5678", True),
        ("unknown", ADDRESS, False),
        ("::ffff:203.0.113.7", ADDRESS, True),
    ],
)
def test_who_counts_as_one(first, second, same):
    rate_limit = RateLimit(1, Clock())
    work(rate_limit, first, 10_000)
    if same:
        refusal(rate_limit, second)
    else:
        work(rate_limit, second, 1)


def test_memory_has_an_end_and_who_holds_something_is_remembered():
    clock = Clock()
    rate_limit = RateLimit(2, clock)
    account = rate_limit.account(ADDRESS)
    with Reservation(Budget(), account) as reservation:
        reservation.add_bytes(1)
        for i in range(MAX_ADDRESSES + 500):
            clock.now += 0.001
            work(rate_limit, f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", 1)
        assert len(rate_limit._accounts) <= MAX_ADDRESSES
        account.charge(10_000)
    refusal(rate_limit, ADDRESS)
