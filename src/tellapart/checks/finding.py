"""What a check finds: a sentence, what to do, and the photos it is about."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tellapart.text import Html, counted, html_fold, html_photo, in_python, shown, tag

SHOWN_PHOTOS = 12  # of one finding, in a notebook, as many as a row or two; the page of `check` shows more


@dataclass(frozen=True)
class Finding:
    """One thing that a person may want to mend.

    Args:
        kind: stable name, such as `leak`.
        sentence: what, and how many.
        advice: what to do.
        photos: the photos it is about, worst first, each with a note; for pairs the photo, its twin and the kind.
        sure: how sure this is, in words, with its number where there is one.
        suspects: photos, named as in the dataset, that are better set aside; never all of a set of copies, unless
            they contradict each other.
        likely_wrong: of photos that contradict each other, those whose own class looks wrong, surest first: the photo,
            the class it is in, and the one it looks like, as in the finding `mislabelled`.
    """

    kind: str
    sentence: str
    advice: str
    photos: tuple[tuple[str, ...], ...] = ()
    sure: str = ""
    suspects: tuple[str, ...] = ()
    likely_wrong: tuple[tuple[str, ...], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The finding as a JSON-able dict."""
        return asdict(self)

    def __repr__(self) -> str:
        photos = f" ({counted(len(self.photos), 'row')} in .photos)" if self.photos else ""
        return shown(f"<Finding {self.kind}: {self.sentence}{photos}>")

    def _repr_html_(self) -> str:
        return self.as_html({})

    def as_html(self, pictures: Mapping[str, str]) -> Html:
        """The finding for a notebook, with the `pictures` {photo: data URI} that there are."""
        rows = [
            tag(
                "span",
                *(html_photo(pictures[word], name=word) if word in pictures else tag("div", word) for word in row),
            )
            for row in self.photos[:SHOWN_PHOTOS]
        ]
        more = counted(len(self.photos) - SHOWN_PHOTOS, "more row")
        rest = [tag("p", f"… and {more} in .photos")] if len(self.photos) > SHOWN_PHOTOS else []
        fold = html_fold(counted(len(self.photos), "row"), *rows, *rest) if rows else ""
        return tag("div", tag("p", tag("strong", self.sentence), " ", in_python(self.advice), " ", self.sure), fold)
