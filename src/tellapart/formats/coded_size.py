"""How large a picture is by its own coded bytes, which need not be what the boxes around them say.

A decoder takes memory by this size, before anybody compares it with the promised one.

Source: ITU-T H.265 (2021), 7.3.2.2; AV1 Bitstream & Decoding Process Specification (2019), 5.5.
"""

from typing import Final

from tellapart.formats.header import damaged

Coded = bytes | memoryview  # a large photo's bytes are looked at where they are

_HEVC_PARAMETERS: Final = 33  # the kind of unit that holds a picture's size
_AV1_SEQUENCE: Final = 1
_PARAMETERS_BYTES: Final = 512  # of a unit: the size stands within the first 120 or so
MAX_UNITS: Final = 1_000  # of one item; phones write one to a tile
MAX_PARAMETERS: Final = 16  # units of one configuration; encoders write three


class _Bits:
    """Bits read from the left."""

    def __init__(self, data: Coded) -> None:
        self.value, self.left = int.from_bytes(data), len(data) * 8

    def number(self, bits: int) -> int:
        """The next bits as an unsigned number."""
        self.left -= bits
        if self.left < 0:
            raise damaged()
        return self.value >> self.left & ((1 << bits) - 1)

    def golomb(self) -> int:
        """The next number of any length, as H.265 (9.2) codes it."""
        zeros = 0
        while not self.number(1):
            zeros += 1
            if zeros > 32:
                raise damaged()
        return (1 << zeros) - 1 + self.number(zeros)


def hevc_sizes(configuration: bytes, pieces: Coded | None = None) -> list[tuple[int, int]]:
    """(width, height) of each parameter set of an `hvcC` box; with `pieces`, of those among the coded bytes instead."""
    if len(configuration) < 23:
        raise damaged()
    if pieces is not None:
        return _sizes_between(pieces, (configuration[21] & 3) + 1)
    sizes, at, left = [], 23, MAX_PARAMETERS
    for _ in range(configuration[22]):
        units = int.from_bytes(configuration[at + 1 : at + 3])
        at, left = at + 3, left - units
        if left < 0:
            raise damaged()
        for _ in range(units):
            length = int.from_bytes(configuration[at : at + 2])
            at += 2 + length
            if at > len(configuration):
                raise damaged()
            sizes += _hevc_size(configuration[at - length : at])
    return sizes


def _sizes_between(pieces: Coded, length_bytes: int) -> list[tuple[int, int]]:
    sizes: list[tuple[int, int]] = []
    at = units = 0
    while at < len(pieces):
        length = int.from_bytes(pieces[at : at + length_bytes])
        start, at, units = at + length_bytes, at + length_bytes + length, units + 1
        if at > len(pieces) or units > MAX_UNITS:
            raise damaged()
        sizes += _hevc_size(pieces[start : min(at, start + _PARAMETERS_BYTES)])
    return sizes


def _hevc_size(unit: Coded) -> list[tuple[int, int]]:
    """The size that a parameter set names; nothing from another unit."""
    if len(unit) < 3 or unit[0] >> 1 & 63 != _HEVC_PARAMETERS or unit[1] >> 3 | (unit[0] & 1) << 5:
        return []
    bits = _Bits(bytes(unit[2:_PARAMETERS_BYTES]).replace(b"\0\0\3", b"\0\0"))
    layers = bits.number(8) >> 1 & 7
    bits.number(96)  # the profile and level
    present = [(bits.number(1), bits.number(1)) for _ in range(layers)]
    bits.number(2 * (8 - layers) if layers else 0)
    for profile, level in present:
        bits.number(88 * profile + 8 * level)
    bits.golomb()
    if bits.golomb() == 3:
        bits.number(1)
    return [(bits.golomb(), bits.golomb())]


def av1_sizes(coded: Coded) -> list[tuple[int, int]]:
    """(width, height) of each sequence header among AV1's coded bytes."""
    sizes: list[tuple[int, int]] = []
    at = units = 0
    while at < len(coded):
        first, units = coded[at], units + 1
        at += 2 if first & 4 else 1
        length = len(coded) - at
        if first & 2:
            length, at = _leb128(coded, at)
        if at + length > len(coded) or units > MAX_UNITS:
            raise damaged()
        if first >> 3 & 15 == _AV1_SEQUENCE:
            sizes.append(_av1_size(coded[at : at + min(length, _PARAMETERS_BYTES)]))
        at += length
    return sizes


def _leb128(coded: Coded, at: int) -> tuple[int, int]:
    """A number in seven bits a byte, the lowest first, and where it ends."""
    number = 0
    for place in range(8):
        if at >= len(coded):
            break
        byte, at = coded[at], at + 1
        number |= (byte & 127) << 7 * place
        if byte < 128:
            return number, at
    raise damaged()


def _av1_size(header: Coded) -> tuple[int, int]:
    bits = _Bits(header)
    bits.number(4)
    if bits.number(1):  # a still picture's short header
        bits.number(5)
    else:
        _pass_timing(bits)
    width_bits, height_bits = bits.number(4) + 1, bits.number(4) + 1
    return bits.number(width_bits) + 1, bits.number(height_bits) + 1


def _pass_timing(bits: _Bits) -> None:
    """Goes over what a sequence says of its time, up to its size."""
    delay_bits = 0
    if bits.number(1):
        bits.number(64)
        if bits.number(1):  # equal intervals
            bits.golomb()
        if bits.number(1):
            delay_bits = bits.number(5) + 1
            bits.number(42)
    delays = bits.number(1)
    for _ in range(bits.number(5) + 1):
        bits.number(12)
        if bits.number(5) > 7:
            bits.number(1)
        if delay_bits and bits.number(1):
            bits.number(2 * delay_bits + 1)
        if delays and bits.number(1):
            bits.number(4)
