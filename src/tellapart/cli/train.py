"""`train`: from photos to a model and its score."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.options import (
    allow_private_option,
    examples,
    force_option,
    group_by_option,
    json_option,
    progress_bars,
    quality_option,
    robustness_option,
)
from tellapart.cli.output import print_json, print_summary, say
from tellapart.cli.recipe_options import options_for, recipe_from, training_options
from tellapart.cli.wishes_options import wishes_from, wishes_options
from tellapart.text import for_shell, shown

if TYPE_CHECKING:
    from tellapart.data.preprocess import ResizeMode


@click.command(
    epilog=examples(
        """
tellapart train photos/ -o burgers                photos/burger/1.jpg, photos/hot dog/2.jpg, …
tellapart train photos.zip -o burgers --quality best
tellapart train labels.csv -o burgers --force     rows of path,label[,split][,group]
tellapart train photos/ -o burgers --group-by '{group}_*'      plate7_1.jpg stays with plate7_2.jpg
tellapart train photos/ -o burgers --group-by '{group}/*'      photos of one folder stay together
tellapart train photos/ -o burgers --group-by 'IMG_{group}_*'  those of one day: IMG_20240501_120000.jpg
tellapart train labels.csv -o burgers --group-by cook          a column of the table
tellapart train hf:beans -o leaves                a Hugging Face data set (pip install "tellapart[hub]")
tellapart train photos/ -o burgers --recipe finetune --time-limit 3m
tellapart train photos/ -o burgers --recipe scratch --network first-cnn --epochs 10"""
    )
)
@click.argument("photos", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="Model folder to write.")
@quality_option
@click.option(
    "--fit", type=click.Choice(["crop", "squash"]), default="crop", show_default=True,
    help="crop: look at the middle square of a photo; squash: at all of it, out of shape.",
)  # fmt: skip
@click.option(
    "--test-share", type=click.FloatRange(0.05, 0.5), show_default="0.2, or cross-validation of fewer than 250 photos",
    help="Fraction of photos kept for the test, where PHOTOS has no test folder.",
)  # fmt: skip
@group_by_option
@allow_private_option
@click.option("--seed", type=int, default=0, show_default=True, help="Of the split and the folds.")
@click.option("--no-advice", is_flag=True, help="Do not measure what to do next; saves half a second.")
@click.option(
    "--shortcuts", is_flag=True,
    help="For the advice, also look for what gives classes away: format, size, brightness, border; 2 s a 1,000 photos.",
)  # fmt: skip
@wishes_options
@training_options
@robustness_option
@force_option
@json_option
def train(
    photos: str,
    output: str,
    quality: str,
    fit: "ResizeMode",
    test_share: float | None,
    group_by: str | None,
    allow_private: bool,
    seed: int,
    no_advice: bool,
    shortcuts: bool,
    answer: float | None,
    never_miss: tuple[str, ...],
    recipe: str,
    robustness: bool,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train on PHOTOS, test honestly, write a model folder.

    PHOTOS is a folder with one folder a class, or train/val/test folders of those, a zip of either, a table of
    path,label[,split][,group], hf:NAME[:SPLIT], or shards that `tellapart embed` filled; here or elsewhere (s3://, gs://,
    az://, hf://, https://, tars).
    """
    from tellapart.recipe import Reading
    from tellapart.workflow.train import train as train_model

    reading = Reading(quality=quality, resize_mode=fit, test_share=test_share)
    wishes = wishes_from(answer, never_miss)
    chosen = recipe_from(recipe, reading, seed, options)
    telling = options_for(output, chosen, resume=options["resume"], report_to=options["report_to"])
    with progress_bars() as progress, telling as chosen_options:
        evaluation = train_model(
            photos,
            output,
            chosen,
            options=chosen_options,
            wishes=wishes,
            force=force,
            advice=not no_advice,
            shortcuts=shortcuts,
            robustness=robustness,
            group_by=group_by,
            allow_private=allow_private,
            command=_as_typed(sys.argv),
            progress=progress,
        )
    if as_json:
        print_json(evaluation.to_json())
        return
    print_summary(evaluation)
    report = shown(str(Path(output, "report.html")))
    say(f"\nModel and report: {report}   ({evaluation['timings_s']['total']:.1f} s)")
    say(f"Ask it:           tellapart predict {for_shell(output)} PHOTO")


def _as_typed(argv: list[str]) -> str:
    """The command for the report, without where on this machine its files lie: reports are sent to others."""
    words = (Path(word).name if Path(word).is_absolute() else word for word in argv[1:])
    return shlex.join(["tellapart", *words])
