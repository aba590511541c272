"""The same answers from model.onnx without tellapart: ONNX Runtime, Pillow and NumPy are enough.

    pip install onnxruntime pillow numpy
    python examples/any_onnx_runtime.py MODEL/model.onnx PHOTO [PHOTO ...]

Prints one JSON object a photo: photo, answer, probs. The graph holds the normalisation, the networks, the head and the
temperature; its metadata holds the class names, the preprocessing and the thresholds. What is left to do outside is to
make a photo upright, square and of the right size. docs/artifact.md is the whole definition.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def read_photo(path, input_px, fit):
    """(1, px, px, 3) uint8. A photo in another colour space than sRGB needs converting first (Pillow's ImageCms)."""
    image = Image.open(path)
    image.draft(None, (2 * input_px, 2 * input_px))  # a large JPEG is decoded at 1/2, 1/4 or 1/8 of its size
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    image = image.convert("RGB")
    box = (0.0, 0.0, float(image.width), float(image.height))
    if fit == "crop":  # the middle square
        side = min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        box = (left, top, left + side, top + side)
    # Pillow's BILINEAR is antialiased: every pixel of a large photo counts.
    return np.asarray(image.resize((input_px, input_px), Image.Resampling.BILINEAR, box=box))[None]


def answer(class_names, probs, unknown_score, thresholds):
    far, doubt = thresholds["unknown_score"], thresholds["confidence"]
    if far is not None and unknown_score > far:
        return "none of these"
    if doubt is not None and probs.max() < doubt:
        return "not sure"
    return class_names[int(probs.argmax())]


def main(model, *photos):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    kept = session.get_modelmeta().custom_metadata_map
    class_names, how, thresholds = (
        json.loads(kept[f"tellapart.{key}"]) for key in ("class_names", "preprocess", "thresholds")
    )
    for photo in photos:
        pixels = read_photo(photo, how["input_px"], how["fit"])
        (probs,), (unknown_score,) = session.run(["probs", "unknown_score"], {"pixels": pixels})
        row = {
            "photo": photo,
            "answer": answer(class_names, probs, unknown_score, thresholds),
            "probs": {name: float(p) for name, p in zip(class_names, probs, strict=True)},
        }
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
