"""Labels taken from a file, and what was said written as copies, moves and a zip: the page in a real browser."""

import json
import re
import zipfile

import pytest
from PIL import Image

from tellapart.data.source import scan
from tellapart.studio.journal import NAME


@pytest.fixture
def photos(tmp_path):
    """Eight photos in none, two in a class folder."""
    for n, name in enumerate(["hat/a.jpg", "hat/b.jpg", *(f"{n}.jpg" for n in range(8))]):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.linear_gradient("L").rotate(10 * n).resize((64, 48 + n)).convert("RGB").save(path)
    return tmp_path / "photos"


def export(folder):
    """What Label Studio would export of five photos, of which two people see one differently."""

    def task(name, *choices):
        results = [{"from_name": "choice", "type": "choices", "value": {"choices": [one]}} for one in choices]
        annotations = [{"id": n, "result": [result]} for n, result in enumerate(results)]
        return {"id": name, "annotations": annotations, "data": {"image": f"/data/upload/1/0badcafe-{name}"}}

    tasks = [task(f"{n}.jpg", "mug") for n in range(3)] + [task("3.jpg", "mug", "cup"), task("9.jpg", "mug")]
    folder.joinpath("export.json").write_text(json.dumps([*tasks, task("2.jpg", "mug")]))
    return folder / "export.json"


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_labels_come_in_and_go_out_again(visit, studio, photos, tmp_path):
    one = studio(photos)
    visited = visit(one.address, viewport={"width": 390, "height": 844})
    page = visited.page

    def button(name):
        return page.get_by_role("button", name=re.compile(f"^{name}"))

    def written():
        dialog = page.get_by_role("dialog", name="Done")
        dialog.wait_for()
        text = dialog.inner_text()
        dialog.get_by_role("button", name="Close").click()
        return text

    def write(way):
        button("Write…").click()
        page.get_by_role("radio", name=way).check()
        page.get_by_role("button", name="Write", exact=True).click()
        return written()

    page.locator("photo-grid [role=option]").first.wait_for()
    page.locator("[title='2.jpg']").click()
    page.get_by_label("Type a class").fill("cup")
    page.get_by_label("Type a class").press("Enter")
    visited.until("document.querySelector('.saved').textContent === '✓ Saved'")

    button("Take labels").click()
    page.locator("#labels-file").set_input_files(photos / "hat" / "a.jpg")
    page.get_by_text("is not UTF-8 text").wait_for()
    page.locator("#labels-file").set_input_files(export(tmp_path))
    page.get_by_text("7 rows of Label Studio: labels of 3 photos that are here.").wait_for()
    for sentence in (
        "2 rows that give one photo two labels",
        "1 row of photos that are not here",
        "New classes: “mug”.",
    ):
        assert page.get_by_text(sentence).count() == 1
    button("Label 2 photos").click()
    page.get_by_text("Labels of 2 photos taken").wait_for()
    labels = {name: mark[0] for name, mark in one.state()[0].items()}
    assert [labels[f"{n}.jpg"] for n in range(4)] == ["mug", "mug", "cup", ""]
    button("Take labels").click()
    page.locator("#labels-file").set_input_files(export(tmp_path))
    button("Also replace 1").click()
    page.get_by_text("Labels of 1 photo taken").wait_for()
    page.keyboard.press("Control+z")
    visited.until("document.querySelector('[title=\"2.jpg\"] .caption').textContent === 'cup'")
    page.keyboard.press("Control+y")
    visited.until("document.querySelector('[title=\"2.jpg\"] .caption').textContent === 'mug'")

    before = tree(photos)
    assert "Copies of 5 photos are in" in write("Copies in class folders")
    assert scan(str(tmp_path / "photos-by-class")).n == 5
    assert "tellapart train" in write("A zip of all of it")
    assert scan(str(tmp_path / "photos-labelled.zip")).class_names == ("hat", "mug")
    with zipfile.ZipFile(tmp_path / "photos-labelled.zip") as archive:
        assert archive.read(NAME) == (tmp_path / "photos.studio" / NAME).read_bytes()
    assert tree(photos) == before
    state = {photo[0]: photo[5:] for photo in one.state()[1]["photos"]}
    assert "3 photos moved within" in write("Move the photos")
    assert {"mug/0.jpg", "mug/1.jpg", "mug/2.jpg"} <= tree(photos).keys()
    assert {photo[0]: photo[5:] for photo in one.state()[1]["photos"]} == state  # known by their content
    assert "mug/0.jpg" in one.state()[0]
    button("Write…").click()
    button("Put 3 photos back").click()
    assert "3 photos put back" in written()
    assert tree(photos) == before
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_is_there_is_refused_on_the_page(visit, studio, photos, tmp_path):
    one = studio(photos)
    visited = visit(one.address)
    page = visited.page
    page.locator("photo-grid [role=option]").first.wait_for()
    page.get_by_role("button", name="Write…").click()
    page.get_by_label("The new folder").fill(str(tmp_path))
    page.get_by_role("button", name="Write", exact=True).click()
    page.get_by_text("nothing is overwritten").wait_for()
    assert one.ask("/v1/labels?how=new", b"x", Content_Type="application/octet-stream")[0] == 422
    assert one.ask("/v1/labels?how=new", b"x", Content_Type="text/csv")[0] == 415
    assert one.ended(one.job("zip_out"))["state"] == "failed"
