"""What the child can be asked for, by name."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from tellapart.studio.work.desk import Desk
from tellapart.studio.work.doubts import doubts
from tellapart.studio.work.queues import alike, strips, suggestions
from tellapart.studio.work.score import advice, score
from tellapart.studio.work.share import export_model, train_model
from tellapart.studio.work.stacks import found_stacks
from tellapart.studio.work.trial import trial
from tellapart.studio.work.write import copy_out, move, unmove, zip_out
from tellapart.timing import Progress

# Given the desk, what was asked, and whom to tell how it goes on; what comes back is JSON.
Task = Callable[[Desk, Mapping[str, Any], Progress], Any]


def read(desk: Desk, _: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Read every photo, so that all else is quick."""
    seen = desk.seen(progress)
    return {
        "n_photos": len(seen.photos),
        "unreadable": list(seen.unreadable.items()),
        "stacks": found_stacks(seen, desk.state.marks),
    }


TASKS: Final[Mapping[str, Task]] = {
    **{"read": read, "doubts": doubts},
    **{"score": score, "advice": advice},
    **{"strips": strips, "suggestions": suggestions, "alike": alike},
    **{"train": train_model, "export": export_model, "try": trial},
    **{"copy_out": copy_out, "zip_out": zip_out, "move": move, "unmove": unmove},
}
