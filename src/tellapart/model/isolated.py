"""A model whose photos are decoded by other processes, for apps other than our server: an exported Space's."""

import asyncio
import os

import numpy as np
from numpy.typing import NDArray

from tellapart.data import photo
from tellapart.errors import PhotoError
from tellapart.model.prediction import Predictor
from tellapart.model.predictions import Prediction
from tellapart.sandbox.decoder_pool import DecoderPool


class ApartPredictor:
    """Answers about files that strangers sent; to be used within one event loop.

    Args:
        predictor: the compiled model.
        n_lanes: photos decoded, and photos computed, at once.
    """

    def __init__(self, predictor: Predictor, n_lanes: int) -> None:
        self._predictor = predictor
        self._decoders = DecoderPool(n_lanes)
        self._started = False

    async def predict(self, path: str | os.PathLike[str]) -> tuple[Prediction, NDArray[np.uint8] | None]:
        """The prediction, without the file's name, and the (px, px, 3) uint8 that the model saw.

        A photo that cannot be read gives a prediction with `error` set, and no pixels.
        """
        if not self._started:  # here, because children belong to the event loop that runs now
            self._started = True
            self._decoders.start()
        try:
            data = await asyncio.to_thread(photo.read, path)
            pixels = await self._decoders.decode(data, self._predictor.preprocessing)
        except PhotoError as error:
            return Prediction("", None, error=error.message), None
        answers = await asyncio.to_thread(self._predictor.answers, pixels)
        return self._predictor.prediction(answers), pixels

    async def close(self) -> None:
        """End the children."""
        await self._decoders.close()
