"""The rule for what counts as white."""

import numpy as np
import pytest

from tellapart.errors import PhotoError
from tellapart.formats.levels import Seen, Span, full_of_floats, in_8_bits, look, span_of, together, whole_bits


@pytest.mark.parametrize(
    ("top", "white"),
    [(0, 65535), (1, 255), (255, 255), (256, 1023), (1020, 1023), (1024, 4095), (4095, 4095), (4096, 16383),
     (16383, 16383), (16384, 65535), (65535, 65535)],
)  # fmt: skip
def test_white_is_that_of_the_fewest_bits_that_hold_the_brightest(top, white):
    assert span_of(Seen(0, top, False), 16) == Span(0, white)


def test_bits_that_the_file_says_count():
    for bits in (9, 10, 11, 12, 14):
        assert span_of(Seen(0, 100, False), bits) == Span(0, (1 << bits) - 1)


@pytest.mark.parametrize(
    ("stated", "span"),
    [
        (Span(0, 4095), Span(0, 4095)),
        (Span(0, 65535), Span(0, 65535)),
        (Span(100, 2000), Span(100, 2000)),
        (Span(0, 899), Span(0, 1023)),  # a pixel is brighter
        (Span(101, 4095), Span(0, 1023)),  # a pixel is darker
        (Span(7, 7), Span(0, 1023)),
    ],
)
def test_what_the_file_says_counts_unless_its_pixels_say_otherwise(stated, span):
    assert span_of(Seen(100, 900, False), 16, stated=stated) == span


@pytest.mark.parametrize("step", [256, 257])
def test_a_dark_photo_of_8_bits_stretched_to_16_stays_dark(step):
    dark = np.arange(40, dtype=np.uint16) * step
    assert span_of(look(dark), 16) == Span(0, 65535)
    assert span_of(look(np.append(dark, np.uint16(9))), 16) == Span(0, 16383)


@pytest.mark.parametrize(
    ("low", "top", "bits", "span"),
    [
        (-32768, 32767, 16, Span(-32768, 32767)),
        (-128, 127, 8, Span(-128, 127)),
        (-1000, 2000, 16, Span(-1024, 3071)),  # an X-ray in Hounsfield units: 12 bits from air on
        (0, 32767, 16, Span(0, 32767)),
        (0, 127, 8, Span(0, 127)),
        (0, 2**31 - 1, 32, Span(0, 2**31 - 1)),
    ],
)
def test_levels_below_zero_count_from_a_power_of_two(low, top, bits, span):
    assert span_of(Seen(low, top, False), bits, signed=True) == span


def test_parts_are_seen_as_the_whole_is():
    whole = np.random.default_rng(0).integers(-50, 900, (40, 30, 3)).astype(np.int16)
    assert together(look(whole[:9]), look(whole[9:])) == look(whole)
    assert look(whole[:0]) == Seen(0, 0, True)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32])
def test_levels_become_the_nearest_of_256(dtype):
    span = Span(-100, 100) if np.issubdtype(dtype, np.signedinteger) else Span(0, 200)
    values = np.arange(span.black, span.white + 1).astype(dtype)
    exact = np.arange(201) * 255 / 200
    assert np.abs(in_8_bits(values, span) - exact).max() <= 0.5
    assert np.abs(in_8_bits(values, span, inverted=True)[::-1] - exact).max() <= 0.5


def test_a_table_gives_what_arithmetic_gives():
    values = np.random.default_rng(0).integers(0, 65536, (300, 300)).astype(np.uint16)
    for span in (Span(0, 65535), Span(0, 1023), Span(7, 900)):
        for upper in (False, True):
            one_by_one = [in_8_bits(row, span, upper=upper, inverted=not upper) for row in values]
            assert np.array_equal(in_8_bits(values, span, upper=upper, inverted=not upper), one_by_one)


def test_statistics_are_rounded_up_to_whole_bits():
    assert [whole_bits(level) for level in (1, 200, 255, 256, 1020, 4095)] == [1, 255, 255, 511, 1023, 4095]


@pytest.mark.parametrize(("top", "full"), [(0.7, 1), (1, 1), (200, 255), (1020, 1023), (4000, 4095), (60_000, 65_535)])
def test_floats_have_the_range_that_holds_them(top, full):
    assert full_of_floats(top) == full


def test_floats_above_all_ranges_are_refused():
    with pytest.raises(PhotoError, match="no fixed range"):
        full_of_floats(1e9)
