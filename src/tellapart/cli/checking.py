"""`check`: what is wrong with the photos, before any training."""

import click

from tellapart.cli.door import examples, json_option, progress_bars, quality_option
from tellapart.cli.printing import print_json


@click.command(epilog=examples("tellapart check photos/\ntellapart check photos/ --json"))
@click.argument("photos", type=click.Path())
@quality_option
@json_option
def check(photos: str, quality: str, as_json: bool) -> None:
    """Say what is wrong with PHOTOS, before any training."""
    from tellapart import workflow

    with progress_bars() as progress:
        prepared, findings = workflow.check(photos, quality=quality, progress=progress)
    n_found, n_used = prepared.dataset.n + len(prepared.skipped), prepared.dataset.n
    if as_json:
        print_json({"n_found": n_found, "n_used": n_used, "findings": [f.to_json() for f in findings]})
        return
    click.echo(f"{n_used:,} photos of {len(prepared.dataset.class_names)} classes ({n_found:,} files found).")
    for finding in findings:
        click.echo("")
        click.secho(finding.sentence, bold=True)
        click.echo(f"  {finding.advice}")
        for row in finding.photos[:5]:
            click.echo("  · " + "  ·  ".join(name.removeprefix(f"{prepared.dataset.source}/") for name in row))
        if len(finding.photos) > 5:
            click.echo(f"  … and {len(finding.photos) - 5:,} more (--json lists all)")
    if not findings:
        click.echo("Nothing found that needs your attention.")
