"""What lies in a tar, by its headers: held against `tarfile`, and against tars that lie."""

import io
import tarfile

import pytest

from tellapart.data.remote.tar_index import members_of
from tellapart.errors import InputError


def packed(files, *, links=(), form=tarfile.PAX_FORMAT):
    """The bytes of a tar of {name: content}, and of links (name, target)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return buffer.getvalue()


def members(content):
    return members_of(lambda start, end: content[start:end], "set.tar")


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_each_photo_is_where_tarfile_finds_it_with_what_stands_beside_it(form):
    long = f"{'a' * 90}/{'ü' * 40 if form != tarfile.USTAR_FORMAT else 'b' * 80}.jpg"
    files = {
        "a/000.jpg": b"first", "a/000.cls": b"7\n", "a/000.txt": b"a caption", "a/001.png": b"x" * 3_000_000,
        "a/001.json": b'{"Label": "hat", "split": "val", "group": 3, "more": [1]}', "b/000.left.jpg": b"l",
        "b/000.right.jpg": b"r", "b/000.cls": b"shoe", long: b"long", "lone.json": b"{}", "x.mp4": b"film",
        "none.jpg": b"", "odd.json": b"[" * 5000, "odd.jpg": b"odd", "._000.jpg": b"stray",
    }  # fmt: skip
    content = packed(files, links=[("link.jpg", "/etc/passwd")], form=form)
    found = {member.name: member for member in members(content)}
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        at = {info.name: info.offset_data for info in tar}
    used = {name: member for name, member in found.items() if not member.reason}
    assert {name: content[m.offset : m.offset + m.size] for name, m in used.items()} == {
        name: files[name] for name in used
    }
    assert all(member.offset == at[name] for name, member in used.items())
    assert set(used) == {"a/000.jpg", "a/001.png", "b/000.left.jpg", "b/000.right.jpg", long, "odd.jpg"}
    assert [(used[n].label, used[n].split, used[n].group) for n in ("a/000.jpg", "a/001.png", "b/000.right.jpg")] == [
        ("7", "", ""), ("hat", "val", "3"), ("shoe", "", ""),
    ]  # fmt: skip
    assert {name: member.reason for name, member in found.items() if member.reason} == {
        "link.jpg": "not a regular file", "lone.json": "stands beside no photo", "none.jpg": "empty file",
        "x.mp4": "not a photo file (.mp4)",
    }  # fmt: skip


def test_a_tar_that_is_cut_off_packed_or_lies_is_refused():
    content = packed({f"{i}.jpg": bytes(700) for i in range(4)})
    end = content.rindex(b"ustar") + 3000  # behind the last photo, before the end of the tar
    for cut in (0, 100, 512, 1000, 1600, 2000, 5000, end - 2500):
        with pytest.raises(InputError, match="packed, damaged or cut off"):
            members(content[:cut])
    with pytest.raises(InputError, match="packed, damaged or cut off"):
        members(b"\x1f\x8b" + content)
    header = bytearray(content[:512])
    header[124:136] = b"77777777777\0"  # 8 GB, of which nothing follows
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    with pytest.raises(InputError, match="packed, damaged or cut off"):
        members(bytes(header) + content[512:])
    header[156:157] = b"x"  # the same as an extended header, which would be read as a whole
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    asked = []

    def ask(start, end):
        asked.append(end - start)
        return bytes(header) + content[512:]

    with pytest.raises(InputError, match="packed, damaged or cut off"):
        members_of(ask, "set.tar")
    assert max(asked) <= 1 << 20
