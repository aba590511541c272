"""What a training says while it runs, and when it is stopped."""

from contextlib import suppress
from types import SimpleNamespace

import pytest

from tellapart.cli.recipe_options import options_for
from tellapart.recipe import Scratch

RECIPE = Scratch(network="first-cnn")
KEPT = "Every epoch listed is kept. To go on: the same command with --resume"


def stopped(output, epochs, capsys):
    """What is said last where a training is stopped after these epochs."""
    with suppress(KeyboardInterrupt), options_for(str(output), RECIPE, resume=False, report_to=None) as options:
        for epoch in epochs:
            for tell in options.callbacks:
                tell(epoch)
        raise KeyboardInterrupt
    return capsys.readouterr().err.splitlines()[-1:]


@pytest.fixture
def epoch(monkeypatch):
    monkeypatch.setattr("tellapart.deep.trackers.header", lambda: "epoch")
    monkeypatch.setattr("tellapart.deep.trackers.line", lambda epoch: "1")
    return lambda *, refit=False: SimpleNamespace(refit=refit)


def test_only_what_this_run_has_kept_is_promised(tmp_path, capsys, epoch):
    output = tmp_path / "model"
    assert stopped(output, [epoch()], capsys) == ["1"]  # and no checkpoint is there
    (tmp_path / "model.checkpoint").write_bytes(b"of an earlier run")
    assert stopped(output, [], capsys) == []
    assert stopped(output, [epoch()], capsys) == [KEPT]
    again = stopped(output, [epoch(), epoch(refit=True)], capsys)
    assert again == ["Every epoch listed above 'Once more' is kept. To go on: the same command with --resume"]
