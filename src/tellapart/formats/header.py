"""What a photo's first bytes promise, checked before any decoder may spend memory or time on it.

Only bytes are looked at here, never pixels. Our limits on a photo's content stand at the top of this file, those
on a TIFF's tags in `metadata`. The extension of a file's name plays no part.
"""

import re
import struct
import zlib
from typing import Final, NamedTuple, NoReturn

from tellapart.errors import PhotoError
from tellapart.formats.exif import orientation
from tellapart.formats.kinds import name_of

MAX_PIXELS: Final = 50_000_000  # above any phone's ordinary photo; 350 MB at the peak of decoding
MAX_DECODED_PIXELS: Final = 110_000_000  # of a baseline JPEG, which is decoded row by row: only the result is held
MAX_BASELINE_PIXELS: Final = 210_000_000  # of one that is decoded at a half, a quarter or an eighth; phones make 200
MAX_WEBP_PIXELS: Final = 30_000_000  # the decoder holds four RGBA canvases: 480 MB
MAX_SCANS: Final = 100  # encoders write about 10; each scan walks the whole photo once
MAX_SCAN_MEGAPIXELS: Final = 1_000  # scans x megapixels; about 1.2 ms each
MAX_ICC_BYTES: Final = 4_200_000  # large printer profiles are 2 to 3 MB
MAX_TEXT_CHUNKS: Final = 50  # each may inflate to 1 MB
MAX_CHUNKS: Final = 100_000  # 800 MB of pixels in the usual 8 KB chunks
MAX_SEGMENTS: Final = 10_000  # of a JPEG or a GIF before its pixels; cameras write 5 to 300

READABLE: Final = "Save it as JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF."

_BRANDS: Final = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "HEIF"),
}
_SIGNATURES: Final = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_HUFFMAN_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {
    0xC4,
    0xC8,
    0xCC,
}  # the other three are tables and an extension
_LOSSLESS: Final = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF})
_BARE_MARKERS: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # carry no length
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")


class JpegHeader(NamedTuple):
    """What a JPEG says of itself before its first scan."""

    width_px: int
    height_px: int
    components: int  # 1 grey, 3 colour, 4 ink
    plain: bool  # grey or colour, 8 bits, Huffman-coded: what every JPEG library reads alike
    whole: bool  # needs all of the photo's coefficients in memory: progressive, or a scan per component
    scan_at: int  # offset of the first scan's marker
    orientation: int  # EXIF, 1 to 8
    exif: bytes  # empty without
    icc: bytes  # empty without a profile
    adobe: bool  # whether Adobe's marker is there, with which inks are stored as the paper that they leave

    def scale(self, min_side_px: int | None) -> int:
        """The denominator by which the photo may shrink: 8, 4, 2 or 1, as in Pillow; others are slow."""
        if min_side_px is None:
            return 1
        room = min(self.width_px, self.height_px) // max(min_side_px, 1)
        return next((scale for scale in (8, 4, 2) if room >= scale), 1)


class GifFrame(NamedTuple):
    """Where a GIF's first frame begins in the file, and its edges on the GIF's screen, in pixels."""

    at: int
    left: int
    top: int
    right: int
    bottom: int


def sniff(data: bytes) -> str:
    """The format that the file's content shows: JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF or HEIF.

    Raises:
        PhotoError: `empty`, `placeholder`, `unsupported` or `not_a_photo`.
    """
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _sniff_boxes(data)
    return _refuse_other(data)


def refuse_placeholder(data: bytes) -> None:
    """Refuses what stands in a photo's place without being one: nothing at all, zeros, a Git-LFS pointer."""
    if not data:
        raise PhotoError(
            "The file is empty.",
            code="empty",
            hint="If it lives in a cloud drive, let the drive finish downloading it; else copy it again.",
        )
    if data.startswith(b"version https://git-lfs.github.com/spec/"):
        raise PhotoError(
            "The file is a Git-LFS pointer, not the photo itself.",
            code="placeholder",
            hint="Run `git lfs pull` in that folder.",
        )
    if data[0] == 0 and data.count(0) == len(data):
        raise PhotoError(
            "The file holds nothing but zeros, as an interrupted copy or download leaves it.",
            code="empty",
            hint="Copy the photo again.",
        )


def refuse_size(width_px: int, height_px: int, limit: int = MAX_PIXELS) -> None:
    """Refuses a photo without pixels, or with more of them than `limit`."""
    if width_px <= 0 or height_px <= 0:
        raise damaged()
    if width_px * height_px > limit:
        raise PhotoError(
            f"The photo is {width_px}×{height_px}, {above(width_px * height_px, limit)} megapixels; "
            f"at most {limit / 1e6:g} can be read in this format.",
            code="too_large",
            hint="Save a smaller copy of it.",
        )


def above(amount: int, limit: int) -> str:
    """`amount` in millions, with as many decimals as it takes to be seen above `limit`."""
    return next(text for n in range(7) if float(text := f"{amount / 1e6:.{n}f}") > limit / 1e6)


def refuse_profile(icc: bytes) -> None:
    """Refuses a colour profile too large to be one."""
    if len(icc) > MAX_ICC_BYTES:
        size, limit = above(len(icc), MAX_ICC_BYTES), MAX_ICC_BYTES / 1e6
        raise too_complex(f"Its colour profile is {size} MB; at most {limit:g} MB can be read.")


def damaged() -> PhotoError:
    """The error for content that breaks its own format's rules."""
    return PhotoError(
        "The photo is damaged and cannot be read.",
        code="damaged",
        hint="Open it in a photo viewer and save it again, or leave it out.",
    )


def truncated() -> PhotoError:
    """The error for a photo whose end is missing."""
    return PhotoError(
        "The photo is cut off: part of it is missing.",
        code="truncated",
        hint="Copy or download it again.",
    )


def read_jpeg(data: bytes) -> JpegHeader:
    """The header of a JPEG within our limits.

    Raises:
        PhotoError: `damaged`, `truncated`, `too_large` or `too_complex`.
    """
    frame, exif, profile, adobe, at = None, b"", [], False, 2
    for _ in range(MAX_SEGMENTS):
        at = data.find(b"\xff", at) + 1
        if at == 0 or at + 3 > len(data):
            raise truncated()
        marker = data[at]
        if marker == 0xFF:  # a fill byte: the marker comes later
            continue
        if marker == 0xD9:
            raise truncated()
        if marker in _BARE_MARKERS or marker == 0:
            continue
        body, end = at + 3, at + 1 + int.from_bytes(data[at + 1 : at + 3])
        if marker == 0xDA:
            break
        if marker in _FRAMES and frame is None:
            frame = marker, data[body:end]
        elif marker == 0xE1 and not exif and data.startswith(b"Exif\0", body):
            exif = data[body:end]
        elif marker == 0xE2 and data.startswith(b"ICC_PROFILE\0", body):
            profile.append(data[body + 12 : end])  # begins with its place in the row of pieces
        elif marker == 0xEE and data.startswith(b"Adobe", body):
            adobe = True
        at = max(end, body)
    else:
        raise too_complex("It has more parts before its pixels than a photo does.")
    if frame is None or len(frame[1]) < 6 or body >= len(data):
        raise damaged()
    icc = b"".join(piece[2:] for piece in sorted(profile))
    header = _jpeg_header(*frame, scan_at=at - 1, scan_components=data[body], exif=exif, icc=icc, adobe=adobe)
    _check_jpeg(header, data)
    return header


def _jpeg_header(
    marker: int, frame: bytes, *, scan_at: int, scan_components: int, exif: bytes, icc: bytes, adobe: bool
) -> JpegHeader:
    components = frame[5]
    _refuse_rare_jpeg(marker, frame[0], components)
    return JpegHeader(
        width_px=int.from_bytes(frame[3:5]),
        height_px=int.from_bytes(frame[1:3]),
        components=components,
        plain=frame[0] == 8 and components in (1, 3) and marker in _HUFFMAN_FRAMES,
        whole=marker in (0xC2, 0xC6, 0xCA, 0xCE) or scan_components < components,
        scan_at=scan_at,
        orientation=orientation(exif) if exif else 1,
        exif=exif,
        icc=icc,
        adobe=adobe,
    )


def _refuse_rare_jpeg(marker: int, bits: int, components: int) -> None:
    """Names what is healthy and read by few programs, such as X-rays of 12 bits."""
    if bits in (12, 16):
        raise unsupported(f"a JPEG of {bits} bits a colour")
    if marker in _LOSSLESS:
        raise unsupported("a lossless or hierarchical JPEG")
    if components == 2:
        raise unsupported("a JPEG of two colours")


def _check_jpeg(header: JpegHeader, data: bytes) -> None:
    by_row = header.plain and not header.whole
    refuse_size(header.width_px, header.height_px, MAX_BASELINE_PIXELS if by_row else MAX_PIXELS)
    if header.icc:
        refuse_profile(header.icc)
    if by_row:
        return
    megapixels = header.width_px * header.height_px / 1e6
    allowed = min(MAX_SCANS, MAX_SCAN_MEGAPIXELS / megapixels)
    # Counting two bytes is far faster than walking but includes what follows the photo, such as a video.
    if data.count(b"\xff\xda", header.scan_at) > allowed and _count_scans(data, header.scan_at, allowed) > allowed:
        raise too_complex(f"It is stored in more than {allowed:.0f} passes, which takes too long to read.")
    if header.whole:
        _refuse_missing_scans(header, data)


def _refuse_missing_scans(header: JpegHeader, data: bytes) -> None:
    """Refuses a JPEG of several scans that was closed before all of them had come.

    Every scan brings some bits of some coefficients; at the end all have to be there.

    Source: ITU-T T.81, 1992, B.2.3 and G.1.1.1.
    """
    lacking: dict[int, list[int]] = {}  # of each component, the bits of each coefficient that have not come
    at = header.scan_at
    while (match := _NEXT_MARKER.search(data, at)) and data[match.end() - 1] != 0xD9:
        at = match.end()
        end = at + int.from_bytes(data[at : at + 2])
        if data[at - 1] == 0xDA and (scan := data[at + 2 : end]) and len(scan) == 4 + 2 * scan[0]:
            first, last, bits = scan[-3], scan[-2], scan[-1] & 15
            for component in scan[1:-3:2]:
                known = lacking.setdefault(component, [16] * 64)
                known[first : last + 1] = [bits] * len(known[first : last + 1])
        at = max(end, at)
    if len(lacking) < header.components or any(map(any, lacking.values())):
        raise truncated()


def _count_scans(data: bytes, at: int, enough: float) -> int:
    """Scans up to the end of the photo; 10,000 segments among them are too many scans as well."""
    scans = 0
    for _ in range(MAX_SEGMENTS):
        match = _NEXT_MARKER.search(data, at)
        if match is None or data[match.end() - 1] == 0xD9 or scans > enough:
            return scans
        at = match.end()
        scans += data[at - 1] == 0xDA
        at += int.from_bytes(data[at : at + 2])
    return MAX_SEGMENTS


def check_png(data: bytes) -> None:
    """Walks a PNG's chunks up to its end and refuses one outside our limits or with broken pixel data.

    Raises:
        PhotoError: `too_large`, `too_complex`, `damaged` or `truncated`.
    """
    refuse_size(int.from_bytes(data[16:20]), int.from_bytes(data[20:24]))
    view, at, chunks, texts = memoryview(data), 8, 0, 0
    while (kind := data[at + 4 : at + 8]) != b"IEND":
        end = at + 12 + int.from_bytes(data[at : at + 4])
        if len(kind) < 4 or (end > len(data) and kind == b"IDAT"):
            raise truncated()
        # Pillow passes over this checksum, and would make garbage of wrong bytes without a word.
        if kind == b"IDAT" and zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            raise damaged()
        chunks += 1
        texts += kind in (b"tEXt", b"zTXt", b"iTXt")
        if texts > MAX_TEXT_CHUNKS or chunks > MAX_CHUNKS:
            raise too_complex("It carries more text than a photo does.")
        at = end


def check_webp(data: bytes) -> None:
    """Refuses a WebP outside our limits: opening one takes memory for the whole photo.

    Raises:
        PhotoError: `too_large` or `damaged`.
    """
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    else:
        raise damaged()
    refuse_size(width, height, MAX_WEBP_PIXELS)


def check_gif(data: bytes) -> GifFrame:
    """Walks a GIF's blocks up to its first frame.

    Raises:
        PhotoError: `too_large`, `too_complex` or `truncated`.
    """
    at, inside = 13 + (6 << (data[10] & 7) if len(data) > 12 and data[10] & 0x80 else 0), False
    for _ in range(MAX_SEGMENTS):
        if at + 9 > len(data):
            raise truncated()
        byte = data[at]
        if inside:  # an extension, which ends with an empty block
            at, inside = at + 1 + byte, byte != 0
        elif byte == 0x2C:
            left, top, width, height = struct.unpack_from("<4H", data, at + 1)
            refuse_size(left + width, top + height)
            return GifFrame(at, left, top, left + width, top + height)
        else:
            at, inside = at + (2 if byte == 0x21 else 1), byte == 0x21
    raise too_complex("It has more parts before its first frame than a photo does.")


def _sniff_boxes(data: bytes) -> str:
    """AVIF or HEIF, by the first brand we know: the major one, then those it is compatible with."""
    end = min(int.from_bytes(data[:4]), 512)
    for at in (8, *range(16, end, 4)):
        if kind := _BRANDS.get(data[at : at + 4]):
            return kind
    if data[8:12] in (b"mif1", b"msf1"):
        return "HEIF"
    raise unsupported("a camera's raw file" if data[8:12] == b"crx " else "a video")


def _refuse_other(data: bytes) -> NoReturn:
    refuse_placeholder(data)
    if kind := name_of(data):
        raise unsupported(kind)
    raise PhotoError("The file is not a photo in any format that can be read.", code="not_a_photo", hint=READABLE)


def unsupported(kind: str) -> PhotoError:
    """The error for a file that is of a kind, named with its article, which is not read."""
    return PhotoError(f"The file is {kind}, which cannot be read.", code="unsupported", hint=READABLE)


def too_complex(sentence: str) -> PhotoError:
    """The error for a photo that would take too long to read, or too much memory."""
    return PhotoError(sentence, code="too_complex", hint="Open it in a photo viewer and save it again.")
