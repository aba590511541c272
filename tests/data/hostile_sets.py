"""Data sets as strangers make them, and a child process that is watched while it reads them."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

datasets = pytest.importorskip("datasets")
Cases = list[dict[str, Any]]


def jpeg(colour: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (16, 12), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def parquet(path: Path, colours: list[str], **features: Any) -> None:
    """Photos of these colours with a text label each."""
    data = {"image": [{"bytes": jpeg(colour), "path": None} for colour in colours], "label": colours}
    kinds = {"image": datasets.Image(), "label": datasets.Value("string"), **features}
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(data, features=datasets.Features(kinds)).to_parquet(path)


def card(**said: Any) -> bytes:
    return b"---\n" + json.dumps(said).encode() + b"\n---\n# photos\n"  # JSON is YAML


def files(*patterns: Any) -> bytes:
    """A card whose only part is made of these files."""
    return card(configs=[{"config_name": "default", "data_files": patterns[0] if len(patterns) == 1 else patterns}])


@contextmanager
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A port, and what whoever asked there said."""
    said: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(1)
                    said.append(connection.recv(1000))

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], said
        server.shutdown(socket.SHUT_RDWR)


class Child:
    """A process that scans what it is told to, watched; one for all tests, since imports take seconds."""

    def __init__(self, home: Path, **env: str) -> None:
        (home / "hf" / "tmp").mkdir(parents=True)
        self.home = home
        own = {"HF_HOME": str(home / "hf"), "TMPDIR": str(home / "hf" / "tmp"), "HF_TOKEN": "hf_of_the_person", **env}
        self.errors = (home / "stderr").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("watched.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env={**os.environ, **own},
        )  # fmt: skip
        warm = home / "warm"
        parquet(warm / "train.parquet", ["red"])
        (photos := home / "warm photos" / "a").mkdir(parents=True)
        (photos / "1.jpg").write_bytes(jpeg("red"))
        for folder in (warm, photos.parent):  # imports whatever reading needs
            self.scan([{"source": f"hf:{folder}", "folder": str(folder), "watch": False}])

    def scan(self, cases: Cases) -> Cases:
        """What each case did."""
        assert self.process.stdin
        assert self.process.stdout
        ended = []
        for case in cases:
            self.process.stdin.write(json.dumps({"cwd": str(self.home), **case}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
            assert line, f"the child crashed at {case}: {(self.home / 'stderr').read_text()[-3000:]}"
            ended.append(json.loads(line))
        return ended

    def close(self) -> None:
        self.process.communicate()
        self.errors.close()


def assert_tame(case: dict[str, Any], ended: dict[str, Any]) -> None:
    """Nothing outside was touched, and a person sees photos or a sentence."""
    assert ended["seen"] == [], case
    assert "trace" not in ended, (case, ended)
    if "refused" in ended:
        assert ended["refused"].endswith((".", '"')), ended
        assert ended["hint"], ended
