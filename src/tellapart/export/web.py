"""A page that needs no server: the model runs in the visitor's browser."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from tellapart.data import photo
from tellapart.data.preprocess import Preprocess
from tellapart.engine.backbone import imagenet_class_names
from tellapart.errors import TellapartError
from tellapart.export import runtime
from tellapart.export.browser import BrowserRunner, find_chromium
from tellapart.export.bundle import TEMPLATES, Bundle, ModelSource, rendered
from tellapart.export.code import licences
from tellapart.export.graphs import Array, GraphRunner, any_runtime, cannot_run
from tellapart.export.proof import FROM_FILES, ExportRunner
from tellapart.export.web_graph import web_graph
from tellapart.model.artifact import MODEL, Artifact, facts_of, sha256, to_json
from tellapart.model.example_names import shown_classes
from tellapart.text import counted, for_shell, shown

PAGES = TEMPLATES.parents[1] / "web"
FOLDER = "model/"
GRAPH = "model.bin"  # not .onnx, a kind of file that IIS does not know and then does not send
LARGE_BYTES = 10_000_000  # what a visitor on a phone should have to fetch at most, runtime aside
SERVER_ONLY = frozenset({"server-client.js", "types.d.ts"})
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'{script}; style-src 'self'; "
    "img-src 'self'{storage} blob: data:; media-src 'self' blob:; connect-src 'self'{storage}{connect}; "
    "base-uri 'none'; form-action 'none'"
)
ASKED = "no other site is asked"  # the page's footer


@dataclass(frozen=True)
class Host:
    """Where the page is going to be.

    Args:
        storage: origins that it may send a visitor to for a large file, each after a space, as a policy has them.
        asked: who besides the page's own host is asked, for the page's footer.
    """

    storage: str = ""
    asked: str = ASKED


ANY_HOST = Host()


def web_folder(source: ModelSource, folder: str) -> Bundle:
    """The page, the model with its preprocessing inside, the runtime, and what to do with the folder."""
    artifact = source.artifact
    name_shown, early = shown(artifact.manifest["name"]), artifact.early
    facts = {"name": name_shown, "early": early, "runtime": runtime.TITLE, "bound": FROM_FILES}
    facts["examples"] = counted(len(artifact.examples), "photo") if artifact.examples else ""
    return page_folder(source, folder, ANY_HOST, rendered("web/README.md", facts))


def page_folder(source: ModelSource, folder: str, host: Host, readme: bytes) -> Bundle:
    """The page for `host`, with its README.md."""
    source.progress("fetching the runtime", 0, 1)
    engine = source.runtime or runtime.vendored()
    source.progress("fetching the runtime", 1, 1)
    with cannot_run("A browser", onnx.checker.ValidationError, onnx.version_converter.ConvertError):
        graph = web_graph(source.artifact.model, source.artifact.preprocess)
    files = {
        **_pages(host, vendored=engine is not None),
        **_model_files(source, graph, engine),
        **licences(),  # the page's code is ours, in the visitor's browser a copy
        ".nojekyll": b"",  # GitHub Pages then serves the folder as it is
        "README.md": readme,
    }
    notes = []
    if engine is None:
        notes.append(
            "The runtime is fetched from a content delivery network, held to its hash: npm was not found, or could not "
            "get it. With npm, or its two files and --runtime, it becomes part of the folder."
        )
    if len(graph) > LARGE_BYTES:
        notes.append(
            f"The model has {len(graph) / 1e6:.1f} MB to fetch, much for a phone; --recipe probe --quality fast trains "
            "one of about 9."
        )
    return Bundle(
        files=files,
        model=FOLDER + GRAPH,
        form=_form(source.artifact, files, graph, vendored=engine is not None),
        next_step=f"Look at it: python -m http.server 8000 -d {for_shell(folder)}",
        notes=tuple(notes),
    )


def _form(artifact: Artifact, files: Mapping[str, bytes], graph: bytes, *, vendored: bool) -> ExportRunner:
    """The page in a browser where there is one; its graph with our decoder otherwise."""
    program = find_chromium()
    if program and vendored:
        return BrowserRunner(files, program, artifact.preprocess)
    run, through = any_runtime(graph)
    why = "no Chromium was found" if program is None else "the runtime is not in the folder"
    return GraphRunner(
        run,
        f"{through}, not a browser, because {why}",
        FROM_FILES,
        lambda data: as_browser(data, artifact.preprocess),
        artifact.class_names,
        artifact.thresholds,
    )


def as_browser(data: bytes, preprocessing: Preprocess) -> Array:
    """The (H, W, 3) uint8 that a browser feeds the graph: decoded at full size, a large photo averaged."""
    image = photo.decode(data)
    side = min(image.shape[:2])
    by = next((step for step in (8, 4, 2) if side >= step * preprocessing.min_side_px), 1)
    if by == 1:
        return image
    rows, columns = (np.arange(0, size, by) for size in image.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(image.astype(np.uint32), rows, axis=0), columns, axis=1)
    n_rows, n_columns = (np.diff([*starts, size]) for starts, size in zip((rows, columns), image.shape, strict=False))
    counts = (n_rows[:, None] * n_columns)[..., None]
    averaged: Array = np.floor(sums / counts + 0.5).astype(np.uint8)
    return averaged


def _pages(host: Host, *, vendored: bool) -> dict[str, bytes]:
    """The page and the widget, with what only a server needs left out."""
    files = {path.name: path.read_bytes() for path in sorted(PAGES.iterdir()) if path.name not in SERVER_ONLY}
    files |= {path.name: path.read_bytes() for path in sorted((TEMPLATES / "web").glob("*.js"))}
    script, connect = ("", "") if vendored else (" blob:", " " + runtime.CDN)
    policy = POLICY.format(script=script, connect=connect, storage=host.storage)
    for page in ("index.html", "embed.html"):
        text = files[page].decode()
        for old, new in (
            (
                '<meta charset="utf-8">',
                f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{policy}">',
            ),
            ('<tell-apart src="."', '<tell-apart src="./model/"'),
        ):
            text = _replaced(text, old, new)
        ahead = '<link rel="modulepreload" href="./{}.js">'
        browsers = f"{ahead.format('browser-client')}\n{ahead.format('probe')}"
        text = _replaced(text, ahead.format("server-client"), browsers)
        asked = host.asked if vendored else "the program that runs the model comes from cdn.jsdelivr.net"
        files[page] = text.replace(ASKED, asked).encode()
    return files


def _replaced(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise TellapartError(f"The page has changed: it holds {old!r} {text.count(old)} times.", hint="Report this.")
    return text.replace(old, new)


def _model_files(source: ModelSource, graph: bytes, engine: Mapping[str, bytes] | None) -> dict[str, bytes]:
    """What stands in `model/`: the graph, the runtime, the examples, and what is what."""
    files = {GRAPH: graph, **source.artifact.examples}
    files |= {f"runtime/{runtime.SERVED[name]}": content for name, content in (engine or {}).items()}
    where = "runtime" if engine is not None else runtime.CDN
    files["model.json"] = to_json(_description(source, graph, where))
    return {FOLDER + name: content for name, content in files.items()}


def _description(source: ModelSource, graph: bytes, where: str) -> dict[str, Any]:
    """`model.json`: as `GET /v1/model` of the server, and what answering in the browser needs besides."""
    artifact, manifest = source.artifact, source.artifact.manifest
    pinned = where.startswith("https:")
    module, wasm = (
        {"src": f"{where}/{name}", "integrity": runtime.HASHES[name]}
        if pinned
        else {"src": f"{where}/{runtime.SERVED[name]}"}
        for name in (runtime.MODULE, runtime.WASM)
    )
    return {
        "name": manifest["name"],
        "class_names": list(artifact.class_names),
        "headline": artifact.headline,
        "headline_with_leaks": artifact.headline_with_leaks,
        **facts_of(artifact),
        "thresholds": manifest["thresholds"],
        "sha256": manifest["files"][MODEL],
        "examples": [
            {"src": name, "class_name": class_name or ""} for name, class_name in shown_classes(artifact).items()
        ],
        "model": {"src": GRAPH, "bytes": len(graph), "sha256": sha256(graph)},
        "runtime": {"name": runtime.PACKAGE, "version": runtime.VERSION, "module": module, "wasm": wasm},
        "everyday": list(imagenet_class_names()),
    }
