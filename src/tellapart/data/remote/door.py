"""The one way to storage elsewhere: bytes are read, listed and written here, with patience and in words of ours.

The libraries below (fsspec with s3fs, gcsfs, adlfs and huggingface_hub; aiohttp) find credentials by their own ways and
connect. How often and how long is decided here, a file at a time: what s3fs would do again by itself is switched off,
and what the others do counts in the same seconds. Nothing of what they say is passed on, since some of it repeats
signed addresses.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

from tellapart.data.photo import MAX_FILE_BYTES
from tellapart.data.remote import web
from tellapart.data.remote.address import STORES, WAYS, scheme_of, without_secrets
from tellapart.data.remote.fault import NO_BUCKET, Fault, fault_of
from tellapart.errors import InputError, PhotoError
from tellapart.extras import require
from tellapart.formats import header
from tellapart.text import quoted

ATTEMPTS: Final = 5
PATIENCE_S = 90.0  # with one file, over all attempts; 200 MB at 20 Mbit/s
FIRST_PAUSE_S = 0.25  # before the second attempt; twice as long before each one after it
LOGGERS: Final = (
    "adlfs", "aiobotocore", "aiohttp", "asyncio", "azure", "botocore", "fsspec", "gcsfs", "google", "httpx",
    "huggingface_hub", "s3fs", "urllib3",
)  # fmt: skip  # what they log is traces and addresses; we say what is wrong
READERS: Final = 16  # threads that wait for storage while others compute

_Value = TypeVar("_Value")
_opening = Lock()


class Entry(NamedTuple):
    """Something in a folder elsewhere.

    Attributes:
        name: within the folder that was asked for, with `/` between folders.
        size: in bytes; -1 where the storage does not say.
        etag: what the storage calls its content; "" where it does not say.
    """

    name: str
    size: int
    etag: str


def read_photo(address: str, *, allow_private: bool = False) -> bytes:
    """The bytes of a photo; whether they are a photo is for `decode` to say. May be called from many threads.

    Raises:
        PhotoError: `missing`, `forbidden`, `unreachable`, `refused`, `unreadable`, `empty`, `placeholder` or
            `too_large`.
    """
    try:
        data = _fetched(address, 0, MAX_FILE_BYTES + 1, allow_private=allow_private)
    except _FaultError as error:
        raise error.fault.as_photo_error() from None  # its context may name a signed address
    if len(data) > MAX_FILE_BYTES:
        raise PhotoError(
            f"The file is larger than {MAX_FILE_BYTES // 1_000_000} MB.",
            code="too_large",
            hint="Save a smaller copy.",
        )
    header.refuse_placeholder(data)
    return data


def read_range(address: str, start: int, end: int) -> bytes:
    """The bytes of a file of a store from `start` to before `end`; fewer where it ends before.

    Raises:
        PhotoError: as for a photo.
    """
    try:
        return _fetched(address, start, end, allow_private=False)
    except _FaultError as error:
        raise error.fault.as_photo_error() from None


def read_end(address: str, n_bytes: int) -> bytes:
    """The last bytes of a file of a store, all of a smaller one; nothing where there is no file.

    Raises:
        InputError: it cannot be read.
    """
    scheme = scheme_of(address)

    def asked(left_s: float) -> bytes:
        fs = driver(scheme)
        size = int(fs.info(address)["size"] or 0)
        return bytes(fs.cat_file(address, start=max(0, size - n_bytes), end=size)) if size else b""

    try:
        return _patient(scheme, asked)
    except _FaultError as error:
        if error.fault.code == "missing" and error.fault.sentence != NO_BUCKET:
            return b""
        _refuse(address, "cannot be read", error.fault)


def read_file(address: str, most: int, *, allow_private: bool = False) -> bytes:
    """The bytes of a file that is no photo.

    Raises:
        InputError: it cannot be read, or is larger than `most`.
    """
    try:
        data = _fetched(address, 0, most + 1, allow_private=allow_private)
    except _FaultError as error:
        _refuse(address, "cannot be read", error.fault)
    if len(data) > most:
        raise InputError(
            f"{quoted(without_secrets(address), longest=300)} is larger than {most / 1e6:,.0f} MB.",
            hint="Divide it into several.",
        )
    return data


def listed(address: str) -> Iterator[Entry]:
    """All files below a folder of a store, at any depth, in no promised order.

    Raises:
        InputError: there is none, or it cannot be listed.
    """
    scheme = scheme_of(address)
    if scheme not in STORES:
        raise InputError(
            f"{quoted(without_secrets(address), longest=300)} is an address of the web, which cannot be listed.",
            hint="Name a table of addresses: CSV, JSONL or parquet, a photo a row.",
        )
    root = str(driver(scheme)._strip_protocol(address)).rstrip("/")
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        for info in entries(f"{scheme}://{folder}"):
            place = str(info["name"]).rstrip("/")
            name = place[len(root) :].strip("/")
            if not name or place == folder:  # the mark of a folder that some programs leave
                continue
            if info["type"] == "directory":
                waiting.append(place)
            elif not str(info["name"]).endswith("/"):
                yield Entry(name, _size_in(info), _etag_in(info))


def entries(folder: str) -> list[dict[str, Any]]:
    """What lies directly in a folder of a store, as fsspec says it.

    Raises:
        InputError: there is no such folder, or it cannot be listed.
    """
    scheme = scheme_of(folder)
    try:
        found = _patient(scheme, lambda left_s: driver(scheme).ls(folder, detail=True))
    except _FaultError as error:
        _refuse(folder, "cannot be listed", error.fault)
    return list(found)


def exists(address: str) -> bool:
    """Whether there is a file or a folder.

    Raises:
        InputError: the storage does not say.
    """
    scheme = scheme_of(address)
    try:
        return bool(_patient(scheme, lambda left_s: _is_there(driver(scheme), address)))
    except _FaultError as error:
        _refuse(address, "cannot be read", error.fault)


def _is_there(fs: Any, address: str) -> bool:
    try:
        fs.info(address)
    except FileNotFoundError as error:
        if fault_of(error, scheme_of(address)).sentence == NO_BUCKET:
            raise
        return False
    return True


def write(address: str, content: bytes) -> None:
    """Make a file of a store hold `content`, by one request: it is there as a whole or as it was.

    Raises:
        InputError: it cannot be written.
    """
    scheme = scheme_of(address)
    try:
        _patient(scheme, lambda left_s: driver(scheme).pipe_file(address, content))
    except _FaultError as error:
        _refuse(address, "cannot be written", error.fault)


@cache
def _opened(scheme: str) -> Any:
    fsspec = import_module("fsspec")
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    options: dict[str, dict[str, Any]] = {
        "s3": {
            "config_kwargs": {
                "connect_timeout": web.CONNECT_S,
                "max_pool_connections": web.CONNECTIONS,
                "read_timeout": web.SILENCE_S,
                "retries": {"max_attempts": 0},
            }
        },
        "gs": {},
        "az": {"connection_timeout": web.CONNECT_S, "read_timeout": web.SILENCE_S},
        "hf": {},
    }
    # What gcsfs takes by default asks another service about each bucket first, for a minute where it is not let there.
    kind = import_module("gcsfs.core").GCSFileSystem if scheme == "gs" else fsspec.get_filesystem_class(scheme)
    opened = kind(skip_instance_cache=True, use_listings_cache=False, **options[scheme])
    if scheme == "s3":
        opened.retries = 1
    return opened


def driver(scheme: str) -> Any:
    """The file system of fsspec for a kind of store; one a process.

    Raises:
        MissingExtraError: it is not installed.
        InputError: it lacks what it must be told, such as the name of an account.
    """
    require("cloud", "Photos on storage elsewhere need a part of tellapart that is not installed.")
    try:
        with _opening:
            return _opened(scheme)
    except (OSError, ValueError, RuntimeError, TypeError):  # each says in its own way that nobody told it enough
        raise InputError(
            f"The storage of {scheme}:// cannot be asked: its driver does not know whom, or as whom.",
            hint=f"Credentials are found in {WAYS[scheme]}",
        ) from None


class _FaultError(Exception):
    """What was wrong in the end; never leaves this module."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.sentence)
        self.fault = fault


def _fetched(address: str, start: int, end: int, *, allow_private: bool) -> bytes:
    scheme = scheme_of(address)
    if scheme in STORES:
        return bytes(_patient(scheme, lambda left_s: _of_store(driver(scheme), address, start, end, left_s)))
    require("cloud", "Photos on storage elsewhere need a part of tellapart that is not installed.")
    asyn = import_module("fsspec.asyn")

    def asked(left_s: float) -> bytes:
        got: bytes = asyn.sync(
            asyn.get_loop(), web.get, address, end - 1, allow_private=allow_private, timeout=left_s
        )  # fmt: skip
        return got

    return _patient(scheme, asked)


def _of_store(fs: Any, address: str, start: int, end: int, left_s: float) -> bytes:
    if not fs.async_impl:
        return bytes(fs.cat_file(address, start=start, end=end))
    asyn = import_module("fsspec.asyn")
    return bytes(asyn.sync(fs.loop, fs._cat_file, address, start=start, end=end, timeout=left_s))


def _patient(scheme: str, work: Callable[[float], _Value]) -> _Value:
    """`work(seconds left)`, done again after a pause where what was wrong may pass.

    Raises:
        _FaultError: it did not pass, or cannot.
        MissingExtraError: a driver is not installed.
    """
    deadline = time.monotonic() + PATIENCE_S
    for attempt in range(ATTEMPTS):
        try:
            return work(max(deadline - time.monotonic(), 0.1))
        except (InputError, ImportError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001  five libraries at work, no list of what they raise is whole
            fault = fault_of(error, scheme)
        pause = FIRST_PAUSE_S * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311  so that not all ask at once
        if not fault.passing or attempt == ATTEMPTS - 1 or time.monotonic() + pause > deadline:
            break
        time.sleep(pause)
    raise _FaultError(fault) from None


def _refuse(address: str, what: str, fault: Fault) -> NoReturn:
    said = fault.sentence[0].lower() + fault.sentence[1:]
    raise InputError(
        f"{quoted(without_secrets(address), longest=300)} {what}: {said}", hint=fault.hint or WAYS[scheme_of(address)]
    ) from None


def _size_in(info: dict[str, Any]) -> int:
    size = info.get("size")
    return int(size) if size is not None else -1


def _etag_in(info: dict[str, Any]) -> str:
    lfs = info.get("lfs")
    named = (info.get(name) for name in ("ETag", "etag", "md5Hash", "blob_id"))
    found = getattr(lfs, "sha256", None) or next((value for value in named if value), "")
    return str(found).strip('"')
