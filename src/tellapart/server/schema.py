"""The shapes of the API's answers, for its OpenAPI description."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from tellapart.server.problem import MEDIA_TYPE


class Refusal(BaseModel):
    """Why a photo is refused."""

    error: str = Field(description="A stable code for programs, such as `truncated` or `busy`.")
    message: str = Field(description="One plain sentence.")
    hint: str = Field(description="What to do next; may be empty.")


class Problem(Refusal):
    """Why a request is refused: RFC 9457, with three members more."""

    type: str = Field(description="Always about:blank; `error` tells refusals apart.")
    title: str = Field(description="What HTTP calls the status.")
    status: int = Field(description="Of HTTP.")
    detail: str = Field(description="The same as `message`.")


class Answer(BaseModel):
    """What the model says about one photo; all null but `error` for one that cannot be read."""

    answer: str | None = Field(description='A class name, "not sure" or "none of these".')
    class_name: str | None = Field(description="The likeliest class, whether or not it is the answer.")
    confidence: float | None = Field(description="Its probability.")
    probs: dict[str, float] | None = Field(description="Every class's probability, likeliest first.")
    unknown_score: float | None = Field(description="Distance from the training photos; higher is further.")
    looks_like: str | None = Field(description='For "none of these", an everyday class it looks more like.')
    heatmap: str | None = Field(description="A data URI of a PNG to lay over the square that the model sees.")
    seen: str | None = Field(description="Always null; kept for the photo as the model sees it.")
    error: Refusal | None = Field(description="Why the photo cannot be read.")


class Answers(BaseModel):
    """One answer a photo, in their order."""

    model: str
    predictions: list[Answer]


class Accuracy(BaseModel):
    """The share of test photos that were right, and what is plausible on others."""

    value: float
    low: float
    high: float


class Promise(BaseModel):
    """What share of real photos gets a class name."""

    kept: float
    low: float
    high: float
    n: int
    n_refused: int
    n_refused_least: int


class Example(BaseModel):
    """A photo to try."""

    src: str
    class_name: str | None


class Limits(BaseModel):
    """What one request may hold."""

    max_photos: int
    max_body_bytes: int


class Model(BaseModel):
    """What the model is, and how well it did on its test photos."""

    name: str
    class_names: list[str]
    headline: str
    n_test: int
    accuracy: Accuracy
    promise: Promise | None
    quality: str
    backbone: str
    input_px: int = Field(description="Side of the square that the model sees, in pixels.")
    fit: Literal["crop", "squash"] = Field(description="How a photo becomes that square.")
    has_heatmap: bool = Field(description="Whether it can show where it looked.")
    sha256: str = Field(description="Of model.onnx.")
    examples: list[Example]
    limits: Limits


REFUSED: dict[str, Any] = {
    "description": "Refused",
    "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
}
UPLOAD = {
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
