"""Tags that share their bytes, EXIF bombs and loops, in every format that may carry them."""

import struct
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

from tellapart.data import photo
from tellapart.errors import PhotoError
from tellapart.formats import header, metadata, tiff_tags
from tellapart.formats.exif import orientation

from . import heic_photos

BYTES, SHORT, LONG, RATIONAL, DOUBLE, LONG8 = 7, 3, 4, 5, 12, 16
SIZE = {BYTES: 1, SHORT: 2, LONG: 4, RATIONAL: 8, DOUBLE: 8, LONG8: 8}
FORMS = [(order, big) for order in "<>" for big in (False, True)]
MEGABYTE = 1_000_000
MORE = r"^It has more tags than a photo does\.$"
HINT = "Open it in a photo viewer and save it again."


class Tiff:
    """A grey TIFF of 8 × 8, put together by hand; blocks of tags are laid behind each other."""

    def __init__(self, order="<", big=False, filler=MEGABYTE, compression=1):
        self.order, self.big, self.compression = order, big, compression
        self.body = bytearray(16 if big else 8)
        pixels = Image.fromarray(np.full((8, 8), 77, np.uint8))
        file = BytesIO()
        pixels.save(file, "TIFF", compression={1: "raw", 5: "tiff_lzw", 8: "tiff_adobe_deflate"}[compression])
        tags = Image.open(BytesIO(file.getvalue())).tag_v2
        at, n = tags[273][0], tags[279][0]
        self.strip, self.n_strip = self.add(file.getvalue()[at : at + n]), n
        self.filler, self.n_filler = self.add(b"\0" * filler), filler

    def add(self, data):
        self.body += b"\0" * (len(self.body) % 2)
        at = len(self.body)
        self.body += data
        return at

    def inline(self, kind, value):
        return struct.pack(self.order + {SHORT: "H", LONG: "I", LONG8: "Q"}[kind], value)

    def block(self, tags, after=0):
        """Where a block with these (tag, type, count, value or place) stands."""
        room, count = (8, "Q") if self.big else (4, "I")
        out = struct.pack(self.order + ("Q" if self.big else "H"), len(tags))
        for tag, kind, n, value in sorted(tags, key=lambda each: each[:3]):
            out += struct.pack(self.order + "HH" + count, tag, kind, n)
            out += value.ljust(room, b"\0") if isinstance(value, bytes) else struct.pack(self.order + count, value)
        return self.add(out + struct.pack(self.order + count, after))

    def page(self, tags=(), after=0):
        known = {256: 8, 257: 8, 258: 8, 259: self.compression, 262: 1, 277: 1, 278: 8}
        own = [(tag, SHORT, 1, self.inline(SHORT, value)) for tag, value in known.items()]
        places = {273: self.strip, 279: self.n_strip}
        own += [(tag, LONG, 1, self.inline(LONG, value)) for tag, value in places.items()]
        return self.block([*own, *tags], after)

    def data(self, first):
        start = (b"II" if self.order == "<" else b"MM") + struct.pack(self.order + "H", 43 if self.big else 42)
        start += struct.pack(self.order + ("HHQ" if self.big else "I"), *((8, 0) if self.big else ()), first)
        self.body[: len(start)] = start
        return bytes(self.body)

    def shared(self, n, kind=BYTES):
        """`n` tags that all name the same bytes: all of the filler."""
        return [(40000 + i, kind, self.n_filler // SIZE[kind], self.filler) for i in range(n)]


def plain(tiff):
    return tiff.data(tiff.page())


def named(tiff, tag, tags, kind=LONG):
    """A page that names another block: EXIF, GPS, SubIFDs."""
    return tiff.data(tiff.page([(tag, kind, 1, tiff.inline(kind, tiff.block(tags)))]))


def on_second_page(tiff):
    second = tiff.page(tiff.shared(400))
    return tiff.data(tiff.page(after=second))


def nested(tiff):
    """Interoperability in EXIF in the page."""
    inner = tiff.block(tiff.shared(400))
    return named(tiff, 34665, [(40965, LONG, 1, tiff.inline(LONG, inner))])


def list_of_blocks(tiff):
    blocks = [tiff.block(tiff.shared(3)) for _ in range(40)]
    places = tiff.add(b"".join(tiff.inline(LONG, block) for block in blocks))
    return tiff.data(tiff.page([(330, LONG, len(blocks), places)]))


BOMBS = {
    "bytes": lambda tiff: tiff.data(tiff.page(tiff.shared(400))),
    "fractions": lambda tiff: tiff.data(tiff.page([(282, RATIONAL, 500_001, tiff.add(b"\1" * 8 * 500_001))])),
    "fractions of orientation": lambda tiff: tiff.data(tiff.page([(274, RATIONAL, 120_000, tiff.filler)] * 5)),
    "numbers": lambda tiff: tiff.data(tiff.page([(40000 + i, SHORT, 400_000, tiff.filler) for i in range(2)])),
    "doubles": lambda tiff: tiff.data(tiff.page(tiff.shared(60, DOUBLE))),
    "exif": lambda tiff: named(tiff, 34665, tiff.shared(400)),
    "gps": lambda tiff: named(tiff, 34853, tiff.shared(10, RATIONAL)),
    "exif by another type": lambda tiff: named(tiff, 34665, tiff.shared(400), LONG8 if tiff.big else LONG),
    "sub": lambda tiff: named(tiff, 330, tiff.shared(400)),
    "list of blocks": list_of_blocks,
    "nested": nested,
    "second page": on_second_page,
    "same tag": lambda tiff: tiff.data(tiff.page([(40000, BYTES, MEGABYTE, tiff.filler)] * 400)),
}


@pytest.mark.parametrize(("order", "big"), FORMS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_tiff_whose_tags_ask_for_more_than_it_holds_is_refused(bomb, order, big):
    for compression in (1, 5):
        data = BOMBS[bomb](Tiff(order, big, compression=compression))
        with pytest.raises(PhotoError) as caught:
            photo.decode(data)
        assert (caught.value.code, caught.value.hint) == ("too_complex", HINT)
        assert caught.value.message == "Its tags ask for more than a photo's do."


@pytest.mark.parametrize(("order", "big"), FORMS[:3])  # Pillow reads no big-endian BigTIFF
@pytest.mark.parametrize("compression", [1, 5, 8])
def test_a_tiff_with_long_tags_of_its_own_is_read(order, big, compression):
    tiff = Tiff(order, big, filler=0, compression=compression)
    notes, profile, thumbnail = tiff.add(b"n" * 5_000_000), tiff.add(b"p" * 3_000_000), tiff.add(b"t" * 100_000)
    exif = tiff.block([(37500, BYTES, 5_000_000, notes), (330, LONG, 1, tiff.inline(LONG, 10**9))])
    numbers = tiff.add(struct.pack(f"{order}400000I", *range(400_000)))
    tags = [
        (34665, LONG, 1, tiff.inline(LONG, exif)),
        (50341, BYTES, 3_000_000, profile),
        (50342, BYTES, 100_000, thumbnail),
        (50343, LONG, 400_000, numbers),
        (282, RATIONAL, 1, tiff.add(struct.pack(order + "II", 300, 1))),
        (40001, BYTES, 2**31, len(tiff.body) - 100),  # broken: most of it lies behind the end
    ]
    data = tiff.data(tiff.page(tags))
    assert np.array_equal(photo.decode(data), np.full((8, 8, 3), 77))


@pytest.mark.parametrize(("order", "big"), FORMS)
def test_blocks_that_name_each_other_end(order, big):
    tiff = Tiff(order, big, filler=0)
    hole = tiff.add(bytes(200))
    loop = tiff.block([(34665, LONG, 1, tiff.inline(LONG, hole))], after=hole)
    whole = tiff.body[loop:].replace(tiff.inline(LONG, hole), tiff.inline(LONG, loop), 1)
    tiff.body[hole : hole + len(whole)] = whole
    page = tiff.page([(34665, LONG, 1, tiff.inline(LONG, loop))], after=loop)
    metadata.check_tiff(tiff.data(page))


@pytest.mark.parametrize(("order", "big"), FORMS)
def test_the_number_of_tags_is_limited_on_a_page_and_in_all(order, big):
    tiff = Tiff(order, big, filler=0)
    many = [(40000, SHORT, 1, tiff.inline(SHORT, 1))] * (tiff_tags.MAX_BLOCK_TAGS + 1)
    with pytest.raises(PhotoError, match=MORE):
        photo.decode(tiff.data(tiff.page(many)))
    full = tiff.block(many[:-100])
    places = tiff.add(b"".join(tiff.inline(LONG, full) for _ in range(200_000)))
    with pytest.raises(PhotoError, match=MORE):
        photo.decode(tiff.data(tiff.page([(330, LONG, 200_000, places)])))


def test_a_chain_of_many_pages_is_looked_at_in_time():
    tiff = Tiff(filler=0)
    page = tiff.page()
    for _ in range(20_000):
        page = tiff.page(after=page)
    with pytest.raises(PhotoError, match=MORE):
        photo.decode(tiff.data(page))


@pytest.mark.parametrize("cut", range(0, 160, 3))
@pytest.mark.parametrize(("order", "big"), FORMS)
def test_what_is_cut_off_breaks_nothing(cut, order, big):
    tiff = Tiff(order, big, filler=0)
    data = named(tiff, 34665, [(40000, LONG, 9, 20), (330, LONG, 40, 0), (34853, LONG, 1, tiff.inline(LONG, 8))])
    for rest in (data[: len(data) - cut], data[:cut]):
        with suppress(PhotoError):
            metadata.check_tiff(rest)


def exif_bomb(n=400, kind=BYTES, size=MEGABYTE):
    tiff = Tiff(filler=size)
    return tiff.data(tiff.page([*tiff.shared(n, kind), (274, SHORT, 1, tiff.inline(SHORT, 6))]))


def picture(mode="RGB"):
    x, y = np.meshgrid(np.arange(96), np.arange(64))
    return Image.fromarray((np.stack([x * 2, y * 3, x + y], -1) + 20).astype(np.uint8)).convert(mode)


def saved(image, kind, **options):
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    return exif.tobytes().removeprefix(b"Exif\0\0")


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg_with(*segments, mode="CMYK", **options):
    """A JPEG that only Pillow reads, being in ink, with segments of ours first."""
    data = saved(picture(mode), "JPEG", **options)
    return data[:2] + b"".join(segments) + data[2:]


def exif_segments(exif):
    return [segment(0xE1, b"Exif\0\0" + exif[at : at + 65_000]) for at in range(0, len(exif), 65_000)]


def jpeg_with_pictures():
    """A JPEG whose list of further pictures has tags that share their bytes."""
    tags = [(0xB000, BYTES, 4, b"0100"), (0xB001, LONG, 1, b"\1\0\0\0"), (0xB002, BYTES, 16, 8)]
    tags += [(0xC000 + i, BYTES, 20_000, 40_000) for i in range(3000)]
    block = struct.pack("<H", len(tags))
    for tag, kind, n, value in tags:
        block += struct.pack("<HHI", tag, kind, n) + (value if isinstance(value, bytes) else struct.pack("<I", value))
    pictures = b"II*\0" + struct.pack("<I", 8) + block + bytes(4) + bytes(25_000)
    return jpeg_with(segment(0xE2, b"MPF\0" + pictures[:65_000]), mode="CMYK")


CARRIERS = {
    "JPEG": lambda: jpeg_with(*exif_segments(exif_bomb())),
    "JPEG fractions": lambda: jpeg_with(*exif_segments(exif_bomb(20, RATIONAL))),
    "JPEG loop": lambda: jpeg_with(*exif_segments(b"Exif\0\0" * 500_000)),
    "JPEG, progressive": lambda: jpeg_with(*exif_segments(exif_bomb()), mode="RGB", progressive=True),
    "JPEG, grey": lambda: jpeg_with(*exif_segments(exif_bomb()), mode="L"),
    "MPO": jpeg_with_pictures,
    "PNG": lambda: saved(picture(), "PNG", exif=exif_bomb()),
    "WEBP": lambda: saved(picture(), "WEBP", lossless=True, exif=b"Exif\0\0" + exif_bomb()),
    "AVIF": lambda: avif_with(exif_bomb()),
    "AVIF fractions": lambda: avif_with(exif_bomb(20, RATIONAL)),
    "AVIF loop": lambda: avif_with(b"Exif\0\0" * 500_000),
}


def avif_with(exif):
    """An AVIF with this EXIF, put in place of another, since Pillow reads what it saves."""
    stand_in = b"II*\0\x08\0\0\0\0\0" + bytes(len(exif) - 10)
    data = saved(picture(), "AVIF", quality=90, exif=stand_in)
    assert stand_in in data
    return data.replace(stand_in, exif)


CHILD = """
import resource, sys, time
from io import BytesIO
from pathlib import Path
from random import Random
from PIL import Image
from tellapart.data import photo
data = Path(sys.argv[1]).read_bytes()
warm = Path(sys.argv[2]).read_bytes()
photo.decode(warm), photo.decode_careful(warm)
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 60_000_000, held + 60_000_000))
started = time.perf_counter()
for read in (photo.decode, photo.decode_careful):
    try:
        print(read(data).shape)
    except photo.PhotoError as error:
        print(error.code)
print(time.perf_counter() - started < 3)
"""


def in_child(tmp_path, name, data):
    (tmp_path / "bomb").write_bytes(data)
    (tmp_path / "warm").write_bytes(saved(picture(), name.split(",")[0].split()[0].replace("MPO", "JPEG")))
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "bomb"), str(tmp_path / "warm")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return child.stdout.splitlines()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited as Linux does")
@pytest.mark.parametrize("name", CARRIERS)
def test_bombs_in_exif_are_passed_over_within_60_mb(tmp_path, name):
    # In a JPEG, the orientation lies behind the first 64 KB of the bomb, where no camera writes it.
    shape = "(96, 64, 3)" if name in ("PNG", "WEBP") else "(64, 96, 3)"
    assert in_child(tmp_path, name, CARRIERS[name]()) == [shape, shape, "True"]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited as Linux does")
@pytest.mark.parametrize("bomb", ["bytes", "exif"])
def test_bombs_in_a_tiff_are_refused_within_60_mb(tmp_path, bomb):
    assert in_child(tmp_path, "TIFF", BOMBS[bomb](Tiff(compression=5))) == ["too_complex"] * 2 + ["True"]


@pytest.mark.parametrize("turn", range(1, 9))
def test_without_its_exif_an_avif_is_turned_as_before(turn):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = turn, "a photo"
    data = saved(picture(), "AVIF", quality=90, exif=exif)
    bare = metadata.boxes_without_exif(data)
    assert (len(bare), bare == data) == (len(data), False)
    with Image.open(BytesIO(data)) as whole, Image.open(BytesIO(bare)) as without:
        assert np.array_equal(np.asarray(whole), np.asarray(without))
        said = [orientation(image.info.get("exif") or b"") for image in (whole, without)]
    assert said == [turn, turn]


def test_a_jpeg_keeps_its_profile_and_loses_the_rest():
    profile = b"x" * 100_000
    segments = [
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
        segment(0xED, b"Photoshop 3.0\0"),
        segment(0xFE, b"hi"),
    ]
    data = jpeg_with(*segments, *exif_segments(turned(6)), mode="RGB", icc_profile=profile, progressive=True)
    bare = metadata.jpeg_without_metadata(data, header.read_jpeg(data).scan_at)
    with Image.open(BytesIO(bare)) as image:
        assert image.info["icc_profile"] == profile
        assert {name for name, _ in image.applist} == {"APP0", "APP2"}
        with Image.open(BytesIO(data)) as whole:
            assert np.array_equal(np.asarray(image), np.asarray(whole))
    assert header.read_jpeg(bare)[:6] == (
        *header.read_jpeg(data)[:5],
        len(bare) - (len(data) - header.read_jpeg(data).scan_at),
    )


def test_no_segment_hides_from_the_reader_of_jpegs():
    """What one reader takes for a segment with a length, and another for a bare marker, must not reach the other."""
    exif = exif_segments(turned(6))[0]
    for marker in (0xD8, 0xF0, 0xFD, 0xC8, 0x02, 0xBF):
        data = jpeg_with(segment(marker, exif), mode="RGB", progressive=True)
        bare = metadata.jpeg_without_metadata(data, header.read_jpeg(data).scan_at)
        assert b"Exif" in data
        assert b"Exif" not in bare


def random_tiff(random):
    """A TIFF whose tags are of any type, length and place, and whose blocks may name each other."""
    order, big = random.choice(FORMS[:3])
    tiff = Tiff(order, big, filler=random.choice([0, 1000, 400_000]), compression=random.choice([1, 5, 8]))
    places = [tiff.filler, 0, 8]
    for _ in range(random.randrange(4)):
        places.append(tiff.block(random_tags(tiff, places, random), after=random.choice(places)))
    return tiff.data(tiff.page(random_tags(tiff, places, random), after=random.choice(places)))


def random_tags(tiff, places, random):
    known = [34665, 34853, 40965, 330, 270, 274, 282, 283, 296, 320, 34675, 700, 33723, 34377, 40000, 50838]
    tags = []
    for _ in range(random.choice([0, 3, 20, 300])):
        kind = random.randrange(20)
        count = random.choice([0, 1, 2, 5, 1000, tiff.n_filler, tiff.n_filler // 8, 2**20, 2**32 - 1])
        where = random.choice([*places, random.randrange(1 + len(tiff.body))])
        inline = random.random() < 0.3
        tags.append((random.choice(known), kind, count, tiff.inline(LONG, where) if inline else where))
    return tags


FUZZ_CHILD = """
import resource, sys
from pathlib import Path
from random import Random
from tellapart.data import photo
for warm in sorted(Path(sys.argv[1]).glob("warm*")):
    photo.decode(warm.read_bytes())
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 100_000_000, held + 100_000_000))
for path in sorted(Path(sys.argv[1]).glob("case*")):
    try:
        print(path.name, photo.decode(path.read_bytes()).shape)
    except photo.PhotoError as error:
        print(path.name, error.code)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited as Linux does")
def test_random_tags_crash_nothing_and_take_little_memory(tmp_path, fuzz_cases):
    random = Random(12)
    for kind, compression in enumerate((1, 5, 8)):
        (tmp_path / f"warm{kind}").write_bytes(plain(Tiff(compression=compression)))
    for case in range(fuzz_cases(60)):
        (tmp_path / f"case{case:06}").write_bytes(random_tiff(random))
    child = subprocess.run(
        [sys.executable, "-c", FUZZ_CHILD, str(tmp_path)], capture_output=True, text=True, timeout=3600, check=False
    )
    assert child.returncode == 0, child.stderr[-1000:]
    answers = [line.partition(" ")[2] for line in child.stdout.splitlines()]
    assert len(answers) == fuzz_cases(60)
    assert set(answers) <= {
        "(8, 8, 3)",
        "damaged",
        "too_complex",
        "truncated",
        "unsupported",
    }  # nobody ran out of memory
    assert {"(8, 8, 3)", "too_complex"} <= set(answers)


def test_every_format_says_when_and_with_what_it_was_taken():
    said = Image.Exif()
    said[0x0110] = "Pocket 7"
    said.get_ifd(0x8769)[0x9003] = "2024:05:31 10:11:12"
    block = said.tobytes()
    files = {"TIFF": block.removeprefix(b"Exif\0\0")}  # its tags alone; where pixels are is not looked at
    for kind in ("JPEG", "PNG", "WEBP", "AVIF"):
        file = BytesIO()
        Image.new("RGB", (16, 16), "red").save(file, kind, exif=block)
        files[kind] = file.getvalue()
    whole = heic_photos.phone()
    item = heic_photos.Item(b"Exif", struct.pack(">I", 6) + block)
    files["HEIF"] = replace(whole, items={**whole.items, 14: item}).bytes()
    for kind, data in files.items():
        assert header.sniff(data) == kind
        assert metadata.taken(data) == ("2024-05-31", "Pocket 7"), kind
        for cut in range(0, len(data), max(1, len(data) // 200)):  # says it, or nothing, and never fails
            assert metadata.taken(data[:cut])[1] in [""] + ["Pocket 7"[:n] for n in range(9)]


def test_what_says_nothing_of_when_it_was_taken():
    file = BytesIO()
    Image.new("RGB", (16, 16)).save(file, "PNG")
    for data in (file.getvalue(), heic_photos.phone().bytes(), b"", b"no photo", b"GIF89a", b"II*\0\x08\0\0\0"):
        assert metadata.taken(data) == ("", "")
