"""Hot dog or cheeseburger: two folders of photos become a page, a Space, and a blog post that can answer.

    python examples/hot_dog_or_cheeseburger/run.py HOT_DOGS CHEESEBURGERS OUTPUT --ask PHOTO [PHOTO ...]

HOT_DOGS and CHEESEBURGERS are folders of photos; their names become the names of the classes, and any two things will
do. Photos after --ask are asked about at the end, and stand on the page to be clicked. --quick takes 40 photos of
each and the fastest network, to see whether it works at all.
"""

import argparse
import html
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
QUICK_PHOTOS = 40  # of each folder


def tellapart(*words: object) -> None:
    """Run a tellapart command, and say which."""
    print("\n$ tellapart", *words, flush=True)
    subprocess.run(["tellapart", *map(str, words)], check=True)


def copy_photos(folders: list[Path], to: Path, most: int | None) -> None:
    """Copy the photos, so that cleaning never touches yours."""
    for folder in folders:
        (to / folder.name).mkdir(parents=True)
        for photo in sorted(p for p in folder.iterdir() if p.is_file())[:most]:
            shutil.copyfile(photo, to / folder.name / photo.name)


def write_blog(output: Path, photos: list[Path]) -> None:
    """A blog post with the widget in it, and the photos to click; it lies beside the folder `site`."""
    (output / "ask").mkdir()
    buttons = []
    for photo in photos:
        shutil.copyfile(photo, output / "ask" / photo.name)
        name = html.escape(photo.name, quote=True)
        buttons.append(f'<button><img src="ask/{name}" alt="Ask about {name}"></button>')
    post = (HERE / "blog.html").read_text(encoding="utf-8")
    (output / "blog.html").write_text(post.replace("<!-- photos -->", "\n".join(buttons)), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hot_dogs", type=Path)
    parser.add_argument("cheeseburgers", type=Path)
    parser.add_argument("output", type=Path, help="a folder that does not exist yet")
    parser.add_argument("--ask", type=Path, nargs="*", default=[], metavar="PHOTO")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()

    photos, model = args.output / "photos", args.output / "model"
    quality = ["--quality", "fast" if args.quick else "balanced"]
    copy_photos([args.hot_dogs, args.cheeseburgers], photos, QUICK_PHOTOS if args.quick else None)

    # 1. A first model. Its report lists the answers that were most wrong: open report.html and look at them.
    tellapart("train", photos, "-o", args.output / "first", *quality)

    # 2. Clean. Copies and unreadable files move to photos.quarantine; "check PHOTOS --undo" moves all back. Photos that
    #    seem to lie in the wrong folder stay: look at check.html, because a machine's suspicion is often wrong.
    tellapart("check", photos, "-o", args.output / "check.html", *quality)
    tellapart("check", photos, "--fix", *quality)

    # 3. The model itself.
    tellapart("train", photos, "-o", model, *quality)

    # 4. Ask it.
    if args.ask:
        tellapart("predict", model, *args.ask, "--top", 2)

    # 5. Show it. Both commands first prove that what they write answers as the model does, on its test photos.
    write_blog(args.output, args.ask)
    proof = ["--photos", args.output / "ask"] if args.quick and args.ask else []
    tellapart("export", model, "--to", "web", "-o", args.output / "site", *proof)
    tellapart("export", model, "--to", "space", "-o", args.output / "space", *proof)
    print(f"\nThe blog post: python -m http.server 8000 -d {args.output}, then http://127.0.0.1:8000/blog.html")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:  # the command has said why, unless a signal ended it
        raise SystemExit(str(error) if error.returncode < 0 else error.returncode) from None
