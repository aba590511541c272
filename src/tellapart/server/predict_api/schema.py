"""The shapes of what the API answers and takes, for its OpenAPI description."""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType


class Refusal(Struct):
    """Why a photo is refused."""

    error: Annotated[str, Meta(description="A stable code for programs, such as `truncated` or `busy`.")]
    message: Annotated[str, Meta(description="One plain sentence.")]
    hint: Annotated[str, Meta(description="What to do next; may be empty.")]


class Problem(Refusal):
    """Why a request is refused: RFC 9457, with three members more."""

    type: Annotated[str, Meta(description="Always about:blank; `error` tells refusals apart.")]
    title: Annotated[str, Meta(description="What HTTP calls the status.")]
    status: Annotated[int, Meta(description="Of HTTP.")]
    detail: Annotated[str, Meta(description="The same as `message`.")]


class Answer(Struct):
    """What the model says about one photo; all null but `error` for one that cannot be read."""

    answer: Annotated[str | None, Meta(description='A class name, "not sure" or "none of these".')]
    class_name: Annotated[str | None, Meta(description="The likeliest class, whether or not it is the answer.")]
    confidence: Annotated[float | None, Meta(description="Its probability.")]
    probs: Annotated[dict[str, float] | None, Meta(description="Every class's probability, likeliest first.")]
    unknown_score: Annotated[float | None, Meta(description="Distance from the training photos; higher is further.")]
    looks_like: Annotated[str | None, Meta(description='For "none of these", an everyday class it looks more like.')]
    heatmap: Annotated[str | None, Meta(description="A data URI of a PNG to lay over the square that the model sees.")]
    seen: Annotated[str | None, Meta(description="Always null; kept for the photo as the model sees it.")]
    error: Annotated[Refusal | None, Meta(description="Why the photo cannot be read.")]


class Answers(Struct):
    """One answer a photo, in their order."""

    model: str
    predictions: list[Answer]


class Accuracy(Struct):
    """The share of test photos that were right, and what is plausible on others."""

    value: float
    low: float
    high: float


class Promise(Struct):
    """What share of real photos gets a class name."""

    kept: float
    low: float
    high: float
    n: int
    n_refused: int
    n_refused_least: int
    n_scenes: Annotated[int, Meta(description="Scenes that the photos are of, where they repeat.")] | UnsetType = UNSET


class NeverMiss(Struct):
    """A class that must not be missed: from which probability on it is named, and what that promises."""

    class_name: str
    label: Annotated[int, Meta(description="Its place among class_names.")]
    probability: Annotated[float, Meta(description="From which on a photo gets its name.")]
    recall: Annotated[float, Meta(description="The share of its photos that was asked not to be missed.")]
    kept: Annotated[float, Meta(description="The share promised, between low and high.")]
    low: float
    high: float
    n: Annotated[int, Meta(description="Photos of it that this comes from.")]
    n_scenes: Annotated[int, Meta(description="Scenes that those are of.")]
    sentence: Annotated[str, Meta(description="All of this for people.")]


class Example(Struct):
    """A photo to try."""

    src: str
    class_name: str | None


class Limits(Struct):
    """What one request may hold."""

    max_photos: int
    max_body_bytes: int


class Model(Struct):
    """What the model is, and how well it did on its test photos."""

    name: str
    class_names: list[str]
    headline: Annotated[str, Meta(description="Of the test photos that it had not learned from.")]
    headline_with_leaks: Annotated[str | None, Meta(description="Of all test photos, where it had learned from some.")]
    n_test: Annotated[int, Meta(description="Test photos that it had not learned from.")]
    accuracy: Annotated[Accuracy | None, Meta(description="Of those; null where there are none.")]
    promise: Promise | None
    early: Annotated[str, Meta(description='Why "none of these" has no promise yet; may be empty.')]
    never_miss: list[NeverMiss]
    quality: str
    backbone: str
    input_px: Annotated[int, Meta(description="Side of the square that the model sees, in pixels.")]
    fit: Annotated[Literal["crop", "squash"], Meta(description="How a photo becomes that square.")]
    has_heatmap: Annotated[bool, Meta(description="Whether it can show where it looked.")]
    sha256: Annotated[str, Meta(description="Of model.onnx.")]
    examples: list[Example]
    limits: Limits


HEATMAP: Final = {
    "name": "heatmap",
    "in": "query",
    "required": False,
    "schema": {"type": "boolean", "default": False},
}
UPLOAD: Final = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["photos"],
                "properties": {"photos": {"type": "array", "items": {"type": "string", "format": "binary"}}},
            }
        }
    },
}
