"""The rows of a shard: what one photo comes to, and the columns in which it is written.

They hold all that is asked of photos later: features, the hash of pixels and the small grey picture find copies;
format, size, light, sharpness, border, camera and day tell shortcuts and kin. The etag is the hash of the content.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tellapart.checks.image_stats import DECODED_PX, measure
from tellapart.data.grey_picture import SIDE_PX
from tellapart.data.photo import StoredAs, decode_twice, stored_as
from tellapart.data.preprocess import as_pillow
from tellapart.errors import InputError, PhotoError
from tellapart.features.cache import PIXEL_HASH_BYTES, Embedding
from tellapart.features.extract import Extractor, Shrunk
from tellapart.shards import parquet

ETAG_DIGITS: Final = 32  # of SHA-256; no two contents share as many by chance
NUMBERS: Final = ("brightness", "darkest", "brightest", "contrast", "saturation", "sharpness")  # first of a look
REPEATING: Final = ["format", "camera", "day", "code", "skipped"]


@dataclass(frozen=True)
class Row:
    """One photo; nothing is known of one that was skipped but its size and etag, and those only if it could be read.

    Args:
        uri: of the photo.
        etag: names its content.
        bytes: its size.
        embedding: what the network makes of it, or None.
        stored: how its file holds it, or None.
        numbers: (6 + B,) its look, or None.
        code: of the error for which it is skipped, or None.
        skipped: why, in words, or None.
    """

    uri: str
    etag: str | None = None
    bytes: int | None = None
    embedding: Embedding | None = None
    stored: StoredAs | None = None
    numbers: NDArray[np.float32] | None = None
    code: str | None = None
    skipped: str | None = None


def rows_together(uris: Sequence[str], read: Callable[[str], bytes], extractor: Extractor) -> list[Row]:
    """What each of a few photos comes to; one that cannot be read is skipped with its reason.

    The network runs last, on one after the other: it drives all else out of the processor's caches, so that measuring
    would take a third longer right after it.
    """
    begun = [_begun(uri, read, extractor) for uri in uris]
    return [row if shrunk is None else replace(row, embedding=extractor.run(*shrunk)) for row, shrunk in begun]


def _begun(uri: str, read: Callable[[str], bytes], extractor: Extractor) -> tuple[Row, Shrunk | None]:
    """All of a row but what the network makes of the photo, and what it needs for that where the photo can be read."""
    etag, size = None, None
    try:
        data = read(uri)
        etag, size = etag_of(data), len(data)
        image, of_look = decode_twice(data, extractor.preprocessing.min_side_px, DECODED_PX)
    except PhotoError as error:
        return Row(uri, etag, size, code=error.code, skipped=error.message), None
    picture = as_pillow(image)
    numbers = measure(picture if of_look is image else of_look)
    return Row(uri, etag, size, stored=stored_as(data, image), numbers=numbers), extractor.shrink(picture)


def etag_of(data: bytes) -> str:
    """Names the content of a file."""
    return hashlib.sha256(data).hexdigest()[:ETAG_DIGITS]


def table_of(rows: Sequence[Row], n_features: int, precision: str) -> parquet.Table:
    """The rows as a table of pyarrow; where a photo was skipped, what is not known of it is null.

    Raises:
        InputError: a feature is larger than this precision can say.
    """
    pa = parquet.arrow()
    seen, stored = [row.embedding for row in rows], [row.stored for row in rows]
    looks = [row.numbers for row in rows]

    def text(values: Sequence[str | None]) -> Any:
        return pa.array(values, pa.string())

    columns = {
        "uri": text([row.uri for row in rows]),
        "etag": text([row.etag for row in rows]),
        "bytes": pa.array([row.bytes for row in rows], pa.int64()),
        "format": text([s and s.kind for s in stored]),
        "width": pa.array([s and s.width_px for s in stored], pa.int32()),
        "height": pa.array([s and s.height_px for s in stored], pa.int32()),
        "camera": text([s and s.camera for s in stored]),
        "day": text([s and s.day for s in stored]),
        "pixel_hash": pa.array([e and e.pixel_hash for e in seen], pa.binary(PIXEL_HASH_BYTES)),
        "grey": pa.array([None if e is None else _grey(e) for e in seen], pa.binary(SIDE_PX * SIDE_PX)),
    }
    for place, name in enumerate(NUMBERS):
        column = np.array([0 if x is None else x[place] for x in looks], np.float32)
        columns[name] = pa.array(column, pa.float32(), mask=np.array([x is None for x in looks], bool))
    columns["border"] = _vectors([None if x is None else x[len(NUMBERS) :] for x in looks], _n_border(), "float32")
    columns["features"] = _vectors([None if e is None else e.features for e in seen], n_features, precision)
    columns["code"] = text([row.code for row in rows])
    columns["skipped"] = text([row.skipped for row in rows])
    return pa.table(columns)


def vectors_in(column: Any) -> NDArray[np.float32]:
    """(n, D) float32 of the values of a column of vectors that are not null."""
    whole = column.drop_null().combine_chunks()
    numbers = np.asarray(whole.flatten().to_numpy(zero_copy_only=False), np.float32)
    return numbers.reshape(len(whole), column.type.list_size)


def processor(extractor: Extractor) -> str:
    """Names the kind of processor by what it computes: processors of one name give the same bytes.

    It is a hash of a drawn picture's features and look, since sums are rounded otherwise by other instructions.
    """
    y, x = np.mgrid[:97, :131]
    image = np.stack([x * 2, y * 2, (x * y) % 256], axis=-1).astype(np.uint8)
    numbers = extractor.embed_image(image).features.tobytes() + measure(image).tobytes()
    return hashlib.sha256(numbers).hexdigest()[:12]


def _grey(embedding: Embedding) -> bytes:
    return b"" if embedding.picture is None else embedding.picture.tobytes()


def _n_border() -> int:
    return len(measure(np.zeros((1, 1, 3), np.uint8))) - len(NUMBERS)


def _vectors(values: Sequence[NDArray[np.float32] | None], width: int, precision: str) -> Any:
    pa = parquet.arrow()
    absent = np.array([value is None for value in values], bool)
    rows = [np.zeros(width, np.float32) if value is None else value for value in values]
    with np.errstate(over="ignore"):
        numbers = np.stack(rows).astype(precision) if rows else np.zeros((0, width), precision)
    if not np.isfinite(numbers).all():
        raise InputError(
            f"The features of this network are too large for {precision}.", hint="Use --precision float32."
        )
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), width, mask=pa.array(absent))
