"""A folder for a Hugging Face Space: a Gradio page with pinned versions; and its upload."""

import importlib
import importlib.util
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tellapart.artifact import MODEL, to_json
from tellapart.data.wording import as_markdown, shown
from tellapart.errors import InputError, MissingExtraError
from tellapart.export.built import Built, Source, rendered
from tellapart.export.code import FOR_ANSWERS, NAME, code_files, own_version, pins
from tellapart.export.docker import model_folder
from tellapart.export.elsewhere import CarriedForm

GRADIO = "6.31.0"  # what the folder was tested with
CAPS = {"pillow": "12.3.0"}  # the newest that this Gradio takes beside it
SHORT = 60  # letters of a short description that Hugging Face takes
SPARED = ("server/", "web/", "export/", "report/")  # parts of tellapart that answering does not need


def space_folder(source: Source, name: str) -> Built:
    """app.py, the code and the model it asks, pins and the front matter."""
    artifact = source.artifact
    model = model_folder(source, "model/")
    code = {f"{NAME}/{n}": content for n, content in code_files().items() if not n.startswith(SPARED)}
    title = shown(artifact.manifest["name"])
    facts: Mapping[str, Any] = {
        "title": title,
        "headline": artifact.headline,
        "class_names": artifact.class_names,
        "short": f"Tells {len(artifact.class_names)} things apart, or says that it cannot"[:SHORT],
        "gradio": GRADIO,
        "python": ".".join(platform.python_version_tuple()[:2]),
        "version": own_version(),
    }
    about = {
        "name": title,
        "title": as_markdown(title),  # the page shows both as Markdown
        "headline": as_markdown(facts["headline"]),
        "examples": [f"model/examples/{example}" for example in source.examples()],
    }
    files = {
        "app.py": rendered("space/app.py.j2", facts),
        "README.md": rendered("space/README.md", facts),
        "about.json": to_json(about),
        "requirements.txt": "".join(f"{_capped(pin)}\n" for pin in pins(FOR_ANSWERS)).encode(),
        **code,
        **model,
    }
    return Built(
        files=files,
        model=f"model/{MODEL}",
        form=CarriedForm({**code, **model}, f"the tellapart {own_version()} in the folder, in a process of its own"),
        next_step=f"Try it: pip install gradio=={GRADIO}, then python {name}/app.py",
        notes=("Its examples/ hold small copies of some of your test photos, for all to see once public.",),
    )


def _capped(pin: str) -> str:
    """The pin, or the version that Gradio takes where the one installed here is newer."""
    name, _, version = pin.partition("==")
    cap = CAPS.get(name)
    newer = cap is not None and int(version.split(".")[0]) > int(cap.split(".")[0])
    return f"{name}=={cap}" if newer else pin


def require_hub(space: str) -> None:
    """Returns when `push` can start; asked before the work, not after it.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        InputError: the name is none, or there is no token.
    """
    if space.count("/") != 1 or not all(space.split("/")):
        raise InputError(f"'{shown(space)}' does not name a Space.", hint="Write it as user/name.")
    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingExtraError(
            "Uploading to Hugging Face needs huggingface_hub, which is not installed.",
            hint='Run: pip install "tellapart[hub]"',
        )
    if not importlib.import_module("huggingface_hub").get_token():
        raise InputError(
            "There is no Hugging Face token on this machine.",
            hint="Run: hf auth login. Or leave out --push, and upload the folder by hand.",
        )


def push(folder: Path, space: str) -> str:
    """Uploads the Space in `folder` as `user/name`; the address of its page.

    Raises:
        InputError: Hugging Face refuses, or cannot be reached.
    """
    hub = importlib.import_module("huggingface_hub")
    refusals: tuple[type[Exception], ...] = (OSError, ValueError, RuntimeError, *_hub_errors(hub))
    try:
        api = hub.HfApi()
        api.create_repo(space, repo_type="space", space_sdk="gradio", exist_ok=True)
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
