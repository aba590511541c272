"""`doctor`: whether all is well on this machine, and what to do where it is not."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tellapart.cli.options import examples, json_option
from tellapart.cli.output import print_json, say
from tellapart.extras import is_whole
from tellapart.text import counted

CORE = ("numpy", "onnx", "openvino", "pillow", "scipy")  # what answers depend on
OF_EXTRA = {  # the package of each extra that people ask for in a bug report
    "cloud": "fsspec",
    "cluster": "ray",
    "deep": "torch",
    "hub": "datasets",
    "serve": "uvicorn",
    "shards": "pyarrow",
    "sklearn": "scikit-learn",
}
TOLD = {  # what NumPy calls the instructions that change the speed, of old and new versions of it
    "SSE42": "SSE4.2", "X86_V2": "SSE4.2", "AVX2": "AVX2", "X86_V3": "AVX2",
    "AVX512F": "AVX-512", "X86_V4": "AVX-512", "NEON": "NEON", "ASIMD": "NEON",
}  # fmt: skip
ROOM_BYTES = 200_000_000  # free on the disk of the cache: 25,000 photos


@dataclass(frozen=True)
class Found:
    """One thing that was looked at.

    Args:
        topic: what it is about, a word.
        sentence: what was found.
        mend: what to do; empty where all is well.
    """

    topic: str
    sentence: str
    mend: str = ""


@click.command(epilog=examples("tellapart doctor\ntellapart doctor --json > report.json      for a bug report"))
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Look at this machine: system, packages, cache, browser, and a proof that the networks compute rightly.

    Ends with 1 where something is to be mended.
    """
    rows = []
    for found in _findings():
        rows.append(found)
        if not as_json:
            say(f"{found.topic:<11}", nl=False, bold=True)
            say(found.sentence, fg="red" if found.mend else None)
            if found.mend:
                say(f"{'':<11}{found.mend}")
    n_ill = sum(bool(found.mend) for found in rows)
    if as_json:
        print_json({"well": not n_ill, "findings": [vars(found) for found in rows]})
    else:
        say("All is well." if not n_ill else f"{counted(n_ill, 'thing')} to mend.", bold=True)
    ctx.exit(1 if n_ill else 0)


def _findings() -> Iterator[Found]:
    import platform
    from importlib.metadata import version

    yield Found("tellapart", f"{version('tellapart')}, Python {platform.python_version()}, {platform.platform()}")
    yield _processor()
    yield Found("packages", ", ".join(map(_installed, CORE)))
    yield from _extras()
    yield _formats()
    yield _cache()
    yield _browser()
    yield from _networks() if is_whole() else _answering_copy()


def _installed(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"


def _answering_copy() -> Iterator[Found]:
    yield Found("networks", "None: this copy of tellapart is there to answer, as an exported container has it.")


def _processor() -> Found:
    """Its name, what it can do, how many cores and how much memory this process may use."""
    import numpy as np
    import openvino

    name = str(openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")).strip()
    able: Mapping[str, Any] = np.show_config(mode="dicts")["SIMD Extensions"]
    has = {*able.get("baseline", ()), *able.get("found", ())}
    words = [name, *dict.fromkeys(told for known, told in TOLD.items() if known in has)]
    with suppress(OSError):  # Linux alone says so, and NumPy uses none of it
        if "amx_tile" in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
            words.append("AMX")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    words.append(counted(cores, "core"))
    with suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        words.append(f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB of memory")
    return Found("processor", ", ".join(words))


def _extras() -> Iterator[Found]:
    """One line on what is installed beside the core, one on what is not."""
    from tellapart.extras import MODULES, has, install

    here, missing = [], []
    for extra in MODULES:
        if has(extra):
            here.append(f"{extra} ({_installed(OF_EXTRA[extra])})")
        else:
            missing.append(extra)
    if here:
        yield Found("extras", ", ".join(here))
    if missing:
        yield Found("not here", f"{', '.join(missing)}. When one is wanted: {install(','.join(missing))}")


def _formats() -> Found:
    """Whether each library that reads photos is new enough to be trusted with them."""
    from tellapart.formats import codecs

    old = codecs.outdated()
    found = codecs.versions()
    if old:
        packages = sorted({each.package for each in old})
        refused = sorted({name for each in old for name in each.formats})
        said = ", ".join(f"{each.name} {found[each.name]} is older than {each.floor}" for each in old)
        return Found(
            "photos", f"{said}: {', '.join(refused)} are not read.", f"Run: pip install --upgrade {' '.join(packages)}"
        )
    return Found("photos", ", ".join(f"{name} {number}" for name, number in found.items()))


def _cache() -> Found:
    """Where photos already read are remembered, and whether it can be written."""
    import shutil

    from tellapart.features.cache import FeatureCache

    store = FeatureCache()
    state = store.state()
    store.close()
    said = f"{counted(state.n_photos, 'photo')}, {state.size_bytes / 1e6:,.0f} MB: {state.path}"
    folder = next((p for p in (state.path, *state.path.parents) if p.exists()), Path("/"))
    if (folder != state.path and not folder.is_dir()) or not os.access(folder, os.W_OK):
        return Found(
            "cache", f"It cannot be written: {state.path}. Every photo is read anew each time.",
            "Set TELLAPART_CACHE_DIR to a folder that can be.",
        )  # fmt: skip
    free = shutil.disk_usage(folder).free
    if free < ROOM_BYTES:
        return Found("cache", f"{said}; {free / 1e6:,.0f} MB are free.", "Make room, or set TELLAPART_CACHE_DIR.")
    return Found("cache", said)


def _browser() -> Found:
    """Whether a static page can be proven here; nothing else needs one."""
    from tellapart.export.browser import find_chromium

    path = find_chromium()
    return Found("browser", path or "No Chromium: a web export is made all the same, but not proven in a browser.")


def _networks() -> Iterator[Found]:
    """Whether the bundled networks are those that were shipped, and compute here what they must."""
    from tellapart.engine.network_proof import BOUND, PROVEN, difference
    from tellapart.errors import ArtifactError

    for backbone in PROVEN:
        try:
            off = difference(backbone)
        except ArtifactError as error:
            yield Found("network", f"{backbone.title}: {error.message}", error.hint or "Install tellapart again.")
            continue
        if not off <= BOUND:  # NaN is no agreement
            yield Found(
                "network", f"{backbone.title} computes otherwise here: {off:.1e} off; at most {BOUND:.0e} is allowed.",
                "Run: pip install --upgrade openvino. If it stays so, please tell us, with this report.",
            )  # fmt: skip
        else:
            yield Found("network", f"{backbone.title}: as it must be (off by {off:.0e} of at most {BOUND:.0e})")
