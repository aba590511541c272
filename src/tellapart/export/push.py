"""A Space's folder, uploaded to Hugging Face."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from tellapart.errors import InputError
from tellapart.extras import missing
from tellapart.text import shown


def require_hub(space: str) -> None:
    """Returns when `push` can start; asked before the work, not after it.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        InputError: the name is none, or there is no token.
    """
    if space.count("/") != 1 or not all(space.split("/")):
        raise InputError(f"'{shown(space)}' does not name a Space.", hint="Write it as user/name.")
    if importlib.util.find_spec("huggingface_hub") is None:  # the one part of the extra that this needs
        raise missing("hub", "Uploading to Hugging Face needs huggingface_hub, which is not installed.")
    if not importlib.import_module("huggingface_hub").get_token():
        raise InputError(
            "There is no Hugging Face token on this machine.",
            hint="Run: hf auth login. Or leave out --push, and upload the folder by hand.",
        )


def push(folder: Path, space: str, sdk: str) -> str:
    """Uploads the Space in `folder` as `user/name`, of the kind `sdk`; the address of its page.

    Raises:
        InputError: Hugging Face refuses, or cannot be reached.
    """
    hub = importlib.import_module("huggingface_hub")
    refusals: tuple[type[Exception], ...] = (OSError, ValueError, RuntimeError, *_hub_errors(hub))
    try:
        api = hub.HfApi()
        api.create_repo(space, repo_type="space", space_sdk=sdk, exist_ok=True)
        # Files of an earlier version must not stay; they might be run.
        api.upload_folder(
            repo_id=space, repo_type="space", folder_path=str(folder), delete_patterns="*", commit_message="tellapart"
        )
    except refusals as error:
        raise InputError(
            f"The Space '{shown(space)}' could not be uploaded.",
            hint=f"May this token write there, and is the network up? {folder} is complete.",
        ) from error
    return f"{hub.constants.ENDPOINT}/spaces/{space}"


def _hub_errors(hub: Any) -> tuple[type[Exception], ...]:
    """What huggingface_hub raises of its own, whichever HTTP library it uses."""
    names = ("HfHubHTTPError", "HFValidationError", "LocalTokenNotFoundError")
    found = [getattr(hub.errors, name, None) for name in names]
    return tuple(error for error in found if isinstance(error, type) and issubclass(error, Exception))
