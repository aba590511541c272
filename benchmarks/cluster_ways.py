"""One way of making features of a folder of photos, as a process: python benchmarks/cluster_ways.py WAY FOLDER OUT.

    extract   `Extractor.extract`, as `train` does it, with two workers as the cores are two; nothing is written
    ray_data  Ray Data: read_images → map_batches with two actors that hold the network → write_parquet
    daft      Daft: from_glob_path → download → decode → a class that holds the network → write_parquet
    memory    a cluster's driver for as many files as lie in FOLDER, with a network of no cost; Ray runs already

All use the same compiled network, one photo a call. It prints the photos and the seconds from when everything is
imported, so that starting Python counts for nobody, and compiling for all.
"""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

QUALITY = "balanced"
BATCH = 32
WIDTH = 1280  # of the features of this network


def network():
    """The extractor, compiled when it is first asked."""
    from tellapart.data.preprocess import Preprocess
    from tellapart.engine.backbone import QUALITIES
    from tellapart.features.extract import Extractor

    backbone = QUALITIES[QUALITY]
    return Extractor(backbone, Preprocess(backbone.input_px))


def extract(folder: Path, out: Path) -> int:
    """Ours for one machine."""
    from tellapart.data.source import scan

    return len(network().extract(scan(str(folder))).usable)


class Rows:
    """What Ray Data holds in its actor."""

    def __init__(self):
        self._network = network()

    def __call__(self, batch):
        """The features of a batch, from its pixels."""
        import numpy as np

        vectors = [self._network.embed_image(image).features for image in batch["image"]]
        return {"path": batch["path"], "features": np.stack(vectors)}


def ray_data(folder: Path, out: Path) -> int:
    """Two actors hold a network each; readers and they share the two cores, so that none is idle."""
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    photos = ray.data.read_images(
        str(folder), mode="RGB", include_paths=True, ray_remote_args={"num_cpus": 0.25}, file_extensions=["jpg"]
    )
    features = photos.map_batches(Rows, batch_size=BATCH, num_cpus=0.75, compute=ray.data.ActorPoolStrategy(size=2))
    features.write_parquet(str(out))
    return ray.data.read_parquet(str(out)).count()


def daft(folder: Path, out: Path) -> int:
    """Its own runner on this machine; two processes hold a network each."""
    import daft
    import numpy as np
    from daft import DataType, col

    @daft.cls(max_concurrency=2)
    class Rows:
        def __init__(self):
            # In threads of Python's: OpenVINO does not survive being called in those of Daft.
            self._thread = ThreadPoolExecutor(1)
            self._network = network()

        @daft.method.batch(return_dtype=DataType.fixed_size_list(DataType.float32(), WIDTH), batch_size=BATCH)
        def features(self, images):
            pixels = [np.asarray(image) for image in images.to_pylist()]
            return self._thread.submit(lambda: [self._network.embed_image(one).features for one in pixels]).result()

    photos = daft.from_glob_path(f"{folder}/**/*.jpg")
    image = col("path").download().decode_image(mode="RGB")
    features = photos.with_column("features", Rows().features(image)).select("path", "features")
    features.write_parquet(str(out))
    return daft.read_parquet(f"{out}/*.parquet").count_rows()


def no_cost():
    """A job whose rows cost nothing: no photo is read, each is a row with a reason. Lists and shards are real."""
    from dataclasses import dataclass

    from tellapart.shards import parquet
    from tellapart.shards.destination import opened
    from tellapart.shards.embedding import EmbedJob
    from tellapart.shards.rows import REPEATING, Row, table_of

    class Maker:
        def __init__(self, found):
            self._found = found

        def place(self, shard):
            return self._found.place(shard)

        def is_done(self, shard):
            return self._found.done(shard) is not None

        def make(self, shard, tell):
            own, uris = self._found.manifest, self._found.members(shard)
            table = table_of([Row(uri, code="none", skipped="not read") for uri in uris], own.n_features, own.precision)
            said = {**self._found.wanted(shard), "processor": "none", "skipped": len(uris), "used": 0}
            parquet.save(self.place(shard), table, said, REPEATING)
            tell(len(uris))

    @dataclass(frozen=True)
    class NoCost(EmbedJob):
        @contextmanager
        def maker(self, begun, n_workers):
            yield Maker(opened(self.output))

    return NoCost


def memory(folder: Path, out: Path) -> int:
    """Hands out shards of nothing."""
    from tellapart.cluster.handing import hand_out
    from tellapart.shards.embedding import How
    from tellapart.shards.state import state_of
    from tellapart.timing import no_progress

    hand_out(no_cost()(str(folder), out, How(QUALITY)), "auto", cores=None, progress=no_progress)
    state = state_of(out)
    return state.skipped + state.used


def main() -> None:
    """Run one way."""
    way, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    started = time.perf_counter()
    n = {"extract": extract, "ray_data": ray_data, "daft": daft, "memory": memory}[way](folder, out)
    print(n, time.perf_counter() - started)


if __name__ == "__main__":
    main()
