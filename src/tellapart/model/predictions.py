"""What a model says about photos, as values: for code, for a screen of text, for a notebook, as a data frame."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from tellapart.errors import MissingExtraError
from tellapart.model.thumbnail import thumbnail_of
from tellapart.text import Html, counted, html_photo, html_table, quoted, shown, tag

SHOWN_CLASSES = 5  # the likeliest, of one photo
SHOWN_LINES = 15  # of many photos, as text: with the first line they fit a screen
SHOWN_PHOTOS = 24  # of many photos, in a notebook: a screen of pictures, 150 kB
_BAR = "display:inline-block;height:0.7em;background:currentColor;opacity:0.6"


@dataclass(frozen=True)
class Prediction:
    """The answer about one photo.

    Args:
        photo: its path or name as given.
        answer: a class name, "not sure", "none of these", or None for a photo that could not be read.
        class_name: the likeliest class, whether or not it is the answer; None with an error.
        confidence: its probability.
        probs: {class name: probability}, likeliest first.
        ood_score: distance from the training photos, higher is further; None where the model has none.
        looks_like: for "none of these", which of ImageNet's 1,000 classes it looks more like, where one is likely.
        error: why the photo could not be read, a plain sentence, or None.
        between: for "not sure", the classes in question: those not to be missed that claim it, else the two likeliest.
        on_disk: whether `photo` is the path by which it was given, so that a notebook can show it.
    """

    photo: str
    answer: str | None
    class_name: str | None = None
    confidence: float | None = None
    probs: Mapping[str, float] | None = None
    ood_score: float | None = None
    looks_like: str | None = None
    error: str | None = None
    between: tuple[str, ...] = ()
    on_disk: bool = field(default=False, compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """The machine contract: one flat object."""
        return {
            "photo": self.photo,
            "answer": self.answer,
            "class_name": self.class_name,
            "confidence": self.confidence,
            "probs": dict(self.probs or {}),
            "unknown_score": self.ood_score,
            "looks_like": self.looks_like,
            "error": self.error,
        }

    def in_words(self) -> str:
        """The answer, what it is between or what it looks like, and how sure it is."""
        if self.error is not None:
            return self.error
        own = dict(self.probs or {}).get(str(self.answer))
        told = f": {' or '.join(self.between)}" if self.between else ""
        told += f" (looks more like {self.looks_like})" if self.looks_like else ""
        return f"{self.answer}{told}" + ("" if own is None else f", {percent(own)}")

    def __repr__(self) -> str:
        name = f"{quoted(self.photo)}: " if self.photo else ""
        likeliest = list((self.probs or {}).items())[:SHOWN_CLASSES]
        beside = "; ".join(f"{shown(name)} {percent(p)}" for name, p in likeliest)
        return f"<Prediction {name}{shown(self.in_words())}{f' [{beside}]' if beside else ''}>"

    def _repr_html_(self) -> str:
        likeliest = list((self.probs or {}).items())[:SHOWN_CLASSES]
        rows = [
            (name, percent(p), tag("span", style=f"{_BAR};width:{max(1, round(160 * p))}px")) for name, p in likeliest
        ]
        picture = html_photo(self.picture(), name=self.photo) if self.photo else Html()
        said = tag("p", tag("strong", self.in_words()))
        return tag("div", picture, tag("div", said, html_table(("class", "probability", ""), rows) if rows else ""))

    def picture(self) -> str:
        """A small copy of the photo as a data URI; empty where it was not given by its path, or is gone."""
        return thumbnail_of(self.photo) if self.on_disk and self.error is None else ""


class Predictions(list[Prediction]):
    """The answers about many photos, in their order: a list that a notebook shows as a table."""

    def to_pandas(self) -> Any:
        """A data frame of pandas, a row a photo: what `to_json` says, and of each class its probability as `p_CLASS`.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            pandas = import_module("pandas")
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                "A data frame needs pandas, which is not installed.", hint="Run: pip install pandas"
            ) from error
        flat = [{key: value for key, value in p.to_json().items() if key != "probs"} for p in self]
        columns = list(Prediction("", None).to_json())
        columns.remove("probs")
        names = list(dict.fromkeys(name for p in self for name in sorted(p.probs or {})))
        probs = {f"p_{name}": [(p.probs or {}).get(name) for p in self] for name in names}
        return pandas.concat(
            [pandas.DataFrame(flat, columns=columns), pandas.DataFrame(probs, dtype=float, index=range(len(self)))],
            axis=1,
        )

    def __repr__(self) -> str:
        lines = [f"{i}: {prediction!r}" for i, prediction in enumerate(self[:SHOWN_LINES])]
        more = [f"… and {len(self) - SHOWN_LINES:,} more"] if len(self) > SHOWN_LINES else []
        return "\n".join([f"<Predictions of {counted(len(self), 'photo')}>", *lines, *more])

    def _repr_html_(self) -> str:
        shown_ones = self[:SHOWN_PHOTOS]
        rest = counted(len(self) - SHOWN_PHOTOS, "more photo") if len(self) > SHOWN_PHOTOS else ""
        return tag("div", *map(_figure, shown_ones), tag("p", f"… and {rest}: to_pandas() has all.") if rest else "")


def percent(share: float) -> str:
    """A probability for people; nothing is certain."""
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"


def _figure(prediction: Prediction) -> Html:
    name = prediction.photo.replace("\\", "/").rpartition("/")[2]
    return html_photo(prediction.picture(), tag("strong", prediction.in_words()), name=name)
