"""The studio's page in a real browser: by keyboard alone, by mouse, and by touch at 390 px."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from tellapart.studio.journal import NAME

TILES = "photo-grid [role=option]"


@pytest.fixture
def photos(tmp_path):
    """Two photos in a class folder, forty in none."""
    for number, name in enumerate(["hat/1.jpg", "hat/2.jpg", *(f"{number:02}.jpg" for number in range(40))]):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (6, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((320, 240), Image.Resampling.BICUBIC).save(path, quality=85)
    return tmp_path / "photos"


@pytest.fixture
def open_studio(photos, visit, studio):
    """Opens the studio's page: `open_studio(query, **options of the window)`."""
    process = studio(photos)

    def go(query="", **options):
        visited = visit(process.address.replace("/#", f"/{query}#"), **options)
        visited.page.locator(TILES).first.wait_for()
        return visited

    go.process = process
    return go


def journal(photos):
    lines = (photos.with_name(f"{photos.name}.studio") / NAME).read_text().splitlines()[1:]
    return [json.loads(line) for line in lines]


def last_action(photos):
    """What a person did last; chance writes lines of its own, when the photos were read."""
    return [line["do"] for line in journal(photos) if line["do"] != "drawn"][-1]


def press(visited, *keys):
    for key in keys:
        visited.page.keyboard.press(key)


def saved(visited):
    """Waits until the page says so."""
    visited.until("document.querySelector('.saved').textContent === '✓ Saved'")


def caption(visited, name):
    return visited.page.locator(f"{TILES}[title='{name}'] .caption").inner_text()


def test_a_whole_session_by_keyboard_alone(open_studio, photos):
    visited = open_studio()
    page = visited.page
    press(visited, "1")  # the class of its folder
    saved(visited)
    assert caption(visited, "00.jpg") == "hat"
    press(visited, "c", *"mug", "Enter", "Shift+ArrowRight", "Shift+ArrowRight", "2")  # a new class, then three at once
    saved(visited)
    assert [caption(visited, f"{n:02}.jpg") for n in range(6)] == ["hat", "mug", "mug", "mug", "mug", "no label"]
    press(visited, "n", "x", "Space", "Control+a")
    assert "42 chosen" in page.locator(".count-line").inner_text()
    press(visited, "Escape")
    assert (caption(visited, "05.jpg"), caption(visited, "06.jpg")) == ("none of these", "left out · no label")
    press(visited, "Control+z", "u", "Control+y")
    saved(visited)
    visited.until("document.querySelector('.actions button:nth-child(5)').disabled === false")
    assert (caption(visited, "05.jpg"), caption(visited, "06.jpg")) == ("none of these", "no label")
    press(visited, "e")
    page.get_by_label("New name").fill("cap")
    page.get_by_role("button", name="Rename").press("Enter")
    saved(visited)
    visited.until("document.querySelector('class-panel li').textContent.includes('cap')")
    assert caption(visited, "00.jpg") == "cap"
    press(visited, "/", *"hat/", "Enter")
    assert page.locator(TILES).count() == 2
    assert "find=hat" in page.url
    press(visited, "?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    press(visited, "Escape")
    assert [line["do"] for line in journal(photos)] == [
        "found", "label", "label", "label", "none", "out", "undo", "undo", "redo", "class_rename",
    ]  # fmt: skip
    visited.leaves_no_trace(open_studio.process.url, "blob:")


def test_what_is_shown_stands_in_the_address_and_outlives_a_reload(open_studio):
    visited = open_studio("?show=labelled&sort=label")
    page = visited.page
    assert page.locator(TILES).count() == 2
    page.get_by_label("Show").select_option("Not labelled")
    assert page.locator(".count-line").inner_text() == "40 of 42 photos"
    page.reload()
    page.locator(TILES).first.wait_for()
    assert page.locator(".count-line").inner_text() == "40 of 42 photos"
    press(visited, "1", "1")  # each goes from what is shown, and the next one has its place
    saved(visited)
    assert page.locator(".count-line").inner_text() == "38 of 42 photos"


def test_ranges_and_toggles_by_mouse(open_studio):
    visited = open_studio()
    tiles = visited.page.locator(TILES)
    tiles.nth(2).click()
    tiles.nth(6).click(modifiers=["Shift"])
    tiles.nth(4).click(modifiers=["Control"])
    assert visited.page.locator(".count-line").inner_text() == "42 photos, 4 chosen"
    visited.page.get_by_role("button", name=re.compile("hat 2$")).click()
    saved(visited)
    assert [caption(visited, f"{n:02}.jpg") for n in (2, 3, 4, 5, 6)] == ["hat", "hat", "no label", "hat", "hat"]
    visited.page.get_by_role("button", name="Undo").click()  # one for all four
    visited.until("document.querySelector('[title=\"02.jpg\"] .caption').textContent === 'no label'")
    assert caption(visited, "06.jpg") == "no label"


def test_the_label_file_is_written_and_the_command_shown(open_studio, photos):
    visited = open_studio()
    press(visited, "1")
    visited.page.get_by_role("button", name="Write…").click()
    visited.page.get_by_role("button", name="Write", exact=True).click()
    dialog = visited.page.get_by_role("dialog", name="Done")
    dialog.wait_for()
    table = photos.with_name("photos.studio") / "photos.csv"
    assert "3 photos with their labels" in dialog.inner_text()
    assert f"tellapart train {table} -o my-model" in dialog.inner_text()
    assert table.read_text().count("\n") == 4


def test_begun_with_nothing_classes_are_typed_and_photos_looked_for(visit, studio, tmp_path, photos):
    visited = visit(studio(cwd=tmp_path).address.replace("/#", "/?screen=label#"))
    visited.page.get_by_role("heading", name="No photos yet").wait_for()
    press(visited, "c", *"mug", "Enter")
    saved(visited)
    assert "mug" in visited.page.locator("class-panel").inner_text()
    (photos / "00.jpg").rename(tmp_path / "studio" / "00.jpg")
    visited.page.get_by_role("button", name="Look again").click()
    visited.page.locator(TILES).wait_for()
    press(visited, "1")
    saved(visited)
    assert caption(visited, "00.jpg") == "mug"


def test_by_touch_at_390_px(open_studio):
    """As Chromium emulates a phone."""
    visited = open_studio(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = visited.page
    tiles = page.locator(TILES)
    tiles.nth(0).tap()
    page.get_by_role("button", name="Range to…").tap()
    tiles.nth(4).tap()
    assert page.locator(".count-line").inner_text() == "42 photos, 5 chosen"
    page.get_by_role("button", name="None of these").tap()
    saved(visited)
    assert caption(visited, "04.jpg") == "none of these"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    sizes = page.evaluate(
        "[...document.querySelectorAll('button')].filter((b) => b.checkVisibility())"
        ".map((b) => b.getBoundingClientRect().height)"
    )
    assert min(sizes) >= 40


def test_another_tab_is_caught_up_with_and_a_studio_that_ended_is_said(open_studio):
    first, second = open_studio(), open_studio()
    press(first, "1")
    saved(first)
    second.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    second.until("document.querySelector('[title=\"00.jpg\"] .caption').textContent === 'hat'")
    open_studio.process.kill()
    press(second, "ArrowRight", "1", "1")
    second.until("document.querySelector('.trouble').textContent !== ''")
    second.until("document.querySelector('[title=\"01.jpg\"] .caption').textContent === 'no label'")
    assert caption(second, "02.jpg") == "no label"  # nothing is shown that was not saved


def test_without_the_token_it_says_what_to_open(open_studio, visit):
    visited = visit(f"{open_studio.process.url}/")
    visited.until("document.querySelector('.trouble')?.textContent.includes('its token')")


@pytest.mark.slow
def test_ten_thousand_photos_scroll_and_answer_keys_at_once(visit, studio, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    Image.new("RGB", (16, 16), "teal").save(tmp_path / "one.jpg")
    content = (tmp_path / "one.jpg").read_bytes()
    for number in range(10_000):
        (folder / f"{number:05}.jpg").write_bytes(content + str(number).encode())  # what lies behind a JPEG is not read
    visited = visit(studio(folder).address)
    page = visited.page
    page.locator(TILES).first.wait_for()
    waited_ms = page.evaluate(
        """async () => {
            const grid = document.querySelector("photo-grid");
            const times = [];
            for (let n = 0; n < 100; n++) {
                const begun = performance.now();
                grid.dispatchEvent(new KeyboardEvent("keydown", {key: "n", bubbles: true}));
                grid.getBoundingClientRect();
                times.push(performance.now() - begun);
                await new Promise(requestAnimationFrame);
            }
            return times.sort((a, b) => a - b)[94];
        }"""
    )
    assert waited_ms < 50
    assert caption(visited, "00099.jpg") == "none of these"
    saved(visited)
    press(visited, "End")
    visited.until("document.querySelector('[title=\"09999.jpg\"] canvas')?.width > 0")
    assert page.locator(TILES).count() < 150


def test_doubts_are_answered_by_keys(visit, studio, photos):
    """Two copies of one photo: the copy is left out by one key, taken back by another, and called right by a third."""
    first = sorted((photos / "hat").iterdir())[0]
    with Image.open(first) as image:
        image.resize((160, 120)).save(photos / "hat" / "small.jpg", quality=90)
    visited = visit(studio(photos).address.replace("/#", "/?screen=doubts#"))
    visited.page.locator(".pair-of figure").nth(1).wait_for(timeout=30_000)  # photos are read first
    heading = visited.page.locator(".doubt h2").first
    assert heading.inner_text() == "Near copies"
    press(visited, "a")
    saved(visited)
    assert "All of these are answered" in visited.page.locator(".doubt").inner_text()
    assert last_action(photos) == "out"
    press(visited, "u")
    visited.page.locator(".pair-of figure").nth(1).wait_for()
    press(visited, "r")
    visited.until("!document.querySelector('.pair-of')")
    saved(visited)
    assert last_action(photos) == "right"
    press(visited, "[", "[")
    visited.page.locator(TILES).first.wait_for()
    assert "screen=" not in visited.page.url


@pytest.mark.thorough
def test_a_photo_in_two_classes_gets_the_one_that_is_right(visit, studio, photos):
    (photos / "mug").mkdir()
    with Image.open(photos / "hat" / "1.jpg") as image:
        image.resize((160, 120)).save(photos / "mug" / "small.jpg", quality=90)
    visited = visit(studio(photos).address.replace("/#", "/?screen=doubts#"))
    page = visited.page
    page.get_by_role("heading", name="Same photo, two classes").wait_for(timeout=60_000)
    assert page.locator(".where").inner_text() == "1 of 1: nearly the same picture"
    page.get_by_role("button", name="Both are hat").press("Enter")
    page.get_by_text("All of these are answered").wait_for()
    saved(visited)
    assert {mark["label"] for mark in journal(photos)[-1]["after"]["photos"].values()} == {"hat"}
    press(visited, "u")
    page.get_by_role("button", name="Both are mug").wait_for()


@pytest.fixture
def garments(shared_data, tmp_path):
    """Hats and shoes without labels; one hat is there three times, smaller each time."""
    folder = tmp_path / "garments"
    folder.mkdir()
    for name in ("hat", "shoes"):
        for number, path in enumerate(sorted((shared_data / "clothing" / "train" / name).iterdir())[:20]):
            shutil.copy(path, folder / f"{name}-{number:02}.jpg")
    with Image.open(folder / "hat-00.jpg") as image:
        for n in (2, 3):
            image.convert("RGB").resize((image.width // n, image.height // n)).save(folder / f"hat-00-{n}.png")
    return folder


def marks(photos):
    """What the journal says of each photo, by identity."""
    said = {}
    for line in journal(photos):
        said |= line["after"]["photos"]
    return said


def test_strips_are_named_mended_and_accepted_by_keys_alone(visit, studio, garments):
    visited = visit(studio(garments).address.replace("/#", "/?screen=strips#"))
    page = visited.page
    row = page.locator(".strip [role=option]")
    row.first.wait_for(timeout=30_000)  # photos are read first
    shown = row.all_inner_texts()
    press(visited, "ArrowRight", "ArrowRight", "x", "Escape")  # the second photo is taken out
    assert f"What are these {len(shown) - 1} photos?" in page.locator(".strip-of h2").inner_text()
    press(visited, "c", *"thing", "Enter")
    saved(visited)
    said = [mark for mark in marks(garments).values() if mark]
    assert said
    assert all(mark == {"label": "thing", "by": "strip"} for mark in said)
    visited.until("document.querySelector('.strip [role=option]')")
    press(visited, "ArrowRight", "1")  # this one alone
    visited.until("document.querySelector('.strip [role=option][aria-selected=false] b')?.textContent === 'thing'")
    saved(visited)
    assert sum(bool(mark) for mark in marks(garments).values()) > len(said)
    press(visited, "u", "u")
    saved(visited)
    assert not any(marks(garments).values())
    visited.leaves_no_trace(visited.page.url.split("/?")[0], "blob:")


def test_a_stack_is_one_tile_opened_split_and_looked_at_by_mouse(visit, studio, garments):
    visited = visit(studio(garments).address.replace("/#", "/?find=hat-0#"))
    page = visited.page
    tiles = page.locator(TILES)
    tiles.first.wait_for()
    page.locator("[data-stack]").wait_for(timeout=30_000)
    assert page.locator(".count-line").inner_text() == "12 of 42 photos in 10 stacks"
    page.locator("[data-stack]").click()
    assert "3 chosen" in page.locator(".count-line").inner_text()
    page.get_by_role("button", name="Stack", exact=True).click()
    assert page.locator("[data-open]").count() == 3
    page.locator("[title='hat-00-2.png']").click()
    page.get_by_role("button", name="Split", exact=True).click()
    saved(visited)
    assert page.locator("[data-open]").count() == 2
    assert journal(garments)[-1]["do"] == "split"
    page.get_by_role("button", name="Undo").click()
    page.locator("[data-open]").nth(2).wait_for()
    page.locator("[title='hat-00.jpg']").dblclick()
    page.locator(".square:not([hidden])").wait_for()
    box, whole = (page.locator(one).bounding_box() for one in (".square", ".whole-photo"))
    assert box["width"] == pytest.approx(box["height"], abs=1)
    assert min(whole["width"], whole["height"]) == pytest.approx(box["width"], abs=1)
    press(visited, "Escape")
    page.get_by_role("button", name="More like this").click()
    visited.until("document.querySelectorAll('photo-grid [role=option]').length > 12")
    assert "like=" in page.url
    assert "find=" not in page.url


def test_strips_by_touch_at_390_px(visit, studio, garments):
    """As Chromium emulates a phone."""
    address = studio(garments).address.replace("/#", "/?screen=strips#")
    visited = visit(address, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = visited.page
    row = page.locator(".strip [role=option]")
    row.nth(1).wait_for(timeout=30_000)
    n = row.count()
    row.nth(0).tap()
    assert page.locator(".strip [aria-selected=true]").count() == n - 1
    page.get_by_role("button", name="None of these").tap()
    saved(visited)
    assert sum(mark == {"none": True, "by": "strip"} for mark in marks(garments).values()) >= n - 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
