"""How fast the studio is, and how much memory it takes: the score after an action, and the page of very many photos.

    python benchmarks/studio_speed.py ../shared/data --only score --sizes 1200 20000 24000
    python benchmarks/studio_speed.py ../shared/data --only page --sizes 10000 50000

**score** does in a process of its own what the studio's child does after an action, on so many labelled photos. Photos
are those of clothing; above their number, features are mixed of two photos of a class with a little noise, and small
pictures are those photos in sixteen shuffled pieces, so that they are no copies. The first score looks at pairs that
were not looked at before, the others are what a person waits for: seconds until the number is told and until all is,
processor seconds beside, and the most memory that the process ever held.

**page** opens a real studio on so many files (each a photo of clothing with some bytes behind its end) in Chromium at
1280 × 860 px: the first screen, once all files were hashed; the time from a key to the next frame; scrolling by nine
rows a second where thumbnails are made already and where each is decoded first, with how long a tile in sight was
blank; and memory. Wants the extra `serve`, playwright, and Chromium.
"""

import argparse
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import measure

SCORE_S = {1_200: 2.0, 20_000: 15.0}  # goals
SCORE_MB = 1_500
KEY_MS, FIRST_S, BLANK_MS, PAGE_MB, SERVER_MB = 50, 1.0, 100, 300, 500
ACTIONS = 4  # scores after an action; the median is told
MB = 1e6

SCROLL = """async ([seconds, from]) => {
  const grid = document.querySelector("photo-grid"), box = grid.getBoundingClientRect();
  grid.scrollTop = from;
  await new Promise((done) => setTimeout(done, 1500));
  const since = new Map(), blanks = [], frames = [];
  let last = performance.now();
  const begin = last, row = 206 + 8;
  while (performance.now() < begin + seconds * 1000) {
    grid.scrollTop = from + (9 * row * (performance.now() - begin)) / 1000;
    await new Promise(requestAnimationFrame);
    const now = performance.now(), seen = new Set();
    frames.push(now - last);
    last = now;
    for (const tile of grid.querySelectorAll("[role=option]")) {
      const at = tile.getBoundingClientRect(), picture = tile.querySelector("canvas");
      if (at.bottom < box.top + 1 || at.top > box.bottom - 1) continue;
      seen.add(tile.id);
      if (picture.width) {
        if (since.has(tile.id)) blanks.push(now - since.get(tile.id));
        since.delete(tile.id);
      } else if (!since.has(tile.id)) since.set(tile.id, now);
    }
    for (const [id, at] of since) if (!seen.has(id)) (blanks.push(now - at), since.delete(id));
  }
  for (const at of since.values()) blanks.push(performance.now() - at);
  frames.sort((a, b) => a - b);
  return { longest: Math.max(0, ...blanks), n: blanks.length, frame: frames[Math.floor(frames.length * 0.95)] };
}"""
KEYS = """async () => {
  const grid = document.querySelector("photo-grid"), times = [];
  grid.scrollTop = 0;
  for (let n = 0; n < 100; n++) {
    await new Promise((done) => setTimeout(done, 60));
    const begin = performance.now();
    grid.dispatchEvent(new KeyboardEvent("keydown", { key: "n", bubbles: true }));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    times.push(performance.now() - begin);
  }
  times.sort((a, b) => a - b);
  return [times[50], times[94]];
}"""


def load() -> float:
    return round(os.getloadavg()[0], 1)


def scores(options) -> list[measure.Row]:
    rows: list[measure.Row] = []
    for n in options.sizes or (1_200, 20_000, 24_000):
        command = [sys.executable, __file__, str(options.data.absolute()), "--inside", str(n)]
        found = json.loads(measure.run(command).output.splitlines()[-1])
        wanted = SCORE_S.get(n)
        told, peak = measure.spread(found["number_s"]), found["peak_mb"]
        rows.append({
            "Labelled photos": f"{n:,}", "Learned from": f"{found['n_train']:,}",
            "Until the number": told.text(" s", 2),
            "Until all": measure.spread(found["all_s"]).text(" s", 2),
            "Processor seconds until the number": measure.spread(found["number_cpu_s"]).text(digits=2),
            "The first one": f"{found['first_s']:.1f} s", "Reading stacks": f"{found['read_s']:.1f} s",
            "Most memory": f"{peak:.0f} MB", "Load": load(),
            "Goal": "; ".join([
                *([measure.goal(told.median <= wanted, f"≤ {wanted:g} s")] if wanted else []),
                measure.goal(peak <= SCORE_MB, f"≤ {SCORE_MB} MB"),
            ]),
        })  # fmt: skip
    return rows


def inside(data: Path, n: int) -> None:
    """What the child of a studio does; prints JSON."""
    from tellapart.studio.journal import open_journal
    from tellapart.studio.session import Session
    from tellapart.studio.work.desk import Desk
    from tellapart.studio.work.tasks import TASKS
    from tellapart.timing import no_progress

    with tempfile.TemporaryDirectory() as folder, open_journal(Path(folder, "state")) as journal:
        place = Path(folder, "photos")
        labels = planted(data, n, Path(folder))
        for i, label in enumerate(labels):
            (place / label).mkdir(parents=True, exist_ok=True)
            (place / label / f"{i:06}.jpg").write_text(str(i))
        session = Session(str(place), Path(folder, "state"), journal, beside=False)
        session.look()
        told: list[tuple[float, float]] = []

        def clock() -> tuple[float, float]:
            return time.perf_counter(), time.process_time()

        with Desk(Path(folder, "state"), str(place)) as desk:
            desk.take(session.heap.photos)
            desk._seen = seen_photos(desk, Path(folder))
            desk.tell_first = lambda _: told.append(clock())
            begin = clock()
            session.drew(TASKS["read"](desk, {}, no_progress)["stacks"])
            read_s = clock()[0] - begin[0]
            number, number_cpu, whole = [], [], []
            for turn in range(1 + ACTIONS):
                photo, name = session.heap.photos[turn * 7], session.journal.state.classes[turn % 2]
                session.do({"do": "label", "photos": [photo.id], "label": name})
                desk.take(None)
                begin = clock()
                result = TASKS["score"](desk, {}, no_progress)
                whole.append(clock()[0] - begin[0])
                number.append(told[-1][0] - begin[0])
                number_cpu.append(told[-1][1] - begin[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({
        "number_s": number[1:], "number_cpu_s": number_cpu[1:], "all_s": whole[1:], "first_s": number[0],
        "read_s": read_s, "peak_mb": peak / MB, "n_train": result["n_train"],
    }))  # fmt: skip


def planted(data: Path, n: int, folder: Path) -> list[str]:
    """Features and small pictures of `n` photos, written to `folder`; the class of each."""
    import numpy as np

    from tellapart.data.source import scan
    from tellapart.features.extract import bundled_extractor
    from tellapart.recipe import Reading

    dataset = scan(data / "clothing" / "train")
    with bundled_extractor(Reading.quality, Reading.resize_mode) as extractor:
        known = extractor.extract(dataset)
    rng, real = np.random.default_rng(0), min(n, dataset.n)
    values = np.lib.format.open_memmap(folder / "values.npy", "w+", np.float32, (n, known.values.shape[1]))
    pictures = np.empty((n, *known.pictures.shape[1:]), np.uint8)
    of = np.concatenate([rng.permutation(dataset.n)[:real], rng.integers(0, dataset.n, n - real)])
    other = np.array([rng.choice(np.flatnonzero(dataset.labels == label)) for label in dataset.labels[of]])
    values[:real], pictures[:real] = known.values[of[:real]], known.pictures[of[:real]]
    spread = known.values.std(axis=0)
    quarter = pictures.shape[1] // 4
    for row in range(real, n):
        mixed = 0.6 * known.values[of[row]] + 0.4 * known.values[other[row]]
        values[row] = np.maximum(mixed + 0.3 * spread * rng.standard_normal(len(spread)), 0)
        pieces = known.pictures[of[row]].reshape(4, quarter, 4, quarter).transpose(0, 2, 1, 3).reshape(16, quarter, -1)
        shuffled = pieces[rng.permutation(16)].reshape(4, 4, quarter, quarter).transpose(0, 2, 1, 3)
        pictures[row] = shuffled.reshape(pictures.shape[1:])
    values.flush()
    np.save(folder / "pictures.npy", pictures)
    return [dataset.class_names[label] for label in dataset.labels[of]]


def seen_photos(desk, folder: Path):
    """The planted photos as the child knows those that the network saw."""
    import numpy as np

    from tellapart.studio.work.desk import Seen

    rows = np.array([int(Path(photo.place).stem) for photo in desk.heap])
    values, pictures = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("values", "pictures"))
    np.save(folder / "sorted.npy", values[rows])
    hashes = np.array([hashlib.md5(str(row).encode()).hexdigest() for row in rows], "S32")
    return Seen(desk.heap, np.load(folder / "sorted.npy", mmap_mode="r"), hashes, pictures[rows], {}, desk.looks)


def pages(options) -> list[measure.Row]:
    rows: list[measure.Row] = []
    for n in options.sizes or (10_000, 50_000):
        with tempfile.TemporaryDirectory() as folder:
            place = options.photos or Path(folder) / "photos"
            if not place.exists():
                heap(options.data, n, place)
            opened(place, lambda address, server: None)  # all files are hashed once
            rows += opened(place, lambda address, server, n=n: looked(address, server, n)) or []
    return rows


def heap(data: Path, n: int, place: Path) -> None:
    """Many photos of different content, none of them labelled."""
    photos = [path.read_bytes() for path in sorted((data / "clothing" / "train").rglob("*.jpg"))]
    place.mkdir(parents=True)
    for i in range(n):
        (place / f"{i:05}.jpg").write_bytes(photos[i % len(photos)] + i.to_bytes(8, "big"))


def opened(place: Path, work):
    """What `work` gives of the studio on this folder; it is ended then."""
    command = [sys.executable, "-m", "tellapart", "studio", str(place), "--no-browser"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = next(line.split()[-1] for line in server.stdout if "http://" in line)
        return work(address, server.pid)
    finally:
        server.terminate()
        server.wait()


def megabytes(pid: int) -> float:
    """What a process has in memory; shared parts are its own in the share in which it uses them."""
    return int(re.search(r"Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())[1]) * 1024 / MB


def resident(pid: int) -> float:
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) * 1024 / MB


def renderer() -> int:
    """The largest process of Chromium that draws a page."""
    found = []
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if "--type=renderer" in status.read_text():
                found.append(int(status.parent.name))
        except OSError:
            continue
    return max(found, key=resident)


def looked(address: str, server: int, n: int) -> list[measure.Row]:
    from playwright.sync_api import sync_playwright

    url, _, token = address.partition("/#token=")

    def ask(path: str, body: object = None):
        head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url + path, data, head)) as answer:
            return json.loads(answer.read())

    def end_jobs(quiet: threading.Event) -> None:
        while not quiet.wait(0.3):  # reading begins a second after the page; cancelled, it may begin again
            for job in ask("/v1/jobs"):
                ask("/v1/cancel", {"number": job["number"]})

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
        shown = []
        for _ in range(3):
            page.goto("about:blank")
            begin = time.perf_counter()
            page.goto(address)
            page.locator("photo-grid [role=option] canvas:not([width='0'])").first.wait_for()
            shown.append(time.perf_counter() - begin)
            page.wait_for_timeout(1_500)  # until it has the photos read, which is another number
            for job in ask("/v1/jobs"):
                ask("/v1/cancel", {"number": job["number"]})
        quiet = threading.Event()
        ender = threading.Thread(target=end_jobs, args=(quiet,))
        ender.start()
        middle, p95 = page.evaluate(KEYS)
        far = 214 * n // 12  # half way down, where nothing was made yet
        cold = page.evaluate(SCROLL, [6, far])
        warm = page.evaluate(SCROLL, [6, far])
        quiet.set()
        ender.join()
        ask("/v1/jobs", {"do": "read"})
        reading = page.evaluate(SCROLL, [6, far + 6 * 9 * 214 + 4_000])
        for job in ask("/v1/jobs"):
            ask("/v1/cancel", {"number": job["number"]})
        session = page.context.new_cdp_session(page)
        session.send("HeapProfiler.collectGarbage")
        drawing = renderer()
        held, own = resident(drawing), megabytes(drawing)
        served = resident(server)
        browser.close()
    first = measure.spread(shown)
    blank = max(cold["longest"], warm["longest"], reading["longest"])
    return [{
        "Photos": f"{n:,}", "First screen": first.text(" s", 2), "Key, median": f"{middle:.0f} ms",
        "Key, p95": f"{p95:.0f} ms", "Longest blank, thumbnails made": f"{warm['longest']:.0f} ms",
        "to be decoded": f"{cold['longest']:.0f} ms", "… while photos are read": f"{reading['longest']:.0f} ms",
        "Page": f"{held:.0f} MB (its share {own:.0f})", "Serving process": f"{served:.0f} MB", "Load": load(),
        "Goal": "; ".join([
            measure.goal(first.median <= FIRST_S, f"first screen ≤ {FIRST_S:g} s"),
            measure.goal(p95 <= KEY_MS, f"key ≤ {KEY_MS} ms"),
            measure.goal(blank <= BLANK_MS, f"blank ≤ {BLANK_MS} ms"),
            measure.goal(held <= PAGE_MB, f"page ≤ {PAGE_MB} MB"),
            measure.goal(served <= SERVER_MB, f"serving ≤ {SERVER_MB} MB"),
        ]),
    }]  # fmt: skip


PARTS = {"score": ("The score after an action", scores), "page": ("The page of very many photos", pages)}


def main() -> None:
    if "--inside" in sys.argv:
        inside(Path(sys.argv[1]), int(sys.argv[3]))
        return

    def more(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="one part")
        parser.add_argument("--sizes", nargs="+", type=int, help="how many photos")
        parser.add_argument("--photos", type=Path, help="page: a folder of that many photos that is there already")

    options = measure.arguments(__doc__, repeats=ACTIONS, more=more)
    if options.quick:
        options.sizes = options.sizes or [300]
    for name in options.only:
        title, part = PARTS[name]
        measure.report_piece(options, PARTS, name, {title: part(options)})


if __name__ == "__main__":
    main()
