"""The container for GPUs: pinned, plain, not root, built of nothing but what it needs; all without Docker."""

import fnmatch
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from uv import find_uv_bin

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "containers" / "gpu"
TEXT = (FOLDER / "Dockerfile").read_text()
STEPS = [
    line.split(None, 1) for line in re.sub(r"^#.*\n", "", TEXT, flags=re.M).replace("\\\n", " ").splitlines() if line
]
NAMES = [name for name, _ in STEPS]
COPIED = [source for name, rest in STEPS if name == "COPY" for source in rest.split()[:-1]]
LOCKED = re.compile(r"([a-z0-9-]+)==(\d\S*) \\\n    --hash=sha256:[0-9a-f]{64}\n")
PINS, NOTEBOOK = (dict(LOCKED.findall((FOLDER / f"{name}.txt").read_text())) for name in ("requirements", "notebook"))


def of(kind: str) -> list[str]:
    return [" ".join(rest.split()) for name, rest in STEPS if name == kind]


def is_ignored(path: str) -> bool:
    """As Docker reads the file beside the Dockerfile: the last line that fits decides."""
    lines = [line for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines() if line[0] != "#"]
    ignored = False
    for line in lines:
        pattern = line.removeprefix("!").replace("**/", "*")
        if any(fnmatch.fnmatch(part, pattern) for part in (path, *map(str, Path(path).parents))):
            ignored = not line.startswith("!")
    return ignored


def test_it_is_pinned_plain_and_not_root() -> None:
    assert set(NAMES) <= {"FROM", "ARG", "ENV", "RUN", "COPY", "USER", "WORKDIR", "EXPOSE", "ENTRYPOINT", "CMD"}
    (image,) = of("FROM")
    assert re.fullmatch(r"nvidia/cuda:\d+\.\d+\.\d+-base-ubuntu\d\d\.04", image)
    (user,) = of("USER")
    assert user.isdecimal()
    assert int(user) >= 1000
    assert NAMES.index("USER") > max(i for i, name in enumerate(NAMES) if name in ("RUN", "COPY"))
    assert not re.search(r"https?:|curl|wget|sudo|--trusted-host|chmod 777", "".join(of("RUN") + of("COPY")))
    assert json.loads(of("ENTRYPOINT")[0]) == ["tellapart"]
    assert not re.search(r"TOKEN|KEY|SECRET|PASSWORD", TEXT)


def test_it_is_upgraded_and_says_to_be_rebuilt() -> None:
    assert of("RUN")[0].startswith("apt-get update && apt-get upgrade --yes && ")
    assert "rm -rf /var/lib/apt/lists/*" in of("RUN")[0]
    assert "Rebuild monthly, with `--pull --no-cache`" in (FOLDER / "README.md").read_text()


def test_what_reports_to_openvinos_makers_is_taken_out() -> None:
    assert of("RUN")[-2].endswith("&& pip check && pip uninstall --yes openvino-telemetry")
    assert "HF_HUB_DISABLE_TELEMETRY=1" in " ".join(of("ENV"))


def test_every_install_is_held_to_versions_and_hashes() -> None:
    installs = re.findall(r"pip install (.*?)(?:&&|;|$)", " && ".join(of("RUN")))
    held = "--no-cache-dir --require-hashes --requirement /build/"
    ours = "--no-cache-dir --no-deps --no-build-isolation /build"  # with hatchling, which is among the packages
    assert [one.strip() for one in installs] == [f"{held}requirements.txt", f"{held}notebook.txt", ours]
    for name in ("requirements", "notebook"):
        rest = LOCKED.sub("", (FOLDER / f"{name}.txt").read_text())
        assert rest.splitlines()[1:] == (["--requirement requirements.txt"] if name == "notebook" else [])
    assert not set(PINS) & set(NOTEBOOK)
    assert "jupyterlab" in NOTEBOOK
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["deep"]]
    for requirement in map(Requirement, [*wanted, *project["build-system"]["requires"]]):
        assert requirement.specifier.contains(PINS[requirement.name]), requirement


def test_what_is_copied_is_there_and_nothing_else_is_sent() -> None:
    for source in COPIED:
        assert (REPOSITORY / source).exists()
        assert not is_ignored(source), source
    assert not is_ignored("src/tellapart/engine/backbones/lite0.onnx")
    for path in (".git/config", "tests/conftest.py", "photos/a.jpg", ".env", "src/tellapart/__pycache__"):
        assert is_ignored(path), path


def test_whoever_runs_it_may_write_its_caches() -> None:
    environment = dict(re.findall(r"(\w+)=(\S+)", " ".join(of("ENV"))))
    assert environment["HOME"] == "/tmp"
    for name in ("TELLAPART_CACHE_DIR", "HF_HOME", "TORCH_HOME"):
        assert environment[name].startswith("/cache/")
    assert any("install --directory --mode 1777 /cache" in step for step in of("RUN"))


def test_the_commands_of_its_page_name_what_there_is() -> None:
    page = (FOLDER / "README.md").read_text()
    for command in re.findall(r"^\$ (docker (?:build|run)(?:.*\\\n)*.*)$", page, flags=re.M):
        assert "tellapart-gpu" in command
        if command.startswith("docker build"):
            assert "-f containers/gpu/Dockerfile" in command
        if " train " in command:
            assert "--gpus all" in command
            assert '--user "$(id -u):$(id -g)"' in command
            assert " -v tellapart-cache:/cache" in command


@pytest.mark.slow
def test_what_is_copied_makes_the_wheel(tmp_path: Path) -> None:
    """The step that installs us, by uv: the copied files alone, the pinned build tool, no network for it."""
    build, tool = tmp_path / "build", tmp_path / "tool"
    build.mkdir()
    for source in COPIED:
        if (REPOSITORY / source).is_dir():
            shutil.copytree(REPOSITORY / source, build / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(REPOSITORY / source, build)
    python = tool / "bin" / "python"
    wheel = ["build", "--wheel", "--no-build-isolation", "--python", python, "--out-dir", tmp_path, build]
    for step in (
        ["venv", "--python", sys.executable, tool],
        ["pip", "install", "--python", python, f"hatchling=={PINS['hatchling']}"],
        [*wheel, "--offline"],
    ):
        subprocess.run([find_uv_bin(), "--quiet", *step], check=True)
    (made,) = tmp_path.glob("tellapart-*.whl")
    names = zipfile.ZipFile(made).namelist()
    assert {"tellapart/engine/backbones/lite0.onnx", "tellapart/deep/training.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]
