"""The runtime that computes in the browser: onnxruntime-web, one version, known by its hashes.

It comes from a folder that the person names, or from the npm package where npm is there, and is then part of the
export. Otherwise the page fetches the same files from a content delivery network, which the browser holds to the same
hashes.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tellapart.errors import InputError
from tellapart.storage.atomic import write_folder
from tellapart.storage.cache_folder import cache_folder
from tellapart.text import quoted

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
TITLE = f"ONNX Runtime Web {VERSION}"
MODULE = "ort.wasm.bundle.min.mjs"  # for WebAssembly alone, in one file
WASM = "ort-wasm-simd-threaded.wasm"
# As they are called in an export. Many hosts know no .mjs: a stock nginx sends it as no script, and IIS not at all.
SERVED = {MODULE: "ort.js", WASM: "ort.wasm"}
HASHES = {  # as a browser wants them
    MODULE: "sha384-PLWz+nHEVHpjwBsO0YVdvQj6n5814Iv8E3b8FG0Rp/uIAtjFMCKOpP66iPzedrIG",
    WASM: "sha384-vjBJ1z7qrhkTyYsNqKeF6c7N+nOJSU94czEo+tvZcu8G75JparGq9kB+kTnEUNVM",
}
CDN = f"https://cdn.jsdelivr.net/npm/{PACKAGE}@{VERSION}/dist"
DOWNLOAD_S = 300  # 33 MB, also over a slow line


def integrity(content: bytes) -> str:
    """The hash of `content` as the attribute `integrity` has it."""
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


def from_folder(folder: Path) -> dict[str, bytes]:
    """{file name: content} of the runtime, where a person has it.

    Raises:
        InputError: `folder` does not hold exactly the files known here.
    """
    return {name: _file(folder, name) for name in HASHES}


def vendored() -> dict[str, bytes] | None:
    """{file name: content} of the runtime; None where it is not cached and npm is absent or gets nothing.

    Files that are not exactly the ones known here are not used.
    """
    kept = cache_folder() / f"{PACKAGE}-{VERSION}"
    files = _whole({name: kept / name for name in HASHES})
    if files is None:
        files = _from_npm()
        if files is not None:
            _keep(kept, files)
    return files


def _file(folder: Path, name: str) -> bytes:
    hint = f"Take {MODULE} and {WASM} from dist/ of the npm package {PACKAGE} {VERSION}."
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise InputError(f"{quoted(os.fspath(folder))} has no file {name} that can be read.", hint=hint) from error
    if integrity(content) != HASHES[name]:
        raise InputError(f"{quoted(os.fspath(folder / name))} is not the one of {TITLE}.", hint=hint)
    return content


def _whole(paths: Mapping[str, Path]) -> dict[str, bytes] | None:
    try:
        files = {name: path.read_bytes() for name, path in paths.items()}
    except OSError:
        return None
    return files if all(integrity(content) == HASHES[name] for name, content in files.items()) else None


def _keep(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        write_folder(folder, files)
    except InputError:  # a cache that cannot be written costs time, nothing else
        return


def _from_npm() -> dict[str, bytes] | None:
    npm = shutil.which("npm")
    if npm is None:
        return None
    with tempfile.TemporaryDirectory(prefix="tellapart-") as place:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--json", "--ignore-scripts", "--pack-destination", place]
        try:
            done = subprocess.run(  # noqa: S603  # a fixed command, found on the person's own path
                command, cwd=place, capture_output=True, timeout=DOWNLOAD_S, check=True, env={**os.environ, "CI": "1"}
            )
            said = json.loads(done.stdout)
            archive = Path(place) / Path(str(said[0]["filename"])).name
            return _unpacked(archive, Path(place))
        except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError, tarfile.TarError):
            return None


def _unpacked(archive: Path, place: Path) -> dict[str, bytes] | None:
    with tarfile.open(archive) as package:
        for name in HASHES:
            package.extract(f"package/dist/{name}", place, filter="data")
    return _whole({name: place / "package" / "dist" / name for name in HASHES})
