"""Zips, nearly all of them made to do harm, built byte by byte so that they can lie where they want to."""

import random
import stat
import struct
import sys
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tellapart.data import photo
from tellapart.data.archive import MAX_ENTRIES, Archive, Member, open_archive
from tellapart.data.listing import Listing
from tellapart.data.source import require_trainable, scan
from tellapart.errors import InputError, PhotoError

HINT = "Make a new zip from the folder of photos, or unpack it yourself and name the folder instead."


def jpeg(colour: str = "red") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (16, 12), colour).save(buffer, "JPEG")
    return buffer.getvalue()


@dataclass
class Entry:
    """One zip entry; every field may contradict the bytes."""

    name: str
    data: bytes = jpeg()
    method: int = 8
    flags: int = 0x800
    mode: int = stat.S_IFREG | 0o644
    size: int | None = None
    crc: int | None = None
    packed: bytes | None = None
    local_name: str | None = None
    offset: int | None = None

    def packed_bytes(self) -> bytes:
        if self.packed is not None:
            return self.packed
        if self.method != 8:
            return self.data
        deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        return deflater.compress(self.data) + deflater.flush()

    def numbers(self) -> tuple[int, int, int]:
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        return crc, len(self.packed_bytes()), len(self.data) if self.size is None else self.size


def write_zip(path: Path, *entries: Entry, prefix: bytes = b"") -> Path:
    body, table = bytearray(prefix), bytearray()
    for entry in entries:
        encoding = "utf-8" if entry.flags & 0x800 else "cp437"
        name = entry.name.encode(encoding)
        local = name if entry.local_name is None else entry.local_name.encode(encoding)
        offset = len(body) if entry.offset is None else entry.offset
        common = struct.pack("<HHHHH", 20, entry.flags, entry.method, 0, 33)
        numbers = struct.pack("<III", *entry.numbers())
        body += b"PK\3\4" + common + numbers + struct.pack("<HH", len(local), 0) + local
        body += entry.packed_bytes()
        table += b"PK\1\2" + struct.pack("<H", 3 << 8 | 20) + common + numbers
        table += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, entry.mode << 16, offset) + name
    end = struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(table), len(body), 0)
    path.write_bytes(body + table + b"PK\5\6" + end)
    return path


def honest(tmp_path: Path) -> Path:
    return write_zip(
        tmp_path / "photos.zip",
        *[Entry(f"photos/hat/{i}.jpg", jpeg("red")) for i in range(3)],
        *[Entry(f"photos/shoe/{i}.jpg", jpeg("blue"), method=0) for i in range(3)],
    )


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        open_archive(str(path), name="photos.zip")
    return caught.value.message


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../x.jpg", "points to a place outside the zip"),
        ("hat/../../x.jpg", "points to a place outside the zip"),
        ("/etc/x.jpg", "points to a place outside the zip"),
        ("~/x.jpg", "points to a place outside the zip"),
        ("~root/x.jpg", "points to a place outside the zip"),
        ("C:/x.jpg", "points to a place outside the zip"),
        ("hat\\x.jpg", "has a name with a backslash"),
        ("\\\\host\\x.jpg", "has a name with a backslash"),
        ("hat/x.jpg\0.txt", "has a name with a NUL character"),
        ("hat/more.zip", "is itself an archive"),
        ("d/" * 40 + "x.jpg", "lies 41 folders deep"),
    ],
)
def test_a_hostile_name_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    message = refusal(write_zip(tmp_path / "a.zip", Entry("hat/1.jpg"), Entry(name)))
    shown = name.replace("\0", "\ufffd")
    assert message == f'The zip "photos.zip" is refused: its entry "{shown}" {reason}.'


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (Entry("a.jpg", mode=stat.S_IFLNK | 0o777), "is a link"),
        (Entry("a.jpg", mode=stat.S_IFCHR | 0o644), "is a device, not a file"),
        (Entry("a.jpg", mode=stat.S_IFIFO | 0o644), "is a device, not a file"),
        (Entry("a.jpg", mode=stat.S_IFREG | 0o4755), "would run with another person's rights"),
        (Entry("a.jpg", flags=0x801), "is encrypted"),
        (Entry("a.jpg", method=12), "is compressed in a way other than deflate"),
        (Entry("a.jpg", bytes(2_000_000)), "unpacks to more than 100 times its size"),
        (Entry("a.jpg", random.Random(0).randbytes(5000), size=10), "lies about its size"),
        (Entry("a.jpg", method=0, size=10), "lies about its size"),
        (Entry("a.jpg", local_name="b.jpg"), "has two different names"),
    ],
)
def test_a_hostile_entry_is_refused(tmp_path: Path, entry: Entry, reason: str) -> None:
    message = refusal(write_zip(tmp_path / "a.zip", entry))
    assert message == f'The zip "photos.zip" is refused: its entry "a.jpg" {reason}.'


def test_entries_that_share_bytes_are_refused(tmp_path: Path) -> None:
    twice = write_zip(tmp_path / "a.zip", Entry("hat/1.jpg"), Entry("hat/1.jpg", offset=0))
    assert refusal(twice).endswith('its entry "hat/1.jpg" shares bytes with another entry.')
    inner = b"PK\3\4" + struct.pack("<5H3I2H", 20, 0x800, 0, 0, 33, 0, 1, 1, 9, 0) + b"hat/2.jpgx"
    quoting = Entry("hat/1.jpg", b"abc" + inner, method=0)
    quoted = Entry("hat/2.jpg", b"x", method=0, crc=0, offset=30 + 9 + 3)
    overlap = write_zip(tmp_path / "b.zip", quoting, quoted)
    assert refusal(overlap).endswith('its entry "hat/2.jpg" shares bytes with another entry.')


def test_an_entry_that_runs_into_the_table_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", Entry("hat/1.jpg", method=0))
    content = bytearray(path.read_bytes())
    table = content.index(b"PK\1\2")
    more = len(jpeg()) + 10
    content[table + 20 : table + 28] = struct.pack("<II", more, more)
    path.write_bytes(content)
    assert refusal(path).endswith('its entry "hat/1.jpg" runs into the table of contents.')


def test_a_crowd_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = honest(tmp_path)
    content = bytearray(path.read_bytes())
    content[-12:-10] = struct.pack("<H", 60_000)
    path.write_bytes(content)
    assert refusal(path) == 'The zip "photos.zip" is refused: it has 60,000 entries, and 20,000 is the most.'


def test_a_crowd_that_lies_about_its_number_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", *[Entry("", b"", packed=b"") for _ in range(MAX_ENTRIES + 1)])
    content = bytearray(path.read_bytes())
    content[-12:-10] = struct.pack("<H", 1)
    path.write_bytes(content)
    assert refusal(path).endswith("it has 20,001 entries, and 20,000 is the most.")


def test_a_huge_table_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = honest(tmp_path)
    content = bytearray(path.read_bytes())
    content[-10:-6] = struct.pack("<I", 1 << 31)
    path.write_bytes(content)
    assert refusal(path).endswith("its table of contents is far larger than its photos need.")


def test_two_gigabytes_are_refused(tmp_path: Path) -> None:
    liars = [Entry(f"hat/{i}.jpg", b"x", size=1_000_000) for i in range(2_001)]
    assert refusal(write_zip(tmp_path / "a.zip", *liars)).endswith("it unpacks to 2.0 GB, and 2 GB is the most.")


def test_no_zip_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    for content in (b"", b"<html>", b"PK\3\4" + bytes(100), honest(tmp_path).read_bytes()[:-30]):
        path.write_bytes(content)
        assert refusal(path) == '"photos.zip" is not a zip file, or it is damaged.'
    assert refusal(tmp_path / "gone.zip") == '"photos.zip" cannot be read: No such file or directory.'


def test_the_hint_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_archive(str(write_zip(tmp_path / "a.zip", Entry("../x.jpg"))))
    assert caught.value.hint == HINT


def test_an_honest_zip_gives_its_bytes_back(tmp_path: Path) -> None:
    dataset = scan(honest(tmp_path))
    assert dataset.class_names == ("hat", "shoe")
    assert [dataset.read(i) for i in range(6)] == [jpeg("red")] * 3 + [jpeg("blue")] * 3
    assert dataset.photos[0] == f"{tmp_path.as_posix()}/photos.zip/photos/hat/0.jpg"


def test_a_zip_of_pythons_own_and_a_zip_behind_other_bytes_are_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as own:
        for name in ("hat/", "hat/1.jpg", "shoe/1.jpg"):
            own.writestr(name, b"" if name.endswith("/") else jpeg())
    assert scan(tmp_path / "own.zip").n == 2
    path = tmp_path / "self_extracting.zip"
    path.write_bytes(b"MZ program" * 100 + (tmp_path / "own.zip").read_bytes())
    dataset = scan(path)
    assert [dataset.read(i) for i in range(2)] == [jpeg()] * 2


def test_a_zip64_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as big:
        for name in ("hat/1.jpg", "shoe/1.jpg"):
            with big.open(name, "w", force_zip64=True) as member:
                member.write(jpeg())
    dataset = scan(tmp_path / "a.zip")
    assert [dataset.read(i) for i in range(2)] == [jpeg()] * 2


def write_zip64(path: Path, count: int, *, gap: int = 0, decoy: int | None = None, **lies: int) -> Path:
    """A zip with a zip64 record, `gap` bytes between it and its locator; `lies` change what record or locator say.

    Args:
        decoy: a second record right before the locator, which tells of so many entries.
    """
    entries = [Entry(f"{'hat' if i % 2 else 'shoe'}/{i}.jpg", b"x") for i in range(count)]
    plain = write_zip(path, *entries).read_bytes()
    table_bytes, table_offset = struct.unpack("<II", plain[-10:-2])
    at = lies.get("points_to", len(plain) - 22)

    def record(n: int, more: int = 0) -> bytes:
        own = lies.get("own_bytes", 44 + more)
        return struct.pack(
            "<4sQ2H2I4Q", b"PK\6\6", own, 45, 45, 0, 0, n, n, lies.get("table", table_bytes), table_offset
        )

    rest = bytes(gap) + (record(decoy) if decoy is not None else b"")
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, at, lies.get("disks", 1))
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, 60, 0, 0)  # says: one entry
    path.write_bytes(plain[:-22] + record(count, len(rest)) + rest + locator + end)
    return path


def test_a_zip64_record_is_read_where_every_python_reads_it(tmp_path: Path) -> None:
    path = write_zip64(tmp_path / "a.zip", 6)
    assert scan(path).n == 6
    path.write_bytes(b"MZ program" * 100 + path.read_bytes())  # the locator then points before the record
    assert scan(path).n == 6


def test_a_zip64_record_that_only_some_pythons_find_is_refused(tmp_path: Path) -> None:
    elsewhere = 'The zip "photos.zip" is refused: its zip64 record is not where it belongs.'
    contradicts = 'The zip "photos.zip" is refused: its zip64 record contradicts itself.'
    for gap in (8, 1, 100_000):  # bytes of "extensible data": followed by Pythons from 2025-10 on, by others not
        assert refusal(write_zip64(tmp_path / "a.zip", 4, gap=gap)) == elsewhere
    # One record where the locator points, another beside the locator: old and new Pythons see two different tables.
    assert refusal(write_zip64(tmp_path / "a.zip", 4, decoy=1)) == elsewhere
    assert refusal(write_zip64(tmp_path / "a.zip", 4, points_to=1 << 40)) == elsewhere
    assert refusal(write_zip64(tmp_path / "a.zip", 4, points_to=0)) == contradicts
    assert refusal(write_zip64(tmp_path / "a.zip", 4, own_bytes=60)) == contradicts
    assert refusal(write_zip64(tmp_path / "a.zip", 4, disks=2)) == contradicts
    assert refusal(write_zip64(tmp_path / "a.zip", 4, table=10)) == contradicts


def table_of(data: bytes, *, since_2025: bool) -> tuple[int, int] | None:
    """Start and length of the table of contents as Pythons before or since the fix see them; None: they refuse."""
    end = len(data) - 22  # these zips have no comment
    _, disk, points_to, disks = struct.unpack("<4sIQI", data[end - 20 : end])
    beside = end - 76
    at = beside
    if since_2025 and points_to > beside:
        return None
    if since_2025 and data.startswith(b"PK\6\6", points_to):
        at = points_to
    if not data.startswith(b"PK\6\6", at):
        size = struct.unpack("<I", data[-10:-6])[0]
        return None if since_2025 else (end - size, size)
    _, own_bytes, *_, size, offset = struct.unpack("<4sQ2H2I4Q", data[at : at + 56])
    if since_2025 and (offset + size != points_to or own_bytes != 44 + beside - at):
        return None
    return None if disk or disks > 1 else (at - size, size)


def test_what_is_read_of_a_zip64_is_what_every_python_reads(tmp_path: Path, fuzz_cases: Callable[[int], int]) -> None:
    generator = random.Random(0)
    path = write_zip64(tmp_path / "a.zip", 2)
    original = path.read_bytes()
    n_read = 0
    for case in range(fuzz_cases(500)):
        data = bytearray(original)
        field = generator.choice([slice(-86, -78), slice(-58, -50), slice(-50, -42), slice(-34, -26), slice(-26, -22)])
        number = int.from_bytes(data[field], "little") + generator.choice([-56, -8, -1, 1, 8, 56, 1 << 40])
        if case % 5:
            data[field] = (number % (1 << 8 * len(data[field]))).to_bytes(len(data[field]), "little")
        if generator.random() < 0.3:
            data[-42:-42] = bytes(generator.choice([0, 8])) + data[-98 : -42 - 56 * (generator.random() < 0.5) or None]
        if generator.random() < 0.3:
            data[:0] = bytes(generator.choice([1, 56, 100]))
        path.write_bytes(data)
        try:
            read = list(open_archive(str(path)).members)
        except InputError:
            continue
        n_read += 1
        before, since = (table_of(bytes(data), since_2025=since) for since in (False, True))
        assert before == since
        assert before is not None
        with zipfile.ZipFile(path) as as_here:
            assert as_here.namelist() == read
    assert n_read > 20


@pytest.mark.slow
def test_three_hundred_thousand_entries_cost_nothing_whatever_the_zip_says(tmp_path: Path) -> None:
    row = b"PK\1\2" + struct.pack("<6H3I5H2I", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    for entries, zip64 in ((MAX_ENTRIES * 10, False), (MAX_ENTRIES * 10, True), (300_000, True)):  # of bytes: a limit
        table = row * entries
        tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(table), 0, 0)
        if zip64:
            record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(table), 0)
            tail = record + struct.pack("<4sIQI", b"PK\6\7", 0, len(table), 1) + tail
        (tmp_path / "a.zip").write_bytes(table + tail)
        tracemalloc.start()
        said = refusal(tmp_path / "a.zip")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert "200,000 entries" in said or "far larger than its photos need" in said
        assert peak < 2 * len(table) + 1_000_000  # the table as it lies there, and no object for an entry


def test_layouts_inside_a_zip(tmp_path: Path) -> None:
    names = ["train/hat/1.jpg", "train/shoe/1.jpg", "Test/hat/deep/2.jpg", "classes.txt"]
    strays = ["__MACOSX/set/train/._x.jpg", "set/.DS_Store", "set/train/hat/Thumbs.db"]
    for prefix in ("", "set/", "./set/"):
        path = write_zip(tmp_path / "a.zip", *[Entry(n) for n in [*(prefix + n for n in names), *strays]])
        dataset = scan(path)
        assert dataset.class_names == ("hat", "shoe")
        assert dataset.splits.tolist() == ["test", "train", "train"]
        assert [skipped.reason for skipped in dataset.skipped] == ["not a photo file (.txt)"]


def test_a_folder_with_its_group_bit_is_no_harm(tmp_path: Path) -> None:
    folder = Entry("hat/", b"", mode=stat.S_IFDIR | 0o2775, packed=b"", method=0)
    assert scan(write_zip(tmp_path / "a.zip", folder, Entry("hat/1.jpg"))).n == 1


def test_an_empty_class_folder_in_a_zip_is_a_class(tmp_path: Path) -> None:
    folder = Entry("shoe/", b"", mode=stat.S_IFDIR | 0o755, packed=b"", method=0)
    assert scan(write_zip(tmp_path / "a.zip", folder, Entry("hat/1.jpg"))).class_names == ("hat", "shoe")


def test_names_from_a_mac_are_utf8_even_when_they_do_not_say_so(tmp_path: Path) -> None:
    mojibake = "café/1.jpg".encode().decode("cp437")
    path = write_zip(tmp_path / "a.zip", Entry(mojibake, flags=0), Entry("caf\u00e9/2.jpg"), Entry("cafe\u0301/3.jpg"))
    assert scan(path).class_names == ("caf\u00e9",)


def test_names_that_differ_only_in_case_stay_apart(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", Entry("Hat/1.jpg", jpeg("red")), Entry("hat/1.jpg", jpeg("blue")))
    dataset = scan(path)
    assert dataset.class_names == ("Hat", "hat")
    assert [dataset.read(i) for i in range(2)] == [jpeg("red"), jpeg("blue")]


def test_the_first_of_two_entries_of_one_name_is_used(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", Entry("hat/1.jpg", jpeg("red")), Entry("hat/1.jpg", jpeg("blue")))
    dataset = scan(path)
    assert dataset.read(0) == jpeg("red")
    assert [skipped.reason for skipped in dataset.skipped] == ["an earlier entry of the zip has the same name"]


@pytest.mark.parametrize(
    "entry",
    [
        Entry("hat/1.jpg", crc=1),
        Entry("hat/1.jpg", size=len(jpeg()) - 1),
        Entry("hat/1.jpg", size=len(jpeg()) + 1),
        Entry("hat/1.jpg", packed=b"\xff" * 100),
        Entry("hat/1.jpg", bytes(100_000), size=10, crc=zlib.crc32(bytes(10))),
    ],
)
def test_a_photo_that_is_not_as_promised_is_one_photo_error(tmp_path: Path, entry: Entry) -> None:
    dataset = scan(write_zip(tmp_path / "a.zip", entry, Entry("hat/2.jpg")))
    with pytest.raises(PhotoError, match=r"^The zip is damaged at this photo\.$") as caught:
        dataset.read(0)
    assert caught.value.code == "damaged"
    assert dataset.read(1) == jpeg()


def test_a_lie_about_the_size_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(Entry("a.jpg", bytes(50_000_000)).packed_bytes())
    member = Member(0, path.stat().st_size, 10, 0, True)
    archive = Archive(str(path), Listing([], set()), {"a.jpg": member})
    tracemalloc.start()
    with pytest.raises(PhotoError):
        archive.read("a.jpg")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_photo_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    member = Member(0, 3_000_000, photo.MAX_FILE_BYTES + 1, 0, True)
    archive = Archive(str(tmp_path / "gone.zip"), Listing([], set()), {"a.jpg": member})
    with pytest.raises(PhotoError, match=r"^The file is larger than 200 MB\.$"):
        archive.read("a.jpg")


def test_a_zip_that_is_gone_and_a_git_lfs_pointer(tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
    path = write_zip(tmp_path / "a.zip", Entry("hat/1.jpg", pointer))
    dataset = scan(path)
    with pytest.raises(PhotoError) as caught:
        dataset.read(0)
    assert caught.value.code == "placeholder"
    path.unlink()
    with pytest.raises(PhotoError) as caught:
        dataset.read(0)
    assert caught.value.code == "unreadable"


def test_many_threads_read_the_same_bytes(tmp_path: Path) -> None:
    dataset = scan(honest(tmp_path))
    with ThreadPoolExecutor(8) as pool:
        photos = list(pool.map(dataset.read, list(range(6)) * 50))
    assert photos == [dataset.read(i) for i in range(6)] * 50


def test_no_mutant_of_a_zip_raises_anything_but_our_errors(tmp_path: Path) -> None:
    original = honest(tmp_path).read_bytes()
    generator = random.Random(0)
    path = tmp_path / "mutant.zip"
    for _ in range(1_000):
        mutant = bytearray(original)
        for _ in range(generator.randint(1, 3)):
            near_the_end = max(0, len(mutant) - generator.choice((22, 400, len(mutant))))
            mutant[generator.randrange(near_the_end, len(mutant))] = generator.choice((0, 1, 0x7F, 0x80, 0xFF))
        path.write_bytes(mutant[: generator.choice((len(mutant), len(mutant), generator.randrange(len(mutant))))])
        try:
            dataset = scan(path)
        except InputError:
            continue
        for index in range(dataset.n):
            try:
                assert dataset.read(index) in {jpeg("red"), jpeg("blue")}
            except PhotoError:
                continue


_watching: list[str] | None = None


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if _watching is None:
        return
    writes = event == "open" and isinstance(args[1], str) and any(mark in args[1] for mark in "wax+")
    if writes or event in {"os.mkdir", "os.rename", "os.link", "os.symlink", "shutil.unpack_archive"}:
        _watching.append(f"{event} {args}")


def test_hostile_zips(shared_data: Path) -> None:
    """Each does what INDEX.tsv says, quickly, and nothing is written anywhere."""
    global _watching  # noqa: PLW0603 - an audit hook cannot be taken away again
    rows = [line.split("\t") for line in (shared_data / "hostile/INDEX.tsv").read_text("utf-8").splitlines()]
    zips = {row[0]: row[1] for row in rows if row[0].startswith("zips/")}
    assert len(zips) >= 19
    sys.addaudithook(_watch)
    _watching = []
    try:
        wrong = [name for name, kind in zips.items() if not _behaves(shared_data / "hostile" / name, kind)]
    finally:
        written, _watching = _watching, None
    assert wrong == []
    assert written == []


def _behaves(path: Path, kind: str) -> bool:
    start = time.perf_counter()
    try:
        dataset = scan(path)
        for index in range(dataset.n):
            photo.decode(dataset.read(index))
        require_trainable(dataset)
    except InputError as error:
        quick = time.perf_counter() - start < 0.5
        return kind != "valid-must-decode" and quick and str(path.name) in error.message
    return kind in {"valid-must-decode", "either"}
