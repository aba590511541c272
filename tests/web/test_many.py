"""Two hundred photos at once: a grid that fills one by one, and a table of all answers."""

import csv
import io
import shutil
from pathlib import Path

import pytest

from tellapart import load
from tellapart.cli.output import TAKEN, class_columns, write_csv

GRID = "tell-apart .many"


@pytest.fixture(scope="module")
def many(shared_data, tmp_path_factory):
    """20 photos and one that is none, by names that a spreadsheet would run, or that need quotes."""
    folder = tmp_path_factory.mktemp("many")
    names = ["=1+1.jpg", "a;-2.jpg", 'a "b".jpg', "caf\u00e9, \u732b.jpg", "@x.jpg"]
    photos = sorted((shared_data / "clothing" / "test").rglob("*.jpg"))[::10][:20]
    for i, photo in enumerate(photos):
        shutil.copy(photo, folder / (names[i] if i < len(names) else f"{i}.jpg"))
    (folder / "none.jpg").write_text("no photo at all")
    return sorted(folder.iterdir())


@pytest.fixture
def page(visit, site):
    visited = visit(f"{site.url}/")
    visited.page.locator("tell-apart .examples button").first.wait_for()
    return visited


def finished(visited, n):
    visited.page.locator(f"{GRID} b", has_text=f"{n} photos").wait_for()
    visited.until(
        f"!document.querySelector('tell-apart').shadowRoot.querySelector('{GRID.split()[1]} [data-state=busy]')"
    )


def test_all_are_answered_and_saved_as_the_command_line_does(page, site, many, garments, tmp_path):
    page.choose(*many)
    finished(page, 21)
    assert page.cards.count() == 0
    assert page.page.locator(f"{GRID} li").count() == 21
    with page.page.expect_download() as downloaded:
        page.page.get_by_role("button", name="Save as CSV").click()
    assert downloaded.value.suggested_filename == "answers.csv"
    said = Path(downloaded.value.path()).read_bytes()
    predictor = load(garments)
    predictions = predictor.predict(many)
    for one, path in zip(predictions, many, strict=True):
        object.__setattr__(one, "photo", path.name)  # a page knows no folders
    write_csv(str(tmp_path / "known.csv"), predictions, predictor.class_names, [("", "")] * len(predictions))
    ours, theirs = (
        list(csv.reader(io.StringIO(data.decode(), newline="")))
        for data in (said, (tmp_path / "known.csv").read_bytes())
    )
    theirs = [row[: -len(TAKEN)] for row in theirs]  # a page is not told the day and the camera
    assert ours[0] == theirs[0]
    assert [row[0] for row in ours] == [row[0] for row in theirs]  # guarded alike
    readable = [i for i, path in enumerate(many, start=1) if path.name != "none.jpg"]
    assert [ours[i] for i in readable] == [theirs[i] for i in readable]
    (bad,) = (row for row in ours if row[0] == "none.jpg")
    assert bad[1:4] == ["", "", ""]
    assert bad[4].startswith("The file is not a photo in any format that can be read.")
    page.leaves_no_trace(site.url, "blob:")


@pytest.mark.parametrize("names", [
    ["hat", "dress"], ["photo", "hat"], ["Error", "hat"], ["hat", "Hat"], ["answer ", "p_answer"],
    ["'=hat", "=hat"], ["Stra\u00dfe", "STRASSE"], ["photo", "p_photo", "hat"],
])  # fmt: skip
def test_columns_of_classes_are_called_as_the_command_line_calls_them(page, names):
    asked = "names => import('./table.js').then(({ classColumns }) => classColumns(names))"
    assert page.page.evaluate(asked, names) == class_columns(names)


def test_a_long_name_leaves_room_for_its_share(page, test_photos):
    page.choose(*[test_photos["hat"]] * 17)
    finished(page, 17)
    page.page.evaluate(
        """() => {
          const said = document.querySelector("tell-apart").shadowRoot.querySelector(".many [data-state=named] .said");
          said.querySelector("bdi").textContent = "a name that is longer than its place";
        }"""
    )
    share = page.page.locator(f"{GRID} [data-state=named] .said span:last-child").first
    inner, outer = share.bounding_box(), share.locator("..").bounding_box()
    assert inner["width"] > 20
    assert inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 1


def test_a_small_picture_opens_its_whole_answer(page, many, site):
    page.choose(*many)
    finished(page, 21)
    index = next(i for i, path in enumerate(many) if path.name == "10.jpg")
    known = site.predictor.predict(many[index])
    cell = page.page.locator(f"{GRID} li button").nth(index)
    assert known.answer in cell.get_attribute("title") or known.answer == "not sure"
    cell.click()
    dialog = page.page.locator("tell-apart dialog[open]")
    assert dialog.locator(".name").first.inner_text() == next(iter(known.probs))
    dialog.get_by_role("button", name="Where it looked").click()
    dialog.get_by_text("Bright is what spoke for").wait_for()
    dialog.get_by_role("button", name="Close").click()
    assert dialog.count() == 0


def test_clearing_ends_the_asking(page, test_photos, site):
    page.choose(*[test_photos["hat"]] * 200)
    page.page.locator(f"{GRID} [data-state=named]").first.wait_for()
    page.page.get_by_role("button", name="Clear the answers").click()
    page.page.wait_for_timeout(500)
    asked = len([url for url in page.requests if "predict" in url])
    page.page.wait_for_timeout(1000)
    assert len([url for url in page.requests if "predict" in url]) == asked < 200


def test_those_that_a_busy_server_refused_can_be_asked_again(page, many):
    page.page.route("**/v1/predict", lambda route: route.abort(), times=6)
    page.choose(*many[:17])
    again = page.page.get_by_role("button", name="Ask again")
    again.wait_for()
    assert "no answer" in page.page.locator(f"{GRID} [role=status]").inner_text()
    again.click()
    page.until(
        "document.querySelector('tell-apart').shadowRoot.querySelectorAll('.many [data-state=error]').length <= 1"
    )
    assert not again.is_visible()


@pytest.mark.parametrize("width_px", [390, 1280])
def test_nothing_moves_while_answers_come(visit, site, many, width_px):
    """From when the grid stands until it is full."""
    visited = visit(f"{site.url}/", viewport={"width": width_px, "height": 844}, reduced_motion="reduce")
    visited.page.locator("tell-apart .examples button").first.wait_for()
    visited.choose(*many)
    visited.page.locator(f"{GRID} li").first.wait_for()
    cells = "document.querySelector('tell-apart').shadowRoot.querySelectorAll('.many li')"
    places = f"[...{cells}].map(cell => [cell.offsetTop, cell.offsetHeight])"
    before = visited.page.evaluate(places)
    finished(visited, 21)
    assert visited.page.evaluate(places) == before
    assert visited.page.evaluate("document.documentElement.scrollWidth") <= width_px
