"""`check`: what is wrong with the photos, before any training."""

from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.options import (
    FILE_TO_WRITE,
    INTERRUPTED,
    examples,
    group_by_option,
    json_option,
    progress_bars,
    quality_option,
)
from tellapart.cli.output import print_bytes, print_json, say
from tellapart.cli.streams import is_stdout
from tellapart.errors import InputError
from tellapart.text import counted, for_shell, shown

if TYPE_CHECKING:
    from tellapart.checks.finding import Finding
    from tellapart.checks.removal import Quarantined
    from tellapart.features.prepare import Prepared

MOVES_SHOWN = 20  # of a dry run; --json lists all
ROWS_SHOWN = 5  # of a finding; the page shows more, --json all


@click.command(
    epilog=examples(
        """
tellapart check photos/
tellapart check photos/ -o check.html          a page with the photos in question
tellapart check photos/ --fix                  move copies, leaks and unusable files to photos.quarantine/
tellapart check photos/ --fix --only leaks     leaks alone; or: copies,leaks,labels,unusable
tellapart check photos/ --undo                 move them back; nothing is ever deleted
tellapart check shards                         a folder that `tellapart embed` filled: no photo is opened"""
    )
)
@click.argument("photos", type=click.Path())
@click.option(
    "-o",
    "--output",
    type=FILE_TO_WRITE,
    help="Write a page with thumbnails to this HTML file; - prints it.",
)
@click.option("--fix", is_flag=True, help="Move copies, leaks and unusable files out of the way.")
@click.option(
    "--only",
    metavar="KINDS",
    help="With --fix: move these instead, of copies,leaks,labels,unusable. Photos whose label looks wrong move only if "
    "labels are named, once, and never out of a test.",
)
@click.option("--undo", is_flag=True, help="Move everything that --fix moved back to where it was.")
@click.option("--dry-run", is_flag=True, help="With --fix: only say what would be moved.")
@group_by_option
@quality_option
@json_option
def check(
    photos: str,
    output: str | None,
    fix: bool,
    only: str | None,
    undo: bool,
    dry_run: bool,
    group_by: str | None,
    quality: str,
    as_json: bool,
) -> None:
    """Say what is wrong with PHOTOS, before any training.

    Copies, leaks, labels that look wrong, files that cannot be used, dark or blurred photos, and shortcuts: whether
    file format, size, brightness or the border alone give the class away.
    """
    if (undo and (fix or output)) or (dry_run and not fix):
        raise InputError(
            "--undo goes alone, and --dry-run goes with --fix.",
            hint=f"To see what would be moved: {_command(photos, '--fix', '--dry-run')}",
        )
    kinds = _kinds(only, photos, fix=fix)
    if fix:
        _refuse_shards(photos)
    if undo:
        _undo(photos, as_json=as_json)
        return
    from pathlib import Path

    from tellapart.report.check_page import check_page
    from tellapart.storage.atomic import refuse_unwritable_file, write_file
    from tellapart.workflow.check import check as check_photos

    if (as_json or fix) and is_stdout(output):
        raise InputError("With --json or --fix, the page goes to a file.", hint="Name one with -o.")
    if output and output != "-":
        refuse_unwritable_file(Path(output))
    with progress_bars() as progress:
        prepared, findings = check_photos(photos, quality=quality, group_by=group_by, progress=progress)
    if output == "-":
        print_bytes(check_page(prepared, findings))
    elif output:
        write_file(Path(output), check_page(prepared, findings))
    moved = _fix(prepared, findings, photos, kinds, dry_run=dry_run) if fix else None
    if as_json:
        print_json(_as_json(prepared, findings, moved))
        return
    if is_stdout(output):  # the page says it all
        return
    _print_findings(prepared, findings)
    if moved:
        _print_moved(moved, photos, dry_run=dry_run)
        _print_left(findings, moved, photos, kinds)
    if output:
        say(f"\nPage: {shown(output)}")


def _refuse_shards(photos: str) -> None:
    """Returns where PHOTOS are files that can be moved."""
    from tellapart.shards.destination import is_shards, opened

    if is_shards(photos):
        from tellapart.data.remote.place import place_named

        raise InputError(
            f"{shown(photos)} is a folder of shards, and --fix moves photos.",
            hint=f"Fix the photos themselves: {_command(opened(place_named(photos)).manifest.root, '--fix')}",
        )


def _as_json(prepared: "Prepared", findings: "list[Finding]", moved: "Quarantined | None") -> dict[str, Any]:
    said: dict[str, Any] = {
        "n_found": prepared.dataset.n + len(prepared.skipped),
        "n_used": prepared.dataset.n,
        "findings": [finding.to_json() for finding in findings],
    }
    if moved:
        said["quarantine"] = {
            "folder": str(moved.folder),
            "moved": [vars(move) for move in moved.moves],
            "kept": [vars(kept) for kept in moved.kept],
        }
    return said


def _print_findings(prepared: "Prepared", findings: "list[Finding]") -> None:
    dataset = prepared.dataset
    n_found = dataset.n + len(prepared.skipped)
    n, classes = counted(dataset.n, "photo"), counted(len(dataset.class_names), "class", "classes")
    say(f"{n} of {classes} ({counted(n_found, 'file')} found).")
    for finding in findings:
        say("")
        say(finding.sentence, bold=True)
        for line in (finding.advice, finding.sure):
            if line:
                say(f"  {line}")
        looks = {photo: f", {words[-1]}" for photo, *words in finding.likely_wrong}
        for row in finding.photos[:ROWS_SHOWN]:
            say("  · " + "  ·  ".join(name.removeprefix(f"{dataset.source}/") + looks.get(name, "") for name in row))
        if len(finding.photos) > ROWS_SHOWN:
            say(f"  … and {len(finding.photos) - ROWS_SHOWN:,} more (-o FILE shows them, --json lists all)")
    if not findings:
        say("Nothing found that needs your attention.")


def _command(photos: str, *options: str) -> str:
    """A line that can be pasted into a shell, whatever the folder is called."""
    return " ".join(["tellapart check", for_shell(photos), *options])


def _kinds(only: str | None, photos: str, *, fix: bool) -> tuple[str, ...]:
    """What --fix is to move, as --only says it."""
    from tellapart.checks.fixes import KINDS, USUAL
    from tellapart.text import did_you_mean, quoted

    if only is None:
        return USUAL
    if not fix:
        raise InputError(
            "--only says what --fix is to move, so it goes with --fix.",
            hint=f"Without --fix all is said and nothing moved: {_command(photos)}",
        )
    kinds = tuple(dict.fromkeys(kind.strip().casefold() for kind in only.split(",")))
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(
                f"--only takes kinds of findings with commas between them. {quoted(kind)} is none.",
                hint=f"{did_you_mean(kind, KINDS)}There are: {','.join(KINDS)}",
            )
    return kinds


def _fix(
    prepared: "Prepared", findings: "list[Finding]", photos: str, kinds: tuple[str, ...], *, dry_run: bool
) -> "Quarantined":
    """Move the suspects; a stop in the middle says how to put back what has been moved."""
    from tellapart.checks.fixes import fix
    from tellapart.checks.quarantine import held

    try:
        with progress_bars() as progress:
            return fix(prepared, findings, kinds, dry_run=dry_run, progress=progress)
    except KeyboardInterrupt:
        n = counted(len(held(prepared.dataset.source)), "file is", "files are")
        say(f"Stopped. {n} in the quarantine. To put all back: {_command(photos, '--undo')}", err=True)
        click.get_current_context().exit(INTERRUPTED)


def _print_moved(moved: "Quarantined", photos: str, *, dry_run: bool) -> None:
    say("")
    done = "would be moved" if dry_run else "moved"
    rest = "Nothing was moved yet." if dry_run else "Nothing was deleted."
    say(f"{counted(len(moved.moves), 'file')} {done} to {shown(str(moved.folder))}. {rest}", bold=True)
    if dry_run:
        for move in moved.moves[:MOVES_SHOWN]:
            say(f"  · {shown(move.path)}  ·  {'; '.join(move.reasons)}")
        if len(moved.moves) > MOVES_SHOWN:
            say(f"  … and {len(moved.moves) - MOVES_SHOWN:,} more (--json lists all)")
    for kept in moved.kept:
        say(f"  stays: {kept.photo}: {kept.reason}")
    if moved.moves and not dry_run:
        say(f"  Look through them there. To put all back: {_command(photos, '--undo')}")


def _print_left(findings: "list[Finding]", moved: "Quarantined", photos: str, kinds: tuple[str, ...]) -> None:
    """How many photos stay because their label alone is in question."""
    from tellapart.checks.fixes import suspicious

    n_left = len(suspicious(findings) - {move.photo for move in moved.moves})
    if n_left and "labels" not in kinds:
        n = counted(n_left, "photo that may be in the wrong class stays", "photos that may be in the wrong class stay")
        say(f"  {n}: look at each, and move it to its folder if it is wrong.")
        say(f"  Many are right, only hard. To take them out nevertheless: {_command(photos, '--fix --only labels')}")


def _undo(photos: str, *, as_json: bool) -> None:
    from tellapart.checks.quarantine import undo

    restored = undo(photos)
    if not as_json and not restored.paths and not restored.kept:
        say(f"There is nothing to undo: no quarantine {shown(str(restored.folder))}.")
        return
    if as_json:
        stayed = [vars(kept) for kept in restored.kept]
        print_json({"folder": str(restored.folder), "restored": list(restored.paths), "kept": stayed})
        return
    say(f"{counted(restored.n, 'file')} moved back from {shown(str(restored.folder))}.", bold=True)
    for kept in restored.kept:
        say(f"  stays there: {kept.photo}: {kept.reason}")
