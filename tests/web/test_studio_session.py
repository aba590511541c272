"""From nothing to a tested model on a web page, without a terminal: by mouse, by keys alone, and on a phone's width."""

import functools
import http.server
import threading

import pytest

N = 16  # photos of a class that are handed over


@pytest.fixture
def garments(shared_data):
    """{class: paths}, and a photo of neither."""
    folders = {name: shared_data / "clothing" / "train" / name for name in ("hat", "shoes")}
    return {name: [str(path) for path in sorted(folder.iterdir())[:N]] for name, folder in folders.items()}


@pytest.fixture
def opened(visit, studio, tmp_path):
    """The page of a studio that was begun with nothing: `opened(**options of the window)`."""
    (tmp_path / "new").mkdir()
    process = studio(tmp_path / "new")

    def go(**options):
        page = visit(process.address, **options).page
        page.locator("#as-class").wait_for()
        page.set_default_timeout(60_000)
        return page

    return go


def collect(page, garments):
    for name, paths in garments.items():
        page.fill("#as-class", name)
        page.set_input_files("#files", paths)
        page.locator(".collected", has_text=f"{N} photos of “{name}”").wait_for()


@pytest.mark.thorough  # each screen has a journey of its own
def test_a_session_by_mouse_ends_with_a_page_that_answers(opened, garments, tmp_path, visit, shared_data):
    page = opened()
    collect(page, garments)
    page.locator("score-chip button", has_text="of 100").click()
    page.locator(".headline", has_text=f"of {2 * N} photos right").or_(page.locator(".score-body")).first.wait_for()
    page.get_by_role("button", name="Doubts").click()
    page.locator(".doubt h2").first.wait_for()
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Write the model").click()
    page.get_by_role("button", name="Write it again").wait_for()
    with page.expect_popup() as popup:
        page.get_by_role("button", name="Show the report").click()
    popup.value.locator("h1").first.wait_for()
    page.get_by_role("button", name="Make it", exact=True).first.click()
    page.get_by_text("Same answer on").wait_for(timeout=120_000)
    page.get_by_role("button", name="Try", exact=True).click()
    page.set_input_files("#try-file", garments["hat"][0])
    page.locator(".said h2", has_text="hat").wait_for()
    page.set_input_files("#try-file", str(sorted((shared_data / "unknown" / "cups").iterdir())[0]))
    page.get_by_role("button", name="Put it into the set").click()
    page.locator(".saved", has_text="It is in the set as").wait_for()
    page.get_by_role("button", name="Label", exact=True).click()
    page.locator(".count-line", has_text=f"{2 * N + 1} photos").wait_for()
    page.keyboard.press("Control+z")  # it leaves as it came
    page.locator(".count-line", has_text=f"{2 * N} photos").wait_for()
    folder = tmp_path / "new.studio" / "exports" / "web"
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        site = visit(f"http://127.0.0.1:{server.server_port}/").page
        site.locator("input[type=file]").first.set_input_files(garments["shoes"][0])
        site.get_by_text("shoes").first.wait_for(timeout=60_000)
        server.shutdown()


@pytest.mark.thorough
def test_a_session_by_keys_alone_on_a_phone_s_width(opened, garments):
    """Files come in by the chooser, which no page can press; all else by keys."""
    page = opened(viewport={"width": 390, "height": 844})
    collect(page, garments)
    page.keyboard.press("Escape")
    page.locator("nav [data-screen=collect]").focus()
    for screen in ("label", "strips", "doubts", "score", "try", "share"):
        page.keyboard.press("]")
        page.locator(f"nav [data-screen={screen}][aria-current=page]").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, screen
    page.locator("[data-what=train]").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Write it again").wait_for()
    page.locator("[data-what=onnx]").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Same answer on").wait_for()
    page.keyboard.press("Control+z")  # the last label of all, from whatever screen
    page.keyboard.press("[")
    page.locator("nav [data-screen=try][aria-current=page]").wait_for()
