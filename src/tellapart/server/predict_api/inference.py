"""Photos in, answers out: decoded by children, computed in threads, in turns, never on the event loop.

Every call of the network runs one photo; photos of several requests are not joined into batches. Measured on 2 cores
with two streams, batches of 1, 2, 4 and 8 photos, best of five rounds: 97, 91, 88, 79 photos/s (fast), 76, 81, 84, 74
(balanced), 18, 19, 16, 14 (best), with differences between rounds larger than these. A batch would also make a photo
wait for its neighbours, and its answer depend on them in the last digits. What requests share instead is turns: each
has as many photos in work as there are cores, so one with 16 photos does not keep one with a single photo waiting.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry

from tellapart.errors import PhotoError, TellapartError
from tellapart.sandbox.decoder_pool import Charge, DecoderPool, Photo
from tellapart.server.predict_api.counters import PhotoCounters
from tellapart.server.predict_api.self_test import is_as_expected, self_test_photo
from tellapart.server.predict_api.serving_model import ServingModel, open_model
from tellapart.server.shell.limits import Budget
from tellapart.server.shell.problem import busy, of_photo
from tellapart.server.shell.rate_limit import RateLimit

EMPTY: Final = {
    "answer": None,
    "class_name": None,
    "confidence": None,
    "probs": None,
    "unknown_score": None,
    "looks_like": None,
    "heatmap": None,
    "seen": None,
}

log = logging.getLogger("tellapart.server")


class Inference:
    """The model being served and what works for it; to be used within one event loop.

    Args:
        folder: the model's folder, which `reload` reads again.
        n_lanes: photos decoded, and photos computed, at once.
    """

    def __init__(self, folder: Path, n_lanes: int) -> None:
        self.registry = CollectorRegistry()
        self.counters = PhotoCounters(self.registry)
        self.room = Budget()
        self.rate_limit = RateLimit(n_lanes)
        self.decoders = DecoderPool(n_lanes)
        self._folder = folder
        self._n_lanes = n_lanes
        self._threads = ThreadPoolExecutor(n_lanes, thread_name_prefix="network")
        self._model: ServingModel | None = None
        self._reloading = asyncio.Lock()
        self.counters.waiting.set_function(lambda: self.room.photos)
        self.counters.decoders.set_function(lambda: self.decoders.n_ready)
        self.counters.deaths.set_function(lambda: self.decoders.n_deaths)

    @property
    def ready(self) -> bool:
        """Whether the self-test photo was answered as expected and a photo can be decoded now."""
        return self._model is not None and self.decoders.n_ready > 0

    @property
    def model(self) -> ServingModel:
        """The model that answers now.

        Raises:
            Problem: 503, there is none yet.
        """
        if self._model is None:
            raise busy("The model is still being loaded.")
        return self._model

    async def serve(self, model: ServingModel) -> bool:
        """Let `model` answer from now on, if it answers the self-test photo as it must; whether it does."""
        pixels = await self.decoders.decode(self_test_photo(), model.predictor.preprocessing)
        passed: bool = await self._in_thread(is_as_expected, model.predictor, pixels)
        if passed:
            self._model = model
        return passed

    async def reload(self) -> None:
        """Read the model's folder again. Whatever is wrong with it, the model that answers now goes on."""
        async with self._reloading:
            try:
                model = await asyncio.to_thread(open_model, self._folder, streams=self._n_lanes)
                passed = await self.serve(model)
            except TellapartError as error:
                log.error("The old model goes on: %s", error.message)  # noqa: TRY400  # a sentence, no trace
                passed = False
            else:
                if passed:
                    log.info("The model was read again.")
                else:
                    log.error("The old model goes on: the new one answers the golden photo otherwise than it must.")
            self.counters.reloads.labels("served" if passed else "refused").inc()

    async def predict(self, photos: Sequence[Photo], *, heatmap: bool, charge: Charge) -> list[dict[str, Any]]:
        """One answer a photo, in their order; a photo that cannot be read gets the reason as `error`.

        `charge` is told the seconds that the work took; without the waiting.
        """
        model = self.model
        if len(photos) == 1:
            return [await self._predict_one(model, photos[0], heatmap, charge)]
        turns = asyncio.Semaphore(self._n_lanes)

        async def in_turn(photo: Photo) -> dict[str, Any]:
            async with turns:
                return await self._predict_one(model, photo, heatmap, charge)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(in_turn(photo)) for photo in photos]
        return [task.result() for task in tasks]

    async def close(self) -> None:
        """End the children and threads."""
        await self.decoders.close()
        self._threads.shutdown(cancel_futures=True)

    async def _predict_one(self, model: ServingModel, photo: Photo, heatmap: bool, charge: Charge) -> dict[str, Any]:
        try:
            pixels = await self.decoders.decode(photo, model.predictor.preprocessing, charge)
        except PhotoError as error:
            self.counters.photos.labels(error.code).inc()
            return {**EMPTY, "error": of_photo(error)}
        loop = asyncio.get_running_loop()

        def work() -> dict[str, Any]:
            started = time.perf_counter()
            try:
                return model.answer(pixels, heatmap=heatmap)
            finally:  # told from here, so that a client who has left by now pays too
                with suppress(RuntimeError):  # the server has ended
                    loop.call_soon_threadsafe(charge, time.perf_counter() - started)

        said: dict[str, Any] = await self._in_thread(work)
        self.counters.photos.labels("answered").inc()
        return said

    async def _in_thread(self, work: Any, *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
