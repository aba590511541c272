"""Many addresses, a few at once and two at most of one host, each photo written as a whole before its row is."""

import os
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Lock
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from tellapart.data import photo
from tellapart.data.collecting.fetching import Fetched, FetchError, Fetches, Terms
from tellapart.data.collecting.table import Row, Table
from tellapart.data.collecting.wanted import Wanted
from tellapart.errors import InputError, PhotoError
from tellapart.formats.header import sniff
from tellapart.storage.atomic import NEW_FILE, flush_folder
from tellapart.storage.lock import HeldError, held
from tellapart.storage.partial import partial_file
from tellapart.text import quoted
from tellapart.timing import Progress, no_progress

AT_ONCE: Final = 8  # addresses in all
AT_ONCE_A_HOST: Final = 2  # what nobody's server minds
TRIES: Final = 3
BACKOFF_S: Final = 1.0  # before the second try; twice that before the third
MAX_WAIT_S: Final = 60.0  # however long the host asks to be left alone
STEM_LENGTH: Final = 60  # letters of the address that are kept in a file's name
ENDINGS: Final = {"JPEG": "jpg", "TIFF": "tif", "HEIF": "heic"}  # the others are called as their format is
_DEVICES: Final = frozenset({"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(10))})


@dataclass(frozen=True)
class Collected:
    """How it went: photos new in this run, copies of others, addresses done before, and reasons of the rest."""

    new: int
    copies: int
    before: int
    refused: dict[str, int]  # {reason: how many}, of this run and of those before


class _Got(NamedTuple):
    wanted: Wanted
    fetched: Fetched | None
    kind: str  # the format, "" without a photo
    reason: str


def table_of(output: Path) -> Path:
    """Where the table of a folder of photos lies: beside it, so that the folder holds nothing but photos."""
    return output.parent / f"{output.name}.collected.csv"


def collect(
    wanted: Sequence[Wanted],
    output: Path,
    terms: Terms,
    *,
    retry_failed: bool = False,
    backoff_s: float = BACKOFF_S,
    progress: Progress = no_progress,
) -> Collected:
    """Put the photo of each address into `output`, or into a folder of its label there; go on where it was stopped.

    Args:
        wanted: the addresses, each once.
        output: the folder of photos, new or one to go on with. Nothing in it is ever replaced.
        terms: limits of one address, and who asks.
        retry_failed: whether addresses that gave no photo in a run before are asked again.
        backoff_s: before the second try of an address; twice as long before the third.
        progress: told how many addresses are done.

    Raises:
        InputError: the place cannot be written, or another run is at it.
        KeyboardInterrupt: what was collected is kept.
    """
    output = Path(os.path.abspath(output))
    try:
        output.mkdir(parents=True, exist_ok=True)
        with held(table_of(output)):
            return _collect(wanted, output, terms, retry_failed, backoff_s, progress)
    except HeldError as error:
        raise InputError(f"Another run collects into {quoted(str(output))}.", hint="Wait until it is done.") from error
    except OSError as error:
        raise InputError(
            f"{quoted(str(output))} cannot be written: {(error.strerror or 'the system refused').lower()}.",
            hint="Make room, or choose another place with -o. What was collected is kept.",
        ) from error


def _collect(
    wanted: Sequence[Wanted], output: Path, terms: Terms, retry_failed: bool, backoff_s: float, progress: Progress
) -> Collected:
    table = Table(table_of(output))
    known = {row.sha256: row.file for row in table.rows.values() if row.file and (output / row.file).is_file()}
    left = [one for one in wanted if _is_left(table.rows.get(one.url), known, retry_failed)]
    counts: Counter[str] = Counter(before=len(wanted) - len(left))
    lanes = _Lanes(left, terms, backoff_s)
    try:
        for done, got in enumerate(lanes.results(), start=1):
            row, outcome = _kept(got, output, known)
            table.add(row)
            counts[outcome] += 1
            progress("collecting", counts["before"] + done, len(wanted))
    finally:
        lanes.stop()
    now = [table.rows[one.url].reason for one in wanted if one.url in table.rows and not table.rows[one.url].file]
    return Collected(counts["new"], counts["copy"], counts["before"], dict(Counter(now).most_common()))


def _is_left(row: Row | None, known: dict[str, str], retry_failed: bool) -> bool:
    if row is None:
        return True
    return row.sha256 not in known if row.file else retry_failed


class _Lanes:
    """Threads that fetch: at most two lanes a host, each of which takes that host's next address when it is free."""

    def __init__(self, wanted: Sequence[Wanted], terms: Terms, backoff_s: float) -> None:
        hosts: dict[str, deque[Wanted]] = defaultdict(deque)
        for one in wanted:
            hosts[_host(one.url)].append(one)
        self._n_wanted = len(wanted)
        self._terms, self._backoff_s = terms, backoff_s
        self._done: Queue[_Got | BaseException] = Queue(2 * AT_ONCE)  # no more photos are held in memory than these
        self._ended, self._fetches = Event(), Fetches()
        self._decoding = Lock()  # one at a time: a large photo is 350 MB while it is decoded
        self._pool = ThreadPoolExecutor(AT_ONCE)
        for own in hosts.values():
            for _ in range(min(AT_ONCE_A_HOST, len(own))):
                self._pool.submit(self._lane, own)

    def results(self) -> Iterator[_Got]:
        """What each address gave, as it comes."""
        given = 0
        while given < self._n_wanted:
            try:
                got = self._done.get(timeout=0.5)  # Windows hears no Ctrl-C in a wait without an end
            except Empty:
                continue
            if isinstance(got, BaseException):
                raise got
            given += 1
            yield got

    def stop(self) -> None:
        """End what is under way; what was not given out is lost, and asked again by the next run."""
        self._ended.set()
        self._fetches.stop()
        self._pool.shutdown(cancel_futures=True)

    def _lane(self, own: "deque[Wanted]") -> None:
        while not self._ended.is_set():
            try:
                wanted = own.popleft()
            except IndexError:
                return
            try:
                self._give(self._get(wanted))
            except BaseException as error:
                self._give(error)
                raise

    def _give(self, got: _Got | BaseException) -> None:
        while not self._ended.is_set():
            try:
                self._done.put(got, timeout=0.1)
            except Full:
                continue
            return

    def _get(self, wanted: Wanted) -> _Got:
        for attempt in range(TRIES):
            try:
                fetched = self._fetches.fetch(wanted.url, self._terms)
                kind = sniff(fetched.content)
                with self._decoding:
                    photo.decode(fetched.content)
                return _Got(wanted, fetched, kind, "")
            except PhotoError as error:
                return _Got(wanted, None, "", error.message)
            except FetchError as error:
                reason = error.reason
                if not error.again or attempt == TRIES - 1:
                    break
                self._ended.wait(min(MAX_WAIT_S, max(error.wait_s, self._backoff_s * 2**attempt)))
        return _Got(wanted, None, "", reason)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def _kept(got: _Got, output: Path, known: dict[str, str]) -> tuple[Row, str]:
    """The row of an address whose photo, if it gave one, is then on the disk; and what it counts as."""
    url, label, licence = got.wanted
    now = datetime.now(UTC).isoformat(timespec="seconds")
    reason = got.reason or _unfit(label)
    if got.fetched is None or reason:
        return Row("", url, "", licence, now, "", "", reason), "refused"
    content, final_url = got.fetched
    digest = sha256(content).hexdigest()
    outcome = "copy" if digest in known else "new"
    if outcome == "new":
        known[digest] = _written(content, digest, output, label, _name(final_url, digest, got.kind))
    file = known[digest]
    if label and Path(file).parent.as_posix() != label:  # one photo of two classes is for a person to decide
        reason = f"The same photo lies at {file} already, as another class."
        return Row("", url, final_url, licence, now, digest, str(len(content)), reason), "refused"
    return Row(file, url, final_url, licence, now, digest, str(len(content)), ""), outcome


def _unfit(label: str) -> str:
    """Why no folder can be called as a label; "" where one can."""
    bad = set(label) & set('/\\:*?"<>|') or not label.isprintable() or label.startswith(".") or label.endswith(".")
    if bad or len(label.encode()) > 200 or label.partition(".")[0].casefold() in _DEVICES:
        return f"No folder can be called {quoted(label)}."
    return ""


def _name(url: str, digest: str, kind: str) -> str:
    """A file's name that any system takes: what the address calls it, and the beginning of its content's hash."""
    last = unquote(urlsplit(url).path).rpartition("/")[2].rpartition(".")[0]
    stem = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in last)
    stem = "-".join(part for part in stem[:STEM_LENGTH].split("-") if part)
    return f"{stem or 'photo'}-{digest[:8]}.{ENDINGS.get(kind, kind.lower())}"


def _written(content: bytes, digest: str, output: Path, label: str, name: str) -> str:
    """Where the photo lies below `output`: as a whole or not at all, and never in the place of another file.

    Raises:
        OSError: it cannot be written.
    """
    folder = output / label
    folder.mkdir(exist_ok=True)
    stem, _, ending = name.rpartition(".")
    number = 1
    while True:
        place = folder / (name if number == 1 else f"{stem}-{number}.{ending}")
        with partial_file(place, NEW_FILE) as partial:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if _take_name(partial, place, digest):
                flush_folder(folder)
                return place.relative_to(output).as_posix()
        number += 1


def _take_name(partial: Path, place: Path, digest: str) -> bool:
    """Whether `place` is now the photo: it took the name, or lay there already, of a run that was killed."""
    try:
        try:
            os.link(partial, place)  # which never replaces
        except FileExistsError:
            raise
        except OSError:  # a disk without links
            if os.path.lexists(place):
                raise FileExistsError from None
            partial.rename(place)
    except FileExistsError:
        return place.is_file() and not place.is_symlink() and sha256(place.read_bytes()).hexdigest() == digest
    return True
