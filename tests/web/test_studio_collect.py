"""Photos collected on the page: files of all kinds, and the camera while it is held."""

import numpy as np
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


@pytest.fixture
def dropped(tmp_path):
    """A folder of class folders, as people have them."""
    for number, name in enumerate(("หมวก/1.jpg", "หมวก/2.jpg", "shoes/1.jpg", "shoes/2.jpg")):
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (6, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((160, 120)).save(path)
    (tmp_path / "mine" / ".DS_Store").write_bytes(b"x")
    return tmp_path / "mine"


@pytest.mark.slow
def test_a_folder_of_classes_comes_and_goes_as_one(page, dropped):
    whole = page.locator(TOLD, has_text="4 photos, called by their folders: 2 of “shoes”, 2 of “หมวก”.")
    page.set_input_files("#a-folder", str(dropped))
    whole.wait_for()
    page.get_by_role("button", name="Undo").click()
    page.locator(TOLD, has_text="Taken back: 4 photos.").wait_for()
    page.locator("nav [data-screen=label]").click()
    page.get_by_role("heading", name="No photos yet").wait_for()
    page.keyboard.press("Control+y")
    page.locator("photo-grid [role=option] .caption").nth(3).wait_for()
    page.locator("nav [data-screen=collect]").click()
    whole.wait_for()
    page.keyboard.press("u")
    page.get_by_role("button", name="Redo").click()
    whole.wait_for()
    page.set_input_files("#a-folder", str(dropped / "shoes"))
    page.locator(TOLD, has_text="No new photo; 2 were here already.").wait_for()


@pytest.mark.thorough
def test_folders_that_are_no_classes_can_be_taken_for_none_and_one_for_one(page, dropped):
    page.set_input_files("#a-folder", str(dropped))
    page.get_by_role("button", name="Without these classes").press("Enter")
    page.locator(TOLD, has_text="4 photos.").wait_for()
    page.keyboard.press("Control+z")
    page.locator(TOLD, has_text="Taken back: 4 photos.").wait_for()
    page.set_input_files("#a-folder", str(dropped / "shoes"))
    page.locator(TOLD, has_text="2 photos from the folder “shoes”, without a label.").wait_for()
    page.get_by_role("button", name="Label them shoes").press("Enter")
    page.locator(TOLD, has_text="2 photos of “shoes”.").wait_for()
    page.locator("nav [data-screen=label]").click()
    captions = page.locator("photo-grid [role=option] .caption")
    captions.nth(1).wait_for()
    assert captions.all_inner_texts() == ["shoes", "shoes"]
