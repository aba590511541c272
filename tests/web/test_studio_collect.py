"""Photos collected on the page: files of all kinds, and the camera while it is held."""

import pytest
from PIL import Image

TOLD = ".collected"


@pytest.fixture
def page(visit, studio, tmp_path):
    (tmp_path / "new").mkdir()
    visited = visit(studio(tmp_path / "new").address, permissions=["camera"], viewport={"width": 390, "height": 844})
    visited.page.locator("#as-class").wait_for()  # the first screen where there is nothing to label
    return visited.page


@pytest.mark.slow
def test_files_and_a_burst_become_labelled_photos(page, tmp_path):
    for number, colour in enumerate(("red", "green")):
        Image.new("RGB", (64, 64), colour).save(tmp_path / f"{number}.jpg")
    (tmp_path / "notes.jpg").write_text("no photo")
    page.fill("#as-class", "hat")
    page.set_input_files("#files", [str(tmp_path / name) for name in ("0.jpg", "1.jpg", "notes.jpg")])
    page.locator(TOLD, has_text="2 photos of “hat”; not taken: 1.").wait_for()
    assert "notes.jpg: The file is not a photo" in page.locator(".refused").inner_text()
    page.fill("#as-class", "mug")
    page.get_by_role("button", name="Use the camera").click()
    record = page.get_by_role("button", name="Hold to record")
    record.wait_for()
    record.focus()
    page.keyboard.down(" ")
    page.locator(TOLD, has_text="3 different frames").wait_for()  # the camera of the test shows a moving picture
    page.keyboard.up(" ")
    page.locator(TOLD, has_text="of “mug”").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("nav [data-screen=label]").click()
    captions = page.locator("photo-grid [role=option] .caption")
    captions.first.wait_for()
    assert sorted(set(captions.all_inner_texts())) == ["hat", "mug"]
    assert captions.count() == 3  # what was recorded at once is one tile
