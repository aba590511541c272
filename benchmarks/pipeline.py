"""How near reading photos comes to what this machine can do at all.

    python benchmarks/pipeline.py ../shared/data

D is decoding and preprocessing alone, E the network alone, each on all cores, each with the best code known for it, in
photos/s. A pipeline that wasted nothing would reach 1 / (1 / D + 1 / E): both need the cores, so their times add up.
Against that stand `Extractor.extract` with an empty cache that it writes to, and `tellapart train` as a process from
start to end. All ways take turns, over the same `clothing` photos, f32, balanced quality.

D's rivals give the same pixels (mean difference from ours under 1 of 255, or they do not count): our own reader, raw
simplejpeg, OpenCV and Pillow with its draft mode, each with threads and with processes. E's rivals run the same graph
on pixels in memory: one thread a stream, or OpenVINO's AsyncInferQueue, at batches of 1, 4 and 8, one stream and two.
"""

import io
import json
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import openvino
import simplejpeg
from PIL import Image

import measure
from tellapart.data import photo
from tellapart.data.preprocess import Preprocess, preprocess
from tellapart.data.source import scan
from tellapart.engine.backbone import QUALITIES, build_graph
from tellapart.engine.runner import PRECISION
from tellapart.features.cache import FeatureCache
from tellapart.features.extract import Extractor
from tellapart.parallel import n_cores

QUALITY = "balanced"
BACKBONE = QUALITIES[QUALITY]
HOW = Preprocess(BACKBONE.input_px)
PHOTOS = 400  # a round of one way is then 1 to 6 s
CHUNK = 16
GOAL = 85  # % of the limit
SAME_PIXELS = 1.0  # mean difference from ours, of 255
BATCHES = (1, 4, 8)


def centre_box(width_px: int, height_px: int) -> tuple[float, float, float, float]:
    side = min(width_px, height_px)
    left, top = (width_px - side) / 2, (height_px - side) / 2
    return left, top, left + side, top + side


def model_size(image: Image.Image) -> np.ndarray:
    size = (HOW.input_px, HOW.input_px)
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=centre_box(*image.size)))


def ours(path: str) -> np.ndarray:
    return preprocess(photo.decode(photo.read(path), min_side_px=HOW.min_side_px), HOW)


def raw_simplejpeg(path: str) -> np.ndarray:
    data = Path(path).read_bytes()
    height_px, width_px, *_ = simplejpeg.decode_jpeg_header(data)
    scale = next((s for s in (8, 4, 2) if min(height_px, width_px) // HOW.min_side_px >= s), 1)
    image = simplejpeg.decode_jpeg(data, "RGB", min_height=-(-height_px // scale), min_width=-(-width_px // scale))
    return model_size(Image.fromarray(image))


def pillow_draft(path: str) -> np.ndarray:
    with Image.open(path) as image:
        image.draft("RGB", (HOW.min_side_px,) * 2)
        return model_size(image.convert("RGB"))


def opencv(path: str) -> np.ndarray:
    data = np.frombuffer(Path(path).read_bytes(), np.uint8)
    return model_size(Image.fromarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)))


def opencv_area(path: str) -> np.ndarray:
    data = np.frombuffer(Path(path).read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    left, top, right, bottom = map(int, centre_box(image.shape[1], image.shape[0]))
    return cv2.resize(image[top:bottom, left:right], (HOW.input_px,) * 2, interpolation=cv2.INTER_AREA)


READERS: dict[str, Callable[[str], np.ndarray]] = {
    "tellapart": ours,
    "simplejpeg": raw_simplejpeg,
    "Pillow draft": pillow_draft,
}
try:
    import cv2

    cv2.setNumThreads(1)  # parallel over photos, not inside one
    READERS |= {"OpenCV": opencv, "OpenCV, area": opencv_area}
except ImportError:
    print("OpenCV is not here and is not compared: pip install opencv-python-headless", file=sys.stderr)


def read_all(reader: str, paths: list[str]) -> int:
    return sum(READERS[reader](path).size for path in paths)


def decode_rate(reader: str, pool: Executor, paths: list[str]) -> float:
    """Photos/s of decoding and preprocessing alone."""
    parts = [paths[i : i + CHUNK] for i in range(0, len(paths), CHUNK)]
    started = time.perf_counter()
    list(pool.map(partial(read_all, reader), parts))
    return len(paths) / (time.perf_counter() - started)


def compiled(batch: int, streams: int) -> openvino.CompiledModel:
    """The graph that `Network` runs, at another batch size."""
    graph = openvino.Core().read_model(io.BytesIO(build_graph(BACKBONE).SerializeToString()))
    graph.reshape({"pixels": [batch, HOW.input_px, HOW.input_px, 3]})
    features = graph.output("features").get_node().input_value(0)
    settings = {"INFERENCE_PRECISION_HINT": PRECISION, "INFERENCE_NUM_THREADS": n_cores(), "NUM_STREAMS": streams}
    return openvino.Core().compile_model(openvino.Model([features], graph.get_parameters(), "network"), "CPU", settings)


def sync_rate(model: openvino.CompiledModel, threads: int, batch: int, pixels: np.ndarray) -> float:
    """Photos/s of the network with one blocking call at a time in each thread."""
    local = threading.local()

    def infer(start: int) -> np.ndarray:
        request = getattr(local, "request", None)
        if request is None:
            request = local.request = model.create_infer_request()
        request.infer([pixels[start : start + batch]], share_inputs=True)
        return request.get_output_tensor(0).data.copy()

    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        n = sum(len(features) for features in pool.map(infer, range(0, len(pixels), batch)))
        return n / (time.perf_counter() - started)


def queue_rate(model: openvino.CompiledModel, streams: int, batch: int, pixels: np.ndarray) -> float:
    """Photos/s of the network fed by OpenVINO's own queue."""
    queue, rows = openvino.AsyncInferQueue(model, streams + 1), np.empty((len(pixels), BACKBONE.n_features), np.float32)

    def keep(request: openvino.InferRequest, start: int) -> None:
        rows[start : start + batch] = request.get_output_tensor(0).data

    queue.set_callback(keep)
    started = time.perf_counter()
    for start in range(0, len(pixels), batch):
        queue.start_async([pixels[start : start + batch]], start, share_inputs=True)
    queue.wait_all()
    return len(pixels) / (time.perf_counter() - started)


def engine_ways(pixels: np.ndarray) -> dict[str, Callable[[], float]]:
    ways: dict[str, Callable[[], float]] = {}
    for streams in sorted({1, n_cores()}):
        for batch in BATCHES:
            model = compiled(batch, streams)
            setting = f"batch {batch}, {streams} stream{'s' * (streams > 1)}"
            ways[f"threads, {setting}"] = partial(sync_rate, model, streams, batch, pixels)
            ways[f"AsyncInferQueue, {setting}"] = partial(queue_rate, model, streams, batch, pixels)
    return ways


def agreement(paths: list[str]) -> dict[str, float]:
    """Mean difference from our pixels, of 255, for every reader."""
    some = paths[:: max(1, len(paths) // 24)]
    reference = np.stack([ours(path) for path in some]).astype(np.int16)
    return {
        name: float(np.abs(np.stack([reader(path) for path in some]) - reference).mean())
        for name, reader in READERS.items()
    }


def main() -> None:
    options = measure.arguments(__doc__, repeats=5)
    everything = scan(options.data / "clothing")
    n = 48 if options.quick else PHOTOS
    photos = everything.subset(np.linspace(0, everything.n - 1, n).astype(int))
    paths = list(photos.places)
    differences = agreement(paths)
    processes = ProcessPoolExecutor(n_cores(), mp_context=multiprocessing.get_context("fork"))
    list(processes.map(partial(read_all, "tellapart"), [paths[:4]] * 8))  # forked now, before any thread is
    threads = ThreadPoolExecutor(n_cores())
    pixels = np.stack(list(threads.map(ours, paths)))
    extractor = Extractor(BACKBONE, HOW)

    with tempfile.TemporaryDirectory(prefix="tellapart-bench-") as folder:
        place = Path(folder)

        def extract() -> float:
            extractor.cache = FeatureCache(place / f"{time.time_ns()}" / "features.sqlite")
            started = time.perf_counter()
            features = extractor.extract(photos)
            seconds = time.perf_counter() - started
            extractor.cache.close()
            extractor.cache = None
            stages.append((features.decode_s, features.inference_s, seconds))
            return photos.n / seconds

        def train() -> float:
            cache, model = place / f"cache-{time.time_ns()}", place / "model"
            command = measure.tellapart("train", options.data / "clothing", "-o", model, "--force", "--json")
            ran = measure.run(command, cache=cache)
            trained.append(json.loads(ran.output)["timings_s"])
            return everything.n / ran.seconds

        stages: list[tuple[float, float, float]] = []
        trained: list[dict[str, float]] = []
        extractor.extract(photos)  # warm
        decoders: dict[str, Callable[[], float]] = {
            f"{name}, {n_cores()} {kind}": partial(decode_rate, name, pool, paths)
            for name in READERS
            for kind, pool in (("threads", threads), ("processes", processes))
        }
        engines = engine_ways(pixels)
        if options.quick:
            engines = dict(list(engines.items())[-6:])
        ways = {"extract": extract, **decoders, **engines, "train": train}
        measured = measure.interleaved(ways, options.repeats)
    processes.shutdown()
    threads.shutdown()

    def best(names: dict[str, Callable[[], float]]) -> str:
        return max(names, key=lambda name: measure.spread(measured[name]).median)

    counted = {name: way for name, way in decoders.items() if differences[name.rsplit(",", 1)[0]] <= SAME_PIXELS}
    d, e = best(counted), best(engines)
    limits = [1 / (1 / dn + 1 / en) for dn, en in zip(measured[d], measured[e], strict=True)]

    def against_limit(name: str) -> measure.Spread:
        return measure.spread(100 * rate / limit for rate, limit in zip(measured[name], limits, strict=True))

    reached, end_to_end = against_limit("extract"), against_limit("train")
    rate = {name: measure.spread(values).text(" photos/s") for name, values in measured.items()}
    summary: list[measure.Row] = [
        {"What": f"D, decoding alone: {d}", "Photos/s": rate[d]},
        {"What": f"E, network alone: {e}", "Photos/s": rate[e]},
        {"What": "Limit 1 / (1 / D + 1 / E)", "Photos/s": measure.spread(limits).text(" photos/s")},
        {
            "What": "`Extractor.extract`, empty cache, cache written",
            "Photos/s": rate["extract"],
            "Of the limit": reached.text(" %"),
            "Goal": measure.goal(reached.median >= GOAL, f"≥ {GOAL} %"),
        },
        {
            "What": f"`tellapart train`, a whole process, {everything.n:,} photos",
            "Photos/s": rate["train"],
            "Of the limit": end_to_end.text(" %"),
            "Goal": measure.goal(end_to_end.median >= GOAL, f"≥ {GOAL} %"),
        },
    ]
    busy = measure.spread(100 * (a + b) / seconds / n_cores() for a, b, seconds in stages)
    per_stage: list[measure.Row] = [
        {"Stage of `tellapart train`": stage, "Seconds": measure.spread(t[stage] for t in trained).text(digits=2)}
        for stage in trained[0]
    ]
    outside = measure.spread(
        everything.n / rate - t["total"] for rate, t in zip(measured["train"], trained, strict=True)
    )
    per_stage.append(
        {"Stage of `tellapart train`": "start, imports, report, writing", "Seconds": outside.text(digits=2)}
    )
    alternatives: list[measure.Row] = [
        {
            "Alone": name,
            "Photos/s": rate[name],
            "Pixels differ from ours by": f"{differences[name.rsplit(',', 1)[0]]:.2f} of 255"
            if name in decoders
            else "",
        }
        for name in (*decoders, *engines)
    ]
    measure.report(
        options,
        {"Against the limit": summary, "Stages of train": per_stage, "Rivals": alternatives},
        photos=photos.n,
        quality=QUALITY,
        cores_busy_in_extract=busy.text(" %"),
        openvino=openvino.__version__,
    )


if __name__ == "__main__":
    main()
