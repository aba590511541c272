"""`backbones`: which networks there are."""

from typing import Any

import click

from tellapart.cli.options import examples, json_option
from tellapart.cli.output import print_json, say
from tellapart.errors import InputError
from tellapart.extras import has, install


@click.command(epilog=examples("tellapart backbones\ntellapart backbones resnet      those whose name has it"))
@click.argument("containing", metavar="[NAME]", default="")
@json_option
def backbones(containing: str, as_json: bool) -> None:
    """List the networks that can look at photos, or those with NAME in their name."""
    bundled = [one for one in _bundled() if containing.casefold() in f"{one['name']} {one['title']}".casefold()]
    others = _others(containing) if has("deep") else None
    if as_json:
        print_json({"bundled": bundled, "others": others})
        return
    if not bundled and others == []:
        raise InputError(f"No network has '{containing}' in its name.", hint="See them all with: tellapart backbones")
    if bundled:
        say("Bundled, with ImageNet weights", bold=True)
        for one in bundled:
            say(f"  {one['name']:<10}  {one['title']}, {one['megabytes']:.1f} MB: {_measured(one)}")
        say("  (right answers of a probe, mean over four photo sets; how it was measured: docs/backbones.md)")
    if others is None:
        say(f"\nTo train other networks, run: {install('deep')}")
        return
    _print_others(others, containing)


def _measured(one: dict[str, Any]) -> str:
    """How good and how fast it is, in words."""
    speed = "" if one["of_balanced"] == 1 else f", {one['of_balanced']:.1f} times as fast as balanced"
    return f"{100 * one['accuracy']:.0f} of 100 right{speed}"


def _print_others(others: list[dict[str, Any]], containing: str) -> None:
    ours = [one for one in others if one["parameters"] is not None]
    theirs = [one for one in others if one["parameters"] is None]
    if ours:
        say("\nTrained from nothing", bold=True)
        width = max(len(one["name"]) for one in ours)
        for one in ours:
            size = f"{one['input_px']} px, {one['parameters']:,} parameters with two classes"
            say(f"  {one['name']:<{width}}  {one['title']}: {size}")
    if theirs and not containing:
        say("\nAny classification network of timm", bold=True)
        say(f"  {len(theirs):,} of them; those with a name: tellapart backbones resnet")
    elif theirs:
        say("\nOf timm", bold=True)
        width = max(len(one["name"]) for one in theirs)
        for one in theirs:
            without = "" if one["weights"] else ", no published weights"
            say(f"  {one['name']:<{width}}  {one['input_px']} px{without}")


def _bundled() -> list[dict[str, Any]]:
    """What the three qualities look with, and how large their networks are."""
    from tellapart.engine.backbone import QUALITIES, measured, network_record

    return [
        {
            "name": quality,
            "title": backbone.title,
            "input_px": backbone.input_px,
            "megabytes": round(sum(network_record(name)["bytes"] for name in backbone.networks) / 1e6, 1),
            "weights": [network_record(name)["weights"] for name in backbone.networks],
            **measured(quality),
        }
        for quality, backbone in QUALITIES.items()
    ]


def _others(containing: str) -> list[dict[str, Any]]:
    from tellapart.deep.networks import listed

    return [
        {
            "name": one.name,
            "title": one.title,
            "input_px": one.input_px,
            "parameters": one.n_parameters,
            "weights": one.weights,
        }
        for one in listed(containing)
    ]
