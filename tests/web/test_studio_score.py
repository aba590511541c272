"""The studio's score in a real browser: it comes by itself, leads to a photo and its cause, and is mended there."""

import csv
import json
import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image

N = 14  # photos of a class


def scored(page):
    """Waits, however long it takes, until there is a score."""
    page.set_default_timeout(60_000)
    page.locator("score-chip button", has_text=re.compile(r"^\d+ of 100$")).wait_for()


@pytest.fixture
def garments(shared_data, tmp_path):
    """Hats and shoes in their folders; one shoe lies among the hats, and nine photos have no label."""
    folder = tmp_path / "photos"
    for name in ("hat", "shoes"):
        files = sorted((shared_data / "clothing" / "train" / name).iterdir())
        (folder / name).mkdir(parents=True)
        for path in files[:N]:
            shutil.copy(path, folder / name)
        for path in files[N : N + 4]:
            shutil.copy(path, folder / f"{name}-{path.name}")
    shutil.copy(files[N + 5], folder / "hat" / "planted.jpg")
    return folder


@pytest.mark.thorough
@pytest.mark.parametrize("options", [{}, {"viewport": {"width": 390, "height": 844}, "has_touch": True}])
def test_from_the_score_to_a_wrong_photo_and_back(garments, studio, visit, options):
    visited = visit(studio(garments).address, **options)
    page = visited.page
    scored(page)
    page.locator("score-chip button").click()
    page.locator(".headline h2").wait_for()
    assert "right" in page.locator(".headline h2").inner_text()
    cell = page.get_by_role("button", name="hat called shoes")
    cell.focus()
    page.keyboard.press("Enter")  # as by mouse, and the focus stays
    wrong = page.locator(".wrong", has=page.get_by_text("hat/planted.jpg")).first
    wrong.wait_for()
    assert wrong.locator(".near figure").count() == 4
    assert page.evaluate("document.activeElement.dataset.held").startswith("cell ")
    wrong.get_by_label("What hat/planted.jpg is").first.select_option("shoes")
    page.get_by_text("got another label since").wait_for()
    assert page.locator("table").last.locator("tbody tr").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="What to do next").click()
    page.get_by_role("heading", name="Is it enough?").wait_for()
    page.keyboard.press("[")
    page.locator("doubts-screen, strips-screen").wait_for()


@pytest.mark.thorough
def test_a_bulk_label_leaves_test_photos_and_answers_stand_in_the_address(garments, studio, visit):
    visited = visit(studio(garments).address)
    page = visited.page
    scored(page)
    page.select_option("#show", "all")
    page.keyboard.press("Escape")
    page.locator("photo-grid").focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("1")
    page.get_by_text("for the test and were left as they are").or_(page.get_by_text("was left as it is")).wait_for()
    page.keyboard.press("u")
    page.select_option("#sort", "differs")
    page.select_option("#show", "differs")
    page.locator("[role=option][title='hat/planted.jpg']").wait_for()
    assert "sort=differs" in page.url
    page.reload()
    page.locator("[role=option][title='hat/planted.jpg']").wait_for()


@pytest.fixture
def tab_to():
    """Moves the focus by Tab alone to what a locator means: `tab_to(page, locator)`."""

    def go(page, locator):
        locator.wait_for()
        for _ in range(300):
            if locator.evaluate("element => element === document.activeElement"):
                return
            page.keyboard.press("Tab")
        raise AssertionError(locator)

    return go


def labels_in(path):
    with open(path, newline="", encoding="utf-8") as file:
        return {os.path.basename(row["path"]): row["label"] for row in csv.DictReader(file)}


@pytest.mark.thorough
def test_versions_by_keys_alone(garments, studio, visit, tab_to):
    """A label is mended; the labels of before are written, and so is the model of before, which is then on Share."""
    page = visit(studio(garments).address).page
    scored(page)
    for _ in range(3):
        page.keyboard.press("]")
    tab_to(page, page.get_by_label("What hat/planted.jpg is").first)
    page.keyboard.press("s")  # as in any list: the first class that begins so
    page.get_by_text("got another label since").wait_for()
    rows = page.locator("section", has=page.get_by_role("heading", name="Versions")).locator("tbody tr")
    assert rows.count() == 2
    tab_to(page, page.get_by_role("button", name="Write its labels: version 1"))
    page.keyboard.press("Enter")
    said = page.locator(".saved", has_text="Written: ")
    said.wait_for()
    path = said.inner_text().split("Written: ")[1].partition(". Train on it")[0]
    assert labels_in(path)["planted.jpg"] == "hat"
    assert labels_in(garments.with_name("photos.studio") / "photos.csv")["planted.jpg"] == "shoes"
    model = page.get_by_role("button", name="Write its model: version 1")
    tab_to(page, model)
    page.keyboard.press("Enter")
    page.locator(".saved", has_text="Version 1 is the model now").wait_for()
    assert model.evaluate("element => element === document.activeElement")
    for _ in range(2):
        page.keyboard.press("]")
    page.get_by_role("button", name="Write it again").wait_for()
    trained = json.loads((garments.with_name("photos.studio") / "model" / "manifest.json").read_text())
    assert trained["class_names"] == ["hat", "shoes"]


@pytest.fixture
def many_classes(tmp_path):
    """Five photos of nothing in each of 26 classes: most are called wrongly."""
    for number in range(26 * 5):
        path = tmp_path / "photos" / f"class-{number // 5:02}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (6, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((160, 120), Image.Resampling.BICUBIC).save(path, quality=85)
    return tmp_path / "photos"


@pytest.mark.thorough
@pytest.mark.parametrize("width_px", [1280, 390])
def test_what_is_taken_for_what_of_many_classes_is_a_list(many_classes, studio, visit, tab_to, width_px):
    page = visit(studio(many_classes).address, viewport={"width": width_px, "height": 844}).page
    page.set_default_timeout(120_000)  # a score of 26 classes on a busy machine
    page.locator("score-chip button", has_text="of 100").click()
    page.get_by_role("heading", name="Most often confused").wait_for()
    assert page.get_by_role("heading", name="What is taken for what").count() == 0
    pairs = page.locator(".pairs button")
    counts = [int(text.rpartition(": ")[2]) for text in pairs.all_inner_texts()]
    assert len(counts) == 24
    assert counts == sorted(counts, reverse=True)
    last = pairs.nth(23)
    text = last.inner_text()
    tab_to(page, last)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=text.rpartition(": ")[0]).wait_for()
    assert page.locator(".wrong").count() == counts[23]
    assert last.evaluate("element => element === document.activeElement && element.ariaPressed === 'true'")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Wrong photos, the surest first").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width_px
