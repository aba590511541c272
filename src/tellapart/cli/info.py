"""`info`: what a model is, and what reads photos here."""

import shlex
from typing import TYPE_CHECKING

import click

from tellapart.cli.options import examples, json_option
from tellapart.cli.output import print_json, say

if TYPE_CHECKING:
    from tellapart.model.artifact import Artifact


@click.command(
    epilog=examples(
        """
tellapart info burgers
tellapart info --versions"""
    )
)
@click.argument("model", type=click.Path(), required=False)
@click.option("--versions", is_flag=True, help="Print the versions of the libraries that read photos, instead.")
@json_option
def info(model: str | None, versions: bool, as_json: bool) -> None:
    """Say what MODEL is: its classes, its backbone, its score."""
    from pathlib import Path

    from tellapart.extras import is_whole
    from tellapart.model.artifact import load_artifact, refuse_imagenet
    from tellapart.text import counted

    if versions:
        _print_versions(as_json)
        return
    if model is None:
        raise click.UsageError("Missing argument 'MODEL'.")
    refuse_imagenet(model, "It knows 1,000 everyday classes: tellapart predict imagenet PHOTO --top 5")
    artifact = load_artifact(Path(model))
    manifest = artifact.manifest
    if as_json:
        print_json(manifest)
        return
    facts = manifest["model"]
    say(f"{manifest['name']}: {counted(len(artifact.class_names), 'class', 'classes')}", bold=True)
    say("  " + ", ".join(artifact.class_names))
    say(artifact.headline)
    if is_whole():
        _print_promises(artifact)
    say(f"Trained on {counted(manifest['data']['n_train'], 'photo')} with tellapart {facts['tellapart']}.")
    say(f"Backbone: {facts['backbone']} ({facts['quality']}), {len(artifact.model) / 1e6:.1f} MB, computed in f32.")


def _print_promises(artifact: "Artifact") -> None:
    """What the model promises, and what was asked of it where that is not the usual."""
    from tellapart.engine.ood_reference import was_shown
    from tellapart.evaluation.coverage import NEVER_EARLY_SAID, never_early, never_said, promise_in_words
    from tellapart.evaluation.wishes import guarantee_of
    from tellapart.recipe import ANSWERED

    thresholds = artifact.thresholds
    asked = [] if thresholds.answer == ANSWERED else ["--answer", f"{thresholds.answer:g}"]
    for each in thresholds.never_miss:
        asked += ["--never-miss", f"{each.class_name}={each.recall:g}"]
    if asked:
        say(f"Asked for: {shlex.join(asked)}")
    promise = guarantee_of(thresholds) if artifact.manifest.get("promise") else None
    if promise:
        say(promise_in_words(promise, to_owner=False))
    if never_early(thresholds, bundled=was_shown(artifact.manifest.get("backbone", {}).get("key", ""))):
        say(f"{never_said(thresholds)} {NEVER_EARLY_SAID}")
    for sentence in filter(None, (artifact.early, *artifact.never_miss)):
        say(sentence)


def _print_versions(as_json: bool) -> None:
    """What is in memory to read photos, and what has to be upgraded."""
    import platform
    from importlib.metadata import version

    from tellapart.formats import codecs

    found, old = codecs.versions(), codecs.outdated()
    if as_json:
        rows = [vars(each) | {"version": found.get(each.name), "outdated": each in old} for each in codecs.LIBRARIES]
        print_json({"tellapart": version("tellapart"), "libraries": rows})
        return
    say(f"tellapart {version('tellapart')}, Python {platform.python_version()}, {platform.platform()}")
    for each in codecs.LIBRARIES:
        floor = f"at least {each.floor}" if codecs.is_held(each) else "the system's own"
        line = f"  {each.name:<14}{found.get(each.name, 'not loaded'):<12}{floor:<17}{', '.join(each.formats)}"
        say(line, bold=each in old)
        if each in old:
            say(f"    These photos are not read. Run: pip install --upgrade {each.package}")
