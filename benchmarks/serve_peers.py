"""The same model behind other servers, each as its own documentation shows it; benchmarks/serve.py starts these.

    python benchmarks/serve_peers.py fastapi|litserve|gradio MODEL PORT

Each decodes with Pillow and runs MODEL/model.onnx with ONNX Runtime's defaults, as people do.
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

KIND, MODEL, PORT = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
MANIFEST = json.loads((MODEL / "manifest.json").read_text(encoding="utf-8"))
NAMES, PX = MANIFEST["class_names"], MANIFEST["preprocess"]["input_px"]


class Classifier:
    def __init__(self) -> None:
        self.session = onnxruntime.InferenceSession(str(MODEL / "model.onnx"), providers=["CPUExecutionProvider"])

    def pixels(self, data: bytes) -> np.ndarray:
        with Image.open(io.BytesIO(data)) as image:
            return self.square(image)

    def square(self, image: Image.Image) -> np.ndarray:
        upright = ImageOps.exif_transpose(image).convert("RGB")
        return np.asarray(ImageOps.fit(upright, (PX, PX), Image.Resampling.BILINEAR))

    def probs(self, pixels: np.ndarray) -> dict[str, float]:
        [probs] = self.session.run(["probs"], {"pixels": pixels[None]})
        return dict(zip(NAMES, map(float, probs[0]), strict=True))


def fastapi() -> None:
    import uvicorn
    from fastapi import FastAPI, UploadFile

    app = FastAPI()
    classifier = Classifier()

    @app.post("/predict")
    def predict(photos: UploadFile) -> dict[str, float]:  # a plain function: FastAPI runs it in its threads
        return classifier.probs(classifier.pixels(photos.file.read()))

    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning", access_log=False)


if KIND == "litserve":  # its workers import this file again, and must find the class
    import litserve as ls

    class Api(ls.LitAPI):
        def setup(self, device):
            self.classifier = Classifier()

        def decode_request(self, request):
            return self.classifier.pixels(request["photos"].file.read())

        def predict(self, pixels):
            return self.classifier.probs(pixels)

        def encode_response(self, probs):
            return probs


def litserve() -> None:
    server = ls.LitServer(Api(), accelerator="cpu", workers_per_device=2)
    server.run(host="127.0.0.1", port=PORT, log_level="warning", generate_client_file=False)


def gradio() -> None:
    import gradio as gr

    classifier = Classifier()

    def predict(image: Image.Image) -> dict[str, float]:
        return classifier.probs(classifier.square(image))

    page = gr.Interface(predict, gr.Image(type="pil"), gr.Label(), api_name="predict", concurrency_limit=8)
    page.launch(server_name="127.0.0.1", server_port=PORT, quiet=True)


if __name__ == "__main__":
    {"fastapi": fastapi, "litserve": litserve, "gradio": gradio}[KIND]()
