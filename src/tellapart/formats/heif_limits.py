"""HEIC and AVIF as phones and cameras write them; everything else that these formats allow is refused unseen.

The standard has dozens of kinds of pictures, and the decoders of the rare ones are where attacks were found. A photo
needs few: pictures coded by one codec, a grid that joins tiles, and what hangs on them (transparency, depth, gain maps,
thumbnails, EXIF, XMP). A file that holds anything else, or these in a shape that no photo has, never reaches a decoder.
"""

from collections import Counter
from typing import Final, NamedTuple

from tellapart.errors import PhotoError
from tellapart.formats import header
from tellapart.formats.coded_size import av1_sizes, hevc_sizes
from tellapart.formats.heif_boxes import (
    Box,
    Fields,
    Link,
    Photo,
    box_at,
    boxes,
    foreign,
    read_items,
    read_meta,
    too_complex,
)

MAX_DEPTH: Final = 6  # pictures made of pictures: tone-mapped, grid, tile, its alpha; no photo goes deeper
MAX_WORK_PIXELS: Final = 4 * header.MAX_PIXELS  # decoded for one photo, with its alpha, depth and gain maps

_METADATA: Final = frozenset({b"Exif", b"mime", b"uri "})  # `uri `: Apple's description of the photo's style
_TOP: Final = frozenset({b"ftyp", b"meta", b"mdat"})
# What cameras say of a picture beside its size and codec: colour, depth, turning, cutting, light, lens.
_PROPERTIES: Final = frozenset(
    b"ispe colr pixi irot imir clap auxC pasp clli mdcv cclv amve ndwt rloc lsel a1op a1lx".split()
    + b"cmin cmex crtt mdft free skip".split()
)
_ONCE: Final = frozenset({b"ispe", b"irot", b"imir", b"clap", b"auxC"})
# Of an animation, which only AVIF has here.
_TRACK_FOLDERS: Final = {
    b"moov": (b"trak",),
    b"trak": (b"mdia", b"edts"),
    b"mdia": (b"minf",),
    b"minf": (b"stbl", b"dinf"),
}
_TRACK_PARTS: Final = frozenset(
    b"mvhd iods tkhd tref elst mdhd hdlr vmhd nmhd dref udta free skip".split()
    + b"stts stss stsc stsz stco co64 ctts cslg sdtp sgpd sbgp".split()
)
_FRAME_PARTS: Final = frozenset(b"av1C colr pasp pixi clap btrt ccst auxi clli mdcv irot imir".split())


class _Codec(NamedTuple):
    item: bytes
    configuration: bytes


_CODECS: Final = {"HEIF": _Codec(b"hvc1", b"hvcC"), "AVIF": _Codec(b"av01", b"av1C")}


def checked(data: bytes, kind: str) -> bytes:
    """The part of a HEIF or AVIF file that a decoder may see: the photo without what is appended to it.

    Raises:
        PhotoError: `unsupported` for what no phone writes, `damaged`, `truncated`, `too_large` or `too_complex`.
    """
    codec = _CODECS[kind]
    tops = _top_boxes(data)
    data = data[: tops[-1].end] if tops else data
    found = {box.kind: box for box in tops}
    if sum(box.kind == b"meta" for box in tops) > 1:
        raise header.damaged()
    moves = kind == "AVIF" and data[8:12] == b"avis" and b"moov" in found
    if moves:
        _check_tracks(data, found[b"moov"])
    elif b"meta" not in found and b"moov" in found:
        raise _sequence()
    if b"meta" in found:
        _check(data, read_meta(data, found[b"meta"]), codec)
    elif not moves:
        raise foreign() if b"mini" in found else header.damaged()
    return _hidden(data, tops, _TOP | {b"moov"} if moves else _TOP)


def _hidden(data: bytes, tops: list[Box], known: frozenset[bytes]) -> bytes:
    """The same bytes, with boxes of other kinds made room to spare: a phone's video, a maker's notes."""
    if {box.kind for box in tops} <= known:
        return data
    part, at = bytearray(data), 0
    for box in tops:
        if box.kind not in known:
            part[at + 4 : at + 8], part[box.start : box.end] = b"free", bytes(box.end - box.start)
        at = box.end
    return bytes(part)


def _top_boxes(data: bytes) -> list[Box]:
    """The boxes of a file, up to its end or to where something else was appended."""
    tops: list[Box] = []
    at = 0
    while at < len(data):
        box = box_at(data, at, len(data), top=True)
        if box is None and (data[at + 4 : at + 8] == b"mdat" or not any(top.kind == b"meta" for top in tops)):
            raise header.truncated() if at + 8 < len(data) else header.damaged()
        if box is None or (at and box.kind == b"ftyp"):
            break
        tops.append(box)
        if len(tops) > 1000:  # a photo and its video have about ten
            raise too_complex()
        at = box.end
    return tops


def _sequence() -> PhotoError:
    return PhotoError("The file is a video or a burst, which cannot be read.", code="unsupported", hint=header.READABLE)


def _check(data: bytes, photo: Photo, codec: _Codec) -> None:
    if not set(photo.kinds.values()) <= {codec.item, b"grid", b"tmap"} | _METADATA:
        raise foreign()
    if photo.kinds.get(photo.primary) not in (codec.item, b"grid"):
        raise header.damaged()
    inputs = _check_links(photo, codec)
    sizes = _check_properties(data, photo, codec)
    if sum(end - start for pieces in photo.places.values() for start, end in pieces) > 2 * len(data):
        raise header.damaged()  # many items share the same bytes
    of_picture: dict[int, tuple[int, int]] = {}
    for item, kind in photo.kinds.items():
        if kind in (codec.item, b"grid"):
            of_picture[item] = _check_picture(data, photo, codec, item, sizes)
    for item, kind in photo.kinds.items():
        if kind == b"grid":
            _check_grid(data, photo, item, [of_picture[tile] for tile in inputs.get(item, ())], of_picture[item])
    _check_work(photo, of_picture)


def _check_links(photo: Photo, codec: _Codec) -> dict[int, tuple[int, ...]]:
    """{item: what it is made of}, after a look at who refers to whom."""
    whole = frozenset({codec.item, b"grid"})
    allowed = {  # kind of reference: (who may refer, to whom)
        b"thmb": (whole, whole | {b"tmap"}),
        b"auxl": (whole, whole | {b"tmap"}),
        b"prem": (whole, whole),
        b"cdsc": (_METADATA, whole | {b"tmap"}),
    }
    for link in photo.links:
        source, targets = photo.kinds.get(link.source), [photo.kinds.get(target) for target in link.targets]
        if source is None or None in targets:
            raise header.damaged()
        if link.kind == b"dimg":
            who, whom = frozenset({b"grid", b"tmap"}), frozenset({codec.item}) if source == b"grid" else whole
        elif link.kind in allowed:
            who, whom = allowed[link.kind]
        else:
            raise foreign()
        if source not in who or not set(targets) <= whom:
            raise foreign()
        if len(set(link.targets)) != len(targets) or (source == b"tmap" and len(targets) != 2):
            raise header.damaged()
    if max(Counter(link[:2] for link in photo.links).values(), default=0) > 1:
        raise header.damaged()
    _refuse_loops(photo.links)
    return {link.source: link.targets for link in photo.links if link.kind == b"dimg"}


def _needs(links: list[Link]) -> set[tuple[int, int]]:
    """(picture, another that is decoded with it): what it is made of, and what hangs on it."""
    made = {(link.source, target) for link in links if link.kind in (b"dimg", b"prem") for target in link.targets}
    hung = {(target, link.source) for link in links if link.kind in (b"auxl", b"thmb") for target in link.targets}
    return made | hung


def _refuse_loops(links: list[Link]) -> None:
    needs = _needs(links)
    for _ in range(MAX_DEPTH):
        needing = {picture for picture, _ in needs}
        needs = {pair for pair in needs if pair[1] in needing}
    if needs:
        raise header.damaged()


def _check_properties(data: bytes, photo: Photo, codec: _Codec) -> dict[int, tuple[int, int]]:
    """{place in the list of properties: (width, height)}, after a look at each."""
    sizes = {}
    for place, box in enumerate(photo.properties):
        content = data[box.start : box.end]
        if box.kind == codec.configuration:
            coded = hevc_sizes(content) if codec.item == b"hvc1" else av1_sizes(content[4:])
            for width, height in coded:
                header.refuse_size(width, height)
        elif box.kind not in _PROPERTIES:
            raise foreign()
        elif box.kind == b"ispe":
            said = Fields(data, box)
            sizes[place] = said.number(4), said.number(4)
            header.refuse_size(*sizes[place])
        elif box.kind == b"colr":
            header.refuse_profile(content)
        elif box.kind == b"auxC":
            Fields(data, box).text()
        elif box.kind in (b"irot", b"imir") and len(content) != 1:
            raise header.damaged()
    return sizes


def _check_picture(
    data: bytes, photo: Photo, codec: _Codec, item: int, sizes: dict[int, tuple[int, int]]
) -> tuple[int, int]:
    """(width, height) of one picture, after a look at what is said of it and at its bytes."""
    places = photo.of_item.get(item, [])
    kinds = [photo.properties[place].kind for place in places]
    coded = photo.kinds[item] == codec.item
    once = [kind for kind in kinds if kind in _ONCE]
    if b"ispe" not in once or len(set(once)) < len(once) or kinds.count(codec.configuration) != coded:
        raise header.damaged()
    pieces = photo.places.get(item, [])
    if not pieces or any(start == end for start, end in pieces):
        raise header.damaged()
    size = next(sizes[place] for place in places if place in sizes)
    for place in places:
        box = photo.properties[place]
        if box.kind == b"clap":
            _check_cut(data, box, max(size))
        elif box.kind == codec.configuration:
            view = memoryview(data)
            content = view[slice(*pieces[0])] if len(pieces) == 1 else b"".join(view[a:b] for a, b in pieces)
            inside = hevc_sizes(data[box.start : box.end], content) if codec.item == b"hvc1" else av1_sizes(content)
            for width, height in inside:
                header.refuse_size(width, height)
    return size


def _check_cut(data: bytes, clap: Box, side_px: int) -> None:
    """Refuses a clean aperture that is empty or leads out of the picture."""
    if clap.end - clap.start != 32:
        raise header.damaged()
    numbers = [int.from_bytes(data[at : at + 4], signed=True) for at in range(clap.start, clap.end, 4)]
    for top, bottom in zip(numbers[::2], numbers[1::2], strict=True):
        if bottom <= 0 or abs(top) > side_px * bottom:
            raise header.damaged()
    if numbers[0] < numbers[1] or numbers[2] < numbers[3]:  # less than a pixel wide or high
        raise header.damaged()


def _check_grid(data: bytes, photo: Photo, item: int, tiles: list[tuple[int, int]], size: tuple[int, int]) -> None:
    """Refuses a grid whose tiles are not alike, too few, or more than it shows."""
    content = b"".join(data[start : min(end, start + 16)] for start, end in photo.places[item])[:16]
    said = Fields(content, Box(b"grid", 0, len(content)), full=False)
    version, flags, rows, columns = said.number(1), said.number(1), said.number(1) + 1, said.number(1) + 1
    shown = tuple(said.number(4 if flags & 1 else 2) for _ in range(2))
    if version or shown != size or len(tiles) != rows * columns or len(set(tiles)) != 1:
        raise header.damaged()
    for side_px, tile_px, count in zip(size, tiles[0], (columns, rows), strict=True):
        if not tile_px * (count - 1) < side_px <= tile_px * count:
            raise header.damaged()


def _check_work(photo: Photo, sizes: dict[int, tuple[int, int]]) -> None:
    """Refuses a photo whose parts, each within the limits, are too much together."""
    below: dict[int, list[int]] = {}
    for picture, other in _needs([link for link in photo.links if link.kind != b"thmb"]):
        below.setdefault(picture, []).append(other)
    known: dict[int, int] = {}

    def work(item: int) -> int:
        if item not in known:
            width, height = sizes.get(item, (0, 0))
            own = width * height if photo.kinds[item] != b"grid" else 0
            known[item] = own + sum(map(work, below.get(item, ())))
        return known[item]

    if work(photo.primary) > MAX_WORK_PIXELS:
        raise too_complex()


def _check_tracks(data: bytes, outer: Box) -> None:
    """Refuses an animation of parts that no encoder writes, or larger than a photo may be."""
    for box in boxes(data, outer.start, outer.end):
        if box.kind in _TRACK_FOLDERS.get(outer.kind, ()):
            _check_tracks(data, box)
        elif box.kind == b"stsd":
            said = Fields(data, box)
            said.number(4)
            for entry in boxes(data, said.at, box.end):
                _check_frames(data, entry)
        elif box.kind == b"meta":
            _check_track_notes(data, box)
        elif box.kind not in _TRACK_PARTS:
            raise foreign()


def _check_frames(data: bytes, entry: Box) -> None:
    if entry.kind != b"av01":
        raise foreign()
    said = Fields(data, entry, full=False)
    said.take(24)
    header.refuse_size(said.number(2), said.number(2))
    said.take(50)
    for box in boxes(data, said.at, entry.end):
        if box.kind not in _FRAME_PARTS:
            raise foreign()
        if box.kind == b"av1C":
            for width, height in av1_sizes(data[box.start + 4 : box.end]):
                header.refuse_size(width, height)


def _check_track_notes(data: bytes, meta: Box) -> None:
    """Refuses pictures among the notes to a track, which are EXIF and XMP."""
    for box in boxes(data, Fields(data, meta).at, meta.end):
        if box.kind not in (b"hdlr", b"iloc", b"iinf"):
            raise foreign()
        if box.kind == b"iinf" and not set(read_items(data, box).values()) <= _METADATA:
            raise foreign()
