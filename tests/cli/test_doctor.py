"""`doctor`: what it says of a machine where all is well, and of one where something is to be mended."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from tellapart.cli.doctor import _cache, _formats
from tellapart.cli.main import main
from tellapart.engine import network_proof
from tellapart.formats import codecs


def _asked(*options: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["doctor", *options])
    return done.exit_code, done.output


def test_a_sound_machine_is_called_well() -> None:
    code, text = _asked()
    assert code == 0
    assert text.splitlines()[-1] == "All is well."
    assert text.count("as it must be") == len(network_proof.PROVEN)


def test_json_is_for_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_proof, "PROVEN", network_proof.PROVEN[:1])
    code, text = _asked("--json")
    said = json.loads(text)
    assert (code, said["well"]) == (0, True)
    assert {"tellapart", "processor", "packages", "photos", "cache", "browser", "network"} <= {
        row["topic"] for row in said["findings"]
    }


def test_a_network_that_computes_otherwise_is_ill(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = json.loads(network_proof.PROOF.read_text())
    wrong = {key: [value + 0.05 for value in values] for key, values in known.items()}
    (tmp_path / "proof.json").write_text(json.dumps(wrong))
    monkeypatch.setattr(network_proof, "PROOF", tmp_path / "proof.json")
    network_proof._known.cache_clear()
    code, text = _asked()
    network_proof._known.cache_clear()
    assert code == 1
    assert "computes otherwise here" in text
    assert text.splitlines()[-1] == "3 things to mend."


def test_an_old_library_is_named_with_what_upgrades_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "outdated", lambda: tuple(each for each in codecs.LIBRARIES if each.name == "libtiff"))
    row = _formats()
    assert row.mend == "Run: pip install --upgrade pillow"
    assert "TIFF are not read" in row.sentence


def test_a_cache_below_a_file_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tmp_path / "file"))
    assert "TELLAPART_CACHE_DIR" in _cache().mend


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tmp_path / "cache"))
    assert "TELLAPART_CACHE_DIR" in _cache().mend
