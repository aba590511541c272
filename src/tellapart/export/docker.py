"""A folder for `docker build`: the server, the model, every version pinned and every file held to its hash."""

import platform

from tellapart.export.bundle import Bundle, ModelSource, rendered
from tellapart.export.code import FOR_ANSWERS, FOR_THE_SERVER, NAME, code_files, own_version, pins, wheel
from tellapart.export.hashes import DEBIAN, hashed_pins
from tellapart.export.subprocess_runner import SubprocessRunner
from tellapart.model.artifact import MODEL, OUT_OF_FOLD, seal, sha256, slug
from tellapart.text import counted, for_shell, shown

IGNORED = b"README.md\nexport.json\n"  # what the image need not hold
UNHASHED = (
    "The packages are held to their versions, not to hashes: pip found no package index to ask. Export again where it "
    "does, and the image installs with --require-hashes."
)


def docker_folder(source: ModelSource, folder: str) -> Bundle:
    """Dockerfile, wheel, pins and the model folder as it is."""
    artifact = source.artifact
    wheel_name, packed = wheel()
    code = {f"{NAME}/{file}": content for file, content in code_files().items()}
    model = model_folder(source, "model/")
    python = ".".join(platform.python_version_tuple()[:2])
    source.progress("asking for hashes", 0, 1)
    requirements, machines = hashed_pins(pins((*FOR_ANSWERS, *FOR_THE_SERVER)), python)
    source.progress("asking for hashes", 1, 1)
    facts = {
        "early": artifact.early,
        "examples": counted(len(artifact.examples), "photo") if artifact.examples else "",
        "name": shown(artifact.manifest["name"]),  # one line, whatever a stranger's model is called
        "tag": slug(artifact.manifest["name"], "classifier"),
        "version": own_version(),
        "python": python,
        "debian": DEBIAN,
        "machines": " and ".join(machines),
        "wheel": wheel_name,
        "wheel_sha256": sha256(packed),
    }
    files = {
        "Dockerfile": rendered("docker/Dockerfile", facts),
        "README.md": rendered("docker/README.md", facts),
        ".dockerignore": IGNORED,
        "requirements.txt": "".join(f"{line}\n" for line in requirements).encode(),
        wheel_name: packed,
        **model,
    }
    return Bundle(
        files=files,
        model=f"model/{MODEL}",
        form=SubprocessRunner(
            {**code, **model}, f"the tellapart {own_version()} in the folder, in a process of its own"
        ),
        next_step=f"docker build --pull -t {facts['tag']} {for_shell(folder)}",
        notes=() if machines else (UNHASHED,),
    )


def model_folder(source: ModelSource, prefix: str) -> dict[str, bytes]:
    """{prefix + name: content} of a model folder with what answering needs.

    The report and the card stay at home: they are pages, in a stranger's model a stranger's, and a folder that is put
    on a server would serve them under its owner's name. They also show more of the test photos than the examples do.
    The out-of-fold values stay too: nobody sets thresholds there.
    """
    needed = {name: content for name, content in source.artifact.files.items() if name != OUT_OF_FOLD}
    sealed = seal(source.artifact.manifest, needed)
    return {prefix + name: sealed[name] for name in sorted(sealed)}
