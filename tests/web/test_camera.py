"""The camera: Chromium's fake one, and what is said when there is none."""

import re

import pytest
from playwright.sync_api import expect

from .conftest import Visit

VIDEO = "document.querySelector('tell-apart').shadowRoot.querySelector('video')"
TRACK = f"{VIDEO}.srcObject?.getVideoTracks()[0]"


def open_camera(visited):
    visited.page.locator("tell-apart .examples button").first.wait_for()
    visited.page.get_by_role("button", name="Use the camera").click()


def test_a_photo_is_taken_and_answered(visit, site):
    visited = visit(f"{site.url}/")
    open_camera(visited)
    dialog = visited.page.get_by_role("dialog", name="Camera")
    dialog.wait_for()
    visited.until(f"{VIDEO}.videoWidth > 0")
    visited.page.keyboard.press("Enter")  # the button has the focus
    visited.headline()
    assert visited.card().locator(".title").inner_text() == "Photo from the camera"
    assert visited.card().locator("canvas").evaluate("canvas => canvas.width") > 300
    assert not dialog.is_visible()
    assert visited.page.evaluate("document.querySelector('tell-apart').shadowRoot.activeElement.textContent") == (
        "Use the camera"
    )
    visited.leaves_no_trace(site.url)


def test_the_other_camera_can_be_chosen(visit, site):
    visited = visit(f"{site.url}/")
    open_camera(visited)
    other = visited.page.get_by_role("button", name="Other camera")
    other.wait_for()
    visited.page.evaluate(f"window.first = {TRACK}, 0")
    other.click()
    visited.until(f"({TRACK} ?? window.first) !== window.first")
    assert visited.page.evaluate("window.first.readyState") == "ended"
    assert visited.page.evaluate(f"{TRACK}.readyState") == "live"


def test_escape_closes_it_and_lets_the_camera_go(visit, site):
    visited = visit(f"{site.url}/")
    open_camera(visited)
    dialog = visited.page.get_by_role("dialog", name="Camera")
    dialog.wait_for()
    visited.page.evaluate(f"window.track = {TRACK}, 0")
    visited.page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    visited.until("window.track.readyState === 'ended'")
    assert visited.cards.count() == 0


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--use-fake-device-for-media-stream"], "The camera was refused."),  # nobody is there to allow it
        ([], "No camera was found."),
    ],
    ids=["refused", "none"],
)
def test_without_a_camera_it_says_why(open_browser, site, flags, sentence):
    browser = open_browser(*flags)
    visited = Visit(browser.new_page())
    visited.page.goto(f"{site.url}/")
    open_camera(visited)
    expect(visited.page.locator("tell-apart .complaint")).to_have_text(
        re.compile(f"^{sentence}.*[Cc]hoose a photo instead[.]$")
    )
    browser.close()


def test_over_plain_http_a_phone_gets_its_own_camera_app(visit, site):
    """Browsers lend no camera to pages that came over http from another machine."""
    visited = visit("about:blank", has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
    visited.page.add_init_script("Object.defineProperty(navigator, 'mediaDevices', {value: undefined})")
    visited.page.goto(f"{site.url}/")
    visited.page.locator("tell-apart .examples button").first.wait_for()
    with visited.page.expect_file_chooser() as chooser:
        visited.page.get_by_role("button", name="Use the camera").tap()
    assert chooser.value.element.get_attribute("capture") == "environment"


def test_over_plain_http_a_desk_is_told(visit, site):
    visited = visit("about:blank")
    visited.page.add_init_script("Object.defineProperty(navigator, 'mediaDevices', {value: undefined})")
    visited.page.goto(f"{site.url}/")
    open_camera(visited)
    expect(visited.page.locator("tell-apart .complaint")).to_contain_text(
        "Browsers lend the camera only to https pages"
    )
