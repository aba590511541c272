"""HEIC photos as phones write them, joined box by box from coded pictures (see scripts/make_heic), and their mutations.

No phone's photo is at hand. These have what published dumps of iPhones' photos show: tiles of 512 × 512 in a grid whose
description lies in `idat`, turning, EXIF, XMP and style as items, a thumbnail, and a depth map, a gain map or a
tone-mapped twin that refer to the photo.
"""

import random
import re
import struct
from dataclasses import dataclass, field, replace
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image

from tellapart.formats import heif_boxes

FOLDER = Path(__file__).parent / "heic"
ALPHA = b"urn:mpeg:hevc:2015:auxid:1"
DEPTH = b"urn:mpeg:hevc:2015:auxid:2"
GAIN_MAP = b"urn:com:apple:photo:2020:aux:hdrgainmap"
STYLE = b"tag:apple.com,2023:photo:styles"
FORBIDDEN = (b"unci", b"iden", b"iovl", b"mski")


def box(kind, content, version=None, flags=0):
    full = b"" if version is None else struct.pack(">I", version << 24 | flags)
    return struct.pack(">I4s", 8 + len(full + content), kind) + full + content


@dataclass(frozen=True)
class Item:
    """One item: its properties are (type, content), shared with others where they are alike."""

    kind: bytes
    content: bytes = b""
    properties: tuple[tuple[bytes, bytes], ...] = ()
    in_idat: bool = False
    named: bytes = b"\0"  # what follows the type: a name, a MIME type or a URI


@dataclass(frozen=True)
class Heic:
    """A photo before it becomes bytes, any part of which may be a lie."""

    items: dict[int, Item]
    links: tuple[tuple[bytes, int, tuple[int, ...]], ...] = ()
    primary: int = 1
    brand: bytes = b"heic"
    meta: tuple[bytes, ...] = ()  # further boxes inside `meta`
    appended: bytes = b""
    extents: dict[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)  # (from, length) instead of the true

    def without(self, *items):
        return replace(self, items={n: item for n, item in self.items.items() if n not in items})

    def adding(self, number, item, *links):
        return replace(self, items={**self.items, number: item}, links=self.links + links)

    def changing(self, number, **values):
        return replace(self, items={**self.items, number: replace(self.items[number], **values)})

    def bytes(self):
        ftyp = box(b"ftyp", self.brand + bytes(4) + b"mif1" + b"MiHB" + b"miaf" + self.brand)
        start = len(ftyp) + len(self._meta(0)) + 8
        mdat = b"".join(item.content for item in self.items.values() if not item.in_idat)
        return ftyp + self._meta(start) + box(b"mdat", mdat) + self.appended

    def _meta(self, at):
        properties = list(dict.fromkeys(p for item in self.items.values() for p in item.properties))
        infes, places, of_items, idat = [], [], [], b""
        for number, item in self.items.items():
            infes.append(box(b"infe", struct.pack(">HH", number, 0) + item.kind + item.named, 2))
            begin = len(idat) if item.in_idat else at
            extents = self.extents.get(number, ((begin, len(item.content)),))
            places.append(struct.pack(">HHHH", number, int(item.in_idat), 0, len(extents)))
            places.append(b"".join(struct.pack(">II", *extent) for extent in extents))
            idat, at = (idat + item.content, at) if item.in_idat else (idat, at + len(item.content))
            chosen = [properties.index(p) + 1 for p in item.properties]
            of_items.append(struct.pack(f">HB{len(chosen)}H", number, len(chosen), *chosen))
        links = [box(kind, struct.pack(f">HH{len(to)}H", a, len(to), *to)) for kind, a, to in self.links]
        parts = (
            box(b"hdlr", bytes(4) + b"pict" + bytes(13), 0),
            box(b"dinf", box(b"dref", struct.pack(">I", 1) + box(b"url ", b"", 0, 1), 0)),
            box(b"pitm", struct.pack(">H", self.primary), 0),
            box(b"iinf", struct.pack(">H", len(infes)) + b"".join(infes), 0),
            box(b"iref", b"".join(links), 0) if links else b"",
            box(
                b"iprp",
                box(b"ipco", b"".join(box(*p) for p in properties))
                + box(b"ipma", struct.pack(">I", len(of_items)) + b"".join(of_items), 0, 1),
            ),
            box(b"idat", idat),
            box(b"iloc", struct.pack(">BBH", 0x44, 0, len(self.items)) + b"".join(places), 1),
            *self.meta,
        )
        return box(b"meta", b"".join(parts), 0)


@cache
def pictures(name):
    """The coded items of a file of scripts/make_heic, each with its configuration and size."""
    return coded((FOLDER / name).read_bytes())


def coded(data):
    """The coded items of a photo, without what makes one a map."""
    meta = next(b for b in heif_boxes.boxes(data, 0, len(data)) if b.kind == b"meta")
    photo = heif_boxes.read_meta(data, meta)
    found = []
    for number, kind in photo.kinds.items():
        if kind in (b"hvc1", b"av01"):
            said = [photo.properties[place] for place in photo.of_item[number]]
            properties = tuple((p.kind, data[p.start : p.end]) for p in said if p.kind != b"auxC")
            [(start, end)] = photo.places[number]
            found.append(Item(kind, data[start:end], properties))
    return found


def ispe(width, height):
    return b"ispe", struct.pack(">III", 0, width, height)


def auxc(urn):
    return b"auxC", bytes(4) + urn + b"\0"


def grid(rows, columns, width, height, *properties):
    content = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    return Item(b"grid", content, (ispe(width, height), *properties), in_idat=True)


def exif(orientation):
    found = Image.Exif()
    found[0x0112] = orientation
    return Item(b"Exif", struct.pack(">I", 6) + found.tobytes())


def plain():
    return Heic({1: pictures("small.heic")[0]})


def clear():
    """A photo with transparency."""
    photo, alpha = pictures("clear.heic")
    alpha = replace(alpha, properties=(*alpha.properties, auxc(ALPHA)))
    return Heic({1: photo, 2: alpha}, ((b"auxl", 2, (1,)),))


def mapped(urn=DEPTH):
    """A photo with a depth map or a gain map."""
    return plain().adding(2, map_of(urn), (b"auxl", 2, (1,)))


def map_of(urn):
    [grey] = pictures("grey.heic")
    return replace(grey, properties=(*grey.properties, auxc(urn)))


@cache
def avif(*, frames=1):
    """A transparent AVIF as Pillow writes it."""
    image = Image.linear_gradient("L").resize((96, 64)).convert("RGBA")
    image.putalpha(image.getchannel("R").rotate(180))
    buffer = BytesIO()
    more = {"save_all": True, "append_images": [image] * (frames - 1)} if frames > 1 else {}
    image.save(buffer, "AVIF", speed=10, **more)
    return buffer.getvalue()


def clear_avif():
    """The same, joined from its pictures as `clear` is."""
    photo, alpha = coded(avif())
    alpha = replace(alpha, properties=(*alpha.properties, auxc(b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha")))
    return Heic({1: photo, 2: alpha}, ((b"auxl", 2, (1,)),), brand=b"avif")


def phone(quarter_turns=0):
    """A phone's photo: 2 × 2 tiles of 512, turned, with all that hangs on it."""
    tiles = pictures("tiles.heic")
    turn = ((b"irot", bytes([quarter_turns])),) if quarter_turns else ()
    whole = grid(2, 2, 900, 700, (b"pixi", bytes.fromhex("0000000003080808")), *turn)
    [thumbnail] = pictures("small.heic")
    return Heic(
        {
            **dict(enumerate(tiles, 1)),
            10: whole,
            11: replace(thumbnail, properties=thumbnail.properties + turn),
            12: replace(map_of(GAIN_MAP), properties=map_of(GAIN_MAP).properties + turn),
            13: map_of(DEPTH),
            14: exif(6),  # said twice: the box counts, as every decoder does
            15: Item(b"mime", b"<x:xmp/>", named=b"\0application/rdf+xml\0"),
            16: Item(b"uri ", b"bplist00", named=b"style\0" + STYLE + b"\0"),
            17: Item(b"tmap", bytes(62), (ispe(900, 700),)),
        },
        (
            (b"dimg", 10, (1, 2, 3, 4)),
            (b"dimg", 17, (10, 12)),
            (b"thmb", 11, (10,)),
            (b"auxl", 12, (10, 17)),
            (b"auxl", 13, (10, 17)),
            (b"cdsc", 14, (10, 17)),
            (b"cdsc", 15, (12,)),
            (b"cdsc", 16, (10,)),
        ),
        primary=10,
        meta=(box(b"grpl", box(b"altr", struct.pack(">IIII", 99, 2, 17, 10), 0)),),
    )


BASES = (plain, clear, mapped, phone, phone, clear_avif)
KINDS = (*FORBIDDEN, b"hvc1", b"grid", b"tmap", b"av01", b"jpeg", b"Exif", b"mime", b"uri ", b"tili", b"j2k1")
LINKS = (b"dimg", b"auxl", b"auxl", b"auxl", b"thmb", b"cdsc", b"prem", b"base")
BOXES = (
    b"ftyp meta mdat idat iloc iinf infe iref iprp ipco ipma ispe hvcC irot imir clap colr pixi auxC grpl moov "
    + (b"uncC cmpd mskC mini free dimg auxl av1C trak mdia minf stbl stsd stsz stco av01 uncv")
).split() + list(FORBIDDEN)
ANY_BOX = re.compile(b"|".join(map(re.escape, BOXES)))
NUMBERS = (0, 1, 2, 3, 7, 8, 16, 255, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF)


def mutated(seed):
    """The bytes of a photo with one to four things wrong, always the same for a seed."""
    dice = random.Random(seed)
    photo = dice.choice(BASES)()
    for _ in range(dice.choice((0, 1, 1, 2))):
        photo = dice.choice((_other_item, _other_links, _other_properties, _other_places, _other_parts))(photo, dice)
    moving = dice.random() < 0.05
    data = bytearray(avif(frames=2) if moving else photo.bytes())
    for _ in range(dice.choice((0, 0, 1, 2)) + moving):
        data = dice.choice((_other_bytes, _other_box, _other_size, _copied_box, _lost_box, _nested_box))(data, dice)
    return bytes(data)


def _other_item(photo, dice):
    number = dice.choice(list(photo.items))
    how = dice.randrange(5)
    if how == 0:
        return photo.changing(number, kind=dice.choice((*KINDS, dice.randbytes(4))))
    if how == 4:
        return photo.changing(
            number, named=photo.items[number].named[:-1] + dice.choice((b"", b"\xff\0", b"\0\0", b"\0x\0"))
        )
    if how == 1 and len(photo.items) > 1:
        return photo.without(number)
    if how == 2:
        return replace(photo, primary=dice.choice([*photo.items, 0, 77]))
    content = bytearray(photo.items[number].content)
    for _ in range(dice.randint(1, 8) if content else 0):
        content[dice.randrange(min(len(content), 40))] = dice.randrange(256)
    return photo.changing(number, content=bytes(content[: dice.choice((len(content), len(content) // 2, 5))]))


def _other_links(photo, dice):
    """References that loop, repeat, lead nowhere or to the wrong kind; half of them `auxl`."""
    known = [*photo.items, *photo.items, 77]
    targets = tuple(dice.choice(known) for _ in range(dice.choice((0, 1, 1, 2, 4, 300))))
    link = (dice.choice(LINKS), dice.choice(known), targets)
    if photo.links and dice.random() < 0.7:
        links = list(photo.links)
        place = dice.randrange(len(links))
        kind, source, old = links[place]
        links[place] = dice.choice(
            (link, (kind, source, targets), (kind, dice.choice(known), old), (dice.choice(LINKS), source, old))
        )
        return replace(photo, links=tuple(links))
    return replace(photo, links=(*photo.links, link))


def _other_properties(photo, dice):
    number = dice.choice(list(photo.items))
    properties = list(photo.items[number].properties)
    side = lambda: dice.choice(NUMBERS)  # noqa: E731
    new = dice.choice(
        (
            ispe(side(), side()),
            (b"irot", bytes([dice.randrange(256)])),
            (b"imir", bytes([dice.randrange(256)])),
            (b"clap", struct.pack(">8I", *(side() for _ in range(8)))),
            auxc(dice.choice((ALPHA, DEPTH, GAIN_MAP, b"", b"x" * 300))),
            (b"pixi", bytes(4) + bytes([dice.randrange(256)]) + b"\x08" * dice.randrange(5)),
            (b"colr", b"prof" + bytes(dice.randrange(200))),
            (b"uncC", bytes(dice.randrange(40))),
            (b"mskC", bytes(5)),
        )
    )
    if properties and dice.random() < 0.6:
        place = dice.randrange(len(properties))
        kind, content = properties[place]
        spoiled = bytearray(content)
        if spoiled:
            spoiled[dice.randrange(len(spoiled))] = dice.randrange(256)
        properties[place] = dice.choice((new, (kind, bytes(spoiled)), properties[0]))
    else:
        properties.append(new)
    return photo.changing(number, properties=tuple(properties))


def _other_places(photo, dice):
    number = dice.choice(list(photo.items))
    count = dice.choice((0, 1, 1, 2, 40))
    extents = tuple((dice.choice((*NUMBERS, 700, 900)), dice.choice((*NUMBERS, 50))) for _ in range(count))
    if dice.random() < 0.3:
        return photo.changing(number, in_idat=not photo.items[number].in_idat)
    return replace(photo, extents={**photo.extents, number: extents})


def _other_parts(photo, dice):
    kind = dice.choice(BOXES)
    part = box(kind, dice.randbytes(dice.randrange(60)), dice.choice((None, 0, 1)))
    if dice.random() < 0.5:
        return replace(photo, meta=(*photo.meta, part))
    return replace(photo, appended=photo.appended + part + dice.randbytes(dice.choice((0, 3, 20))))


def _boxes(data):
    """The places of everything that looks like a box."""
    return [found.start() for found in ANY_BOX.finditer(data, 4, 20_000)]


def _size(data, at):
    return int.from_bytes(data[at - 4 : at])


def _other_bytes(data, dice):
    end = data.find(b"mdat")
    for _ in range(dice.randint(1, 4)):
        data[dice.randrange(max(end, 8))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
    return data


def _other_box(data, dice):
    if places := _boxes(data):
        at = dice.choice(places)
        data[at : at + 4] = dice.choice(BOXES)
    return data


def _other_size(data, dice):
    if places := _boxes(data):
        at = dice.choice(places)
        size = dice.choice((*NUMBERS, _size(data, at) + dice.randint(-9, 9)))
        data[at - 4 : at] = struct.pack(">I", size & 0xFFFF_FFFF)
    return data


def _copied_box(data, dice):
    if places := _boxes(data):
        at = dice.choice(places)
        data[at - 4 : at - 4] = data[at - 4 : at - 4 + min(_size(data, at), 5000)] * dice.choice((1, 1, 3, 200))
    return data


def _lost_box(data, dice):
    if places := _boxes(data):
        at = dice.choice(places)
        del data[at - 4 : at - 4 + min(_size(data, at), 5000)]
    return data


def _nested_box(data, dice):
    if places := _boxes(data):
        at = dice.choice(places)
        depth = dice.choice((1, 1, 50))
        for _ in range(depth):
            data[at - 4 : at - 4] = struct.pack(">I4s", (_size(data, at) + 8) & 0xFFFF_FFFF, dice.choice(BOXES))
    return data
