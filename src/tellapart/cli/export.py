"""`export`: the model where others can use it, proven to answer as it was tested."""

import click

from tellapart.cli.options import examples, force_option, json_option, progress_bars
from tellapart.cli.output import print_json, say

TARGETS = ("web", "space", "docker", "onnx", "openvino")
SDKS = ("static", "gradio")


@click.command(
    epilog=examples(
        """
tellapart export burgers --to web -o site             a page for any web host; the photos stay with the visitor
tellapart export burgers --to web -o site --photos test-photos/
tellapart export burgers --to web -o site --runtime node_modules/onnxruntime-web/dist
tellapart export burgers --to space -o space --push name/burgers        a free Space: the same page
tellapart export burgers --to space --sdk gradio -o space
tellapart export burgers --to docker -o container
tellapart export burgers --to onnx -o for-my-app      or openvino"""
    )
)
@click.argument("model", type=click.Path())
@click.option("--to", type=click.Choice(TARGETS), required=True, help="What to make of it.")
@click.option("-o", "--output", required=True, type=click.Path(), help="Folder to write.")
@click.option(
    "--photos", type=click.Path(),
    help="Prove it with these photos, at most 200.  [default: its test photos, where they still are]",
)  # fmt: skip
@click.option(
    "--sdk",
    type=click.Choice(SDKS),
    help="With --to space: the page that runs the model in the visitor's browser, or a Gradio app.  [default: static]",
)
@click.option(
    "--runtime", type=click.Path(), metavar="DIR",
    help="For a page: folder with the two files of onnxruntime-web.  [default: npm is asked for them]",
)  # fmt: skip
@click.option(
    "--no-examples", is_flag=True, help="Leave out the example photos: they are small copies of your test photos."
)
@click.option("--push", metavar="USER/NAME", help="With --to space: upload it to Hugging Face; needs a token there.")
@force_option
@json_option
def export(
    model: str,
    to: str,
    output: str,
    photos: str | None,
    sdk: str | None,
    runtime: str | None,
    no_examples: bool,
    push: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write MODEL as a web page, a Space, a container or one file.

    Before anything is written, the exported form answers photos end to end. If it disagrees with MODEL on one of them
    by more than a stated bound, nothing is written and the photo is named.
    """
    import os
    from pathlib import Path

    from tellapart.errors import InputError
    from tellapart.export.folder import export as export_model
    from tellapart.export.proof import sentences
    from tellapart.export.push import push as upload
    from tellapart.export.push import require_hub
    from tellapart.model.naming import refuse_swapped_option
    from tellapart.text import shown

    refuse_swapped_option(model, {"-o": output, "--photos": photos}, "tellapart export", f"--to {to}")
    if push and to != "space":
        raise InputError("--push goes with --to space.", hint="The other exports are folders that you upload yourself.")
    if push:
        require_hub(push)
    with progress_bars() as progress:
        exported = export_model(
            model,
            output,
            to,
            sdk=sdk,
            photos=photos,
            runtime=runtime,
            examples=not no_examples,
            force=force,
            progress=progress,
        )
    address = upload(Path(output), push, sdk or SDKS[0]) if push else None
    if as_json:
        print_json(exported.to_json() | {"address": address})
    else:
        first, *rest = sentences(exported.proof)
        say(first, bold=True)
        for line in (*rest, *exported.notes):
            say(line)
        model_mb, total_mb = exported.model_bytes / 1e6, exported.total_bytes / 1e6
        say(f"Model {model_mb:.1f} MB, folder {total_mb:.1f} MB, {exported.proof.ms_a_photo:.0f} ms a photo.")
        say(f"\n{shown(str(Path(output)))}{os.sep} is ready. {exported.next_step}")
        if address:
            say(f"The Space: {address}")
