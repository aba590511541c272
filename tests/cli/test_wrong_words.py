"""What people are used to from other programs, and what it is called here."""

import pytest
from click.testing import CliRunner

from tellapart.cli import wrong_words
from tellapart.cli.main import main


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("train", "--lr", "0.1"), "No such option '--lr'. Did you mean --learning-rate?"),
        (("train", "--imgsz", "96"), "No such option '--imgsz'. Did you mean --px?"),
        (("train", "--batch", "8"), "No such option '--batch'. Did you mean --batch-size?"),
        (("train", "--batch_size", "8"), "No such option '--batch_size'. Did you mean --batch-size?"),
        (("train", "--epoch", "8"), "No such option '--epoch'. Did you mean --epochs?"),
        (("train", "--ouput", "8"), "No such option '--ouput'. Did you mean --output?"),
        (("train", "--model", "resnet18"), "No such option '--model'. Did you mean --network?"),
        (("train", "--workers", "8"), "No such option '--workers'. All cores are used as they are."),
        (("train", "--frobnicate"), "No such option '--frobnicate'."),
        (("predict", "--lr", "0.1"), "No such option '--lr'."),
        (("predict", "--topk", "5"), "No such option '--topk'. Did you mean --top?"),
        (("predict", "--model", "m"), "No such option '--model'. The model is named without an option."),
        (("export", "--format", "onnx"), "No such option '--format'. Did you mean --to?"),
        (("classify", "x"), "No such command 'classify'. Did you mean 'predict'?"),
        (("tran", "x"), "No such command 'tran'. Did you mean 'train'?"),
        (("frobnicate",), "No such command 'frobnicate'. See them all with: tellapart --help"),
    ],
)
def test_what_was_meant(args, says):
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == f"Error: {says}"


def test_every_word_of_ours_is_one():
    own = {name for command in main.commands.values() for option in command.params for name in option.opts}
    assert set(wrong_words.OPTIONS) <= own
    assert set(wrong_words.COMMANDS) <= set(main.commands)
    assert not {word for words in wrong_words.COMMANDS.values() for word in words.split()} & set(main.commands)
