"""The studio's score in a real browser: it comes by itself, leads to a photo and its cause, and is mended there."""

import shutil

import pytest

N = 14  # photos of a class
MADE = "/^\\d+ of 100$/.test(document.querySelector('score-chip').textContent)"


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
    visited.until(MADE)
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
    visited.until(MADE)
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
