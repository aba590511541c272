"""The page of one photo: what the model answered, and pictures of how it came to that."""

import io
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.photo import decode, read
from tellapart.errors import PhotoError
from tellapart.model.cam import data_uri
from tellapart.model.explain import DEPTHS, Inside, Layer
from tellapart.model.thumbnail import make_thumbnail
from tellapart.report.page import UNIT_SPACE, environment, percent

PAGE = "explanation.html"
LAYERS = tuple(f"layer-{number}" for number in range(1, len(DEPTHS) + 2))
FILES = frozenset({PAGE, *(f"{name}.png" for name in ("seen", "where-it-looked", "covered", "filters", *LAYERS))})
SHOWN_CLASSES = 5
SHOWN_FILTERS = 64  # eight rows; those of a vision transformer would be a hundred
NOTABLE = np.log(2)  # of a change in log-odds: twice or half the odds
FOLD_SHOWN = np.log(1e6)  # at most
PICTURE_PX = 320  # side of the pictures of the photo
FILTER_PX, MAP_PX, GAP_PX = 28, 96, 4  # sides of one tile in a picture of many, and between them
VEIL = np.array([14, 18, 22], np.float32)  # the colour of what did not count,
GLOW = np.array([255, 132, 38], np.float32)  # of what did,
CHILL = np.array([56, 132, 255], np.float32)  # and of what spoke against
WHITE = np.array([255, 255, 255], np.float32)
VEIL_OPACITY, GLOW_OPACITY = 0.72, 0.5

Picture = NDArray[np.uint8]


def inside_page(inside: Inside, model_name: str, photo_name: str, *, learned: bool = True) -> dict[str, bytes]:
    """{file name: content} of the page, which is whole by itself, and of its pictures.

    Args:
        inside: what the model does with the photo.
        model_name: name of the model folder.
        photo_name: name of the photo, shown as text.
        learned: whether the photos most alike are among those that the model learned from.
    """
    pictures = _pictures(inside)
    files = {f"{name}.png": _png(picture) for name, picture in pictures.items()}
    prediction = inside.prediction
    shown = list((prediction.probs or {}).items())[:SHOWN_CLASSES]
    template = environment().get_template("inside.html.j2")
    page = template.render(
        model_name=model_name,
        photo_name=photo_name,
        learned=learned,
        answer=prediction.answer,
        class_name=prediction.class_name,
        looks_like=prediction.looks_like,
        classes=[{"name": name, "share": share, "percent": percent(share)} for name, share in shown],
        pictures={name: data_uri(files[f"{name}.png"]) for name in pictures},
        has_activation=inside.activation is not None,
        needs_a_place=inside.occlusion.max() >= NOTABLE,
        depends=_depends(inside),
        layers=[_layer(name, layer) for name, layer in zip(LAYERS, inside.layers, strict=False)],
        n_filters=0 if inside.filters is None else len(inside.filters),
        shown_filters=SHOWN_FILTERS,
        neighbours=[
            {"name": _beside(one.path), "likeness": f"{one.cosine:.2f}", "picture": _thumbnail(one.path)}
            for one in inside.neighbours
        ],
    )
    return {PAGE: page.encode("utf-8", "replace"), **files}


def _pictures(inside: Inside) -> dict[str, Picture]:
    occlusion = inside.occlusion
    strongest = max(float(np.abs(occlusion).max()), 1e-6)
    pictures = {
        "seen": _enlarged(inside.pixels),
        "covered": _overlaid(inside.pixels, (occlusion / strongest).clip(0), (-occlusion / strongest).clip(0)),
    }
    if inside.activation is not None:
        pictures["where-it-looked"] = _overlaid(inside.pixels, inside.activation, np.zeros_like(inside.activation))
    if inside.filters is not None:
        shown = np.rint(inside.filters[:SHOWN_FILTERS] * 255).astype(np.uint8)
        pictures["filters"] = _tiled(shown, FILTER_PX, columns=8)
    tiled = (_tiled(_warm(layer.maps), MAP_PX, columns=4) for layer in inside.layers)
    return pictures | dict(zip(LAYERS, tiled, strict=False))


def _depends(inside: Inside) -> str:
    """How much one place counts, in a sentence or two."""
    name, sentences = inside.prediction.class_name, []
    for place, change, verb in (("orange", inside.occlusion.max(), "fall"), ("blue", -inside.occlusion.min(), "rise")):
        if change >= NOTABLE:
            fold = f"{np.exp(min(float(change), FOLD_SHOWN)):,.0f}"
            sentences.append(f"With the most {place} place covered, the odds of “{name}” {verb} {fold}-fold.")
    return " ".join(sentences) or "No place counts much by itself: with any of them covered, it is about as sure."


def _layer(picture: str, layer: Layer) -> dict[str, object]:
    return {
        "picture": picture,
        "depth": "the end" if layer.depth == 1 else "the start" if layer.depth == 0 else percent(layer.depth),
        "n": layer.n,
        "shown": len(layer.maps),
        "places": f"{layer.maps.shape[2]}{UNIT_SPACE}×{UNIT_SPACE}{layer.maps.shape[1]}",
        "last": layer.depth == 1,  # only the map whose mean the features are; every other layer has some after it
    }


def _overlaid(pixels: Picture, warm: NDArray[np.float32], cold: NDArray[np.float32]) -> Picture:
    """The photo, dark where nothing counted, as it is in between, coloured where much did."""
    photo = _enlarged(pixels).astype(np.float32)
    for_it, against = (_smooth(cells, len(photo))[..., None] for cells in (warm, cold))
    counts = np.maximum(for_it, against)
    colour = np.where(for_it >= against, GLOW, CHILL)
    veil = VEIL_OPACITY * (1 - 2 * counts).clip(0)
    glow = GLOW_OPACITY * (2 * counts - 1).clip(0)
    mixed: Picture = np.rint(photo * (1 - veil - glow) + veil * VEIL + glow * colour).astype(np.uint8)
    return mixed


def _smooth(cells: NDArray[np.float32], side_px: int) -> NDArray[np.float32]:
    enlarged = Image.fromarray(cells.astype(np.float32)).resize((side_px, side_px), Image.Resampling.BICUBIC)
    return np.asarray(enlarged).clip(0, 1)


def _enlarged(pixels: Picture) -> Picture:
    return np.asarray(Image.fromarray(pixels).resize((PICTURE_PX, PICTURE_PX), Image.Resampling.BICUBIC))


def _warm(maps: NDArray[np.float32]) -> Picture:
    """(K, h, w, 3): from dark over orange to white, so that bright is much."""
    stops = np.stack([VEIL, GLOW, WHITE])
    channels = [np.interp(maps, (0, 0.6, 1), stops[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def _tiled(tiles: Picture, tile_px: int, *, columns: int) -> Picture:
    """`tiles` (K, h, w, 3) in rows of `columns`, each enlarged without smoothing, on a ground of middle grey."""
    rows = -(-len(tiles) // columns)
    step = tile_px + GAP_PX
    ground = np.full((rows * step - GAP_PX, min(columns, len(tiles)) * step - GAP_PX, 3), 128, np.uint8)
    for i, tile in enumerate(tiles):
        top, left = i // columns * step, i % columns * step
        enlarged = Image.fromarray(tile).resize((tile_px, tile_px), Image.Resampling.NEAREST)
        ground[top : top + tile_px, left : left + tile_px] = np.asarray(enlarged)
    return ground


def _beside(path: str) -> str:
    """The photo and its folder, which is its class; where on a machine they lie is nobody else's business."""
    return "/".join(PurePath(path).parts[-2:])


def _thumbnail(path: str) -> str:
    """A small copy of the photo; empty where it can no longer be read."""
    try:
        return make_thumbnail(decode(read(path)), 280)
    except PhotoError:
        return ""


def _png(picture: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
