"""What a check finds: a sentence, what to do, and the photos it is about."""

from dataclasses import asdict, dataclass
from typing import Any


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
