"""A folder for a Hugging Face Space, by default the page that needs no server; why is in decision 13."""

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tellapart.export.bundle import Build, Bundle, ModelSource, rendered
from tellapart.export.code import FOR_ANSWERS, NAME, code_files, licences, own_version, pins
from tellapart.export.docker import model_folder
from tellapart.export.proof import FROM_FILES
from tellapart.export.subprocess_runner import APART, SubprocessRunner
from tellapart.export.web import Host, page_folder
from tellapart.model.artifact import MODEL, to_json
from tellapart.text import as_markdown, for_shell, shown

GRADIO = "6.31.0"  # what the folder was tested with
CAPS = {"pillow": "12.3.0"}  # the newest that this Gradio takes beside it
SHORT = 60  # letters of a short description that Hugging Face takes
# A Space's large files lie in Hugging Face's storage. Should its host send visitors there for them, the page lets it.
HUGGING_FACE = Host(storage=" https://huggingface.co https://*.hf.co", asked="no other site than Hugging Face is asked")
EXCLUDED_PACKAGES = ("web/", "export/", "report/")  # parts of tellapart that its app does not need
CAPPED = (
    f"Gradio {GRADIO} takes no newer Pillow than {CAPS['pillow']}, which has known faults; it decodes photos there, in "
    "a process with limits. Without --sdk gradio the visitor's browser decodes them, and the Space sees none."
)


def static_space(source: ModelSource, folder: str) -> Bundle:
    """The page that runs the model in the visitor's browser, with the front matter of a static Space."""
    return page_folder(source, folder, HUGGING_FACE, rendered("space/static.md", _facts(source)))


def gradio_space(source: ModelSource, folder: str) -> Bundle:
    """app.py, the code and the model it asks, pins and the front matter."""
    facts = _facts(source)
    model = model_folder(source, "model/")
    code = {f"{NAME}/{n}": content for n, content in code_files().items() if not n.startswith(EXCLUDED_PACKAGES)}
    about = {
        "name": facts["title"],
        "title": as_markdown(facts["title"]),  # the page shows both as Markdown
        "headline": as_markdown(f"{facts['headline']} {facts['early']}".strip()),
        "examples": [f"model/examples/{example}" for example in source.examples()],
    }
    files = {
        "app.py": rendered("space/app.py.j2", facts),
        "README.md": rendered("space/gradio.md", facts),
        "about.json": to_json(about),
        "requirements.txt": "".join(f"{_capped(pin)}\n" for pin in pins(FOR_ANSWERS)).encode(),
        **code,
        **{f"{NAME}/{name}": text for name, text in licences().items()},
        **model,
    }
    return Bundle(
        files=files,
        model=f"model/{MODEL}",
        form=SubprocessRunner(
            {**code, **model}, f"the tellapart {own_version()} in the folder, decoding in a child process", APART
        ),
        next_step=f"Try it: pip install gradio=={GRADIO}, then python {for_shell(str(Path(folder, 'app.py')))}",
        notes=(CAPPED,),
    )


SPACES: Mapping[str, Build] = {"static": static_space, "gradio": gradio_space}


def _facts(source: ModelSource) -> Mapping[str, Any]:
    """What the templates say of the model."""
    artifact = source.artifact
    return {
        "title": shown(artifact.manifest["name"]),
        "headline": artifact.headline,
        "early": artifact.early,
        "class_names": artifact.class_names,
        "short": f"Tells {len(artifact.class_names)} things apart, or says that it cannot"[:SHORT],
        "gradio": GRADIO,
        "pillow": CAPS["pillow"],
        "python": ".".join(platform.python_version_tuple()[:2]),
        "version": own_version(),
        "bound": FROM_FILES,
    }


def _capped(pin: str) -> str:
    """The pin, or the version that Gradio takes where the one installed here is newer."""
    name, _, version = pin.partition("==")
    cap = CAPS.get(name)
    newer = cap is not None and int(version.split(".")[0]) > int(cap.split(".")[0])
    return f"{name}=={cap}" if newer else pin
