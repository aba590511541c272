"""The page of `tellapart serve` in a real browser, as visitors use it."""

import base64
import io
import re
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.classifier.decision import EARLY_SAID

WIDTHS_PX = {"phone": 390, "desktop": 1280}
FIRST_PAGE_BYTES = 60 * 1024  # unpacked; what travels is less than half of it
EXAMPLES = "tell-apart .examples button"


@pytest.fixture
def page(visit, site):
    visited = visit(f"{site.url}/")
    visited.page.locator(EXAMPLES).first.wait_for()
    return visited


def drop(visited, *paths):
    """Drops files on the middle of the window, as a file manager would."""
    devtools = visited.page.context.new_cdp_session(visited.page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for step in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": step, "x": 30, "y": 30, "data": data})


def paste(visited, kind, content):
    """Pastes bytes (as numbers) of a media type, as a screenshot on the clipboard would be."""
    visited.page.evaluate(
        """([kind, content]) => {
            const data = new DataTransfer();
            if (kind === "text/plain") data.setData(kind, content);
            else data.items.add(new File([new Uint8Array(content)], "image.png", {type: kind}));
            document.body.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true}));
        }""",
        [kind, content],
    )


def test_it_says_what_the_model_is_and_how_far_to_trust_it(page, site):
    page.page.get_by_text("Put it on your own site").click()
    page.page.get_by_role("button", name="Copy: On any web page").wait_for()
    body = page.page.locator("main").inner_text()
    assert site.described["headline"] in body
    assert "of 100 photos of its classes get a name" in body
    assert "dress, hat, longsleeve, pants, shirt, shoes, skirt or t-shirt" in body
    assert site.described["sha256"] not in body  # it says nothing to a visitor
    assert page.page.title().startswith(site.described["name"])
    assert f'src="{site.url}/tell-apart.js"' in body


def test_a_model_of_few_photos_says_that_it_is_early(visit, early_site, shared_data):
    """In the same words as everywhere, and again where it says "none of these"."""
    visited = visit(f"{early_site.url}/")
    visited.page.locator(EXAMPLES).first.wait_for()
    assert EARLY_SAID in visited.page.locator("main").inner_text()
    cups = sorted((shared_data / "unknown" / "cups").iterdir())
    visited.choose(next(cup for cup in cups if early_site.predictor.predict(cup).answer == "none of these"))
    assert visited.headline().startswith("None of these")
    assert "Too unlike the few photos it learned from" in visited.card().inner_text()


def test_the_snippet_is_copied_with_one_press(visit, site):
    visited = visit(f"{site.url}/", permissions=["clipboard-read", "clipboard-write"])
    visited.page.get_by_text("Put it on your own site").click()
    visited.page.get_by_role("button", name="Copy: On any web page").click()
    visited.page.get_by_text("Copied").wait_for()
    copied = visited.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f'<script type="module" src="{site.url}/tell-apart.js"></script>\n<tell-apart src=')


@pytest.mark.parametrize(("word", "headings"), [
    ("a-word_of-ours", ["From a program"]),
    ("x%22;%20rm%20-rf%20~%20%22", ["On any web page", "In a frame", "From a program"]),
])  # fmt: skip
def test_what_is_copied_holds_a_token_and_nothing_that_is_none(visit, site, word, headings):
    visited = visit(f"{site.url}/#token={word}")
    visited.page.get_by_text("Put it on your own site").click()
    visited.page.locator(".snippet h3").first.wait_for()
    assert visited.page.locator(".snippet h3").all_inner_texts() == headings
    command = visited.page.locator(".snippet pre").last.inner_text()
    assert ("Bearer a-word_of-ours" in command) == (word == "a-word_of-ours")
    assert "rm" not in command


def test_an_example_is_answered_when_clicked(page, site, garments):
    page.page.locator(EXAMPLES).nth(1).click()
    said = site.predictor.predict(site.examples[1])
    assert page.headline() == said.answer
    shares = page.card().locator(".share").all_inner_texts()
    names = page.card().locator(".name").all_inner_texts()
    assert names == list(said.probs)[:5]
    assert len(shares) == 5
    page.card().locator("summary").click()
    page.card().locator("li >> nth=7").wait_for()
    assert page.card().locator(".name").all_inner_texts() == list(said.probs)
    assert page.log() == [f"Example photo of hat: {said.answer}. {page.card().locator('.remark').inner_text()}"]
    page.leaves_no_trace(site.url)


def test_answers_in_words(page, test_photos, site):
    """A name, a close call and a photo of something else, in the order in which they were given."""
    page.choose(test_photos["shoes"], test_photos["not sure"], test_photos["like coffee mug"])
    doubtful = list(site.predictor.predict(test_photos["not sure"]).probs)
    assert [page.headline(i) for i in range(3)] == [
        "shoes",
        f"Not sure: {doubtful[0]} or {doubtful[1]}",
        "None of these – looks more like coffee mug",
    ]
    # Confident bars under "none of these" would contradict it, so they are folded away.
    assert page.card(1).locator(".bars li >> nth=0").is_visible()
    assert not page.card(2).locator(".bars li >> nth=0").is_visible()
    assert page.card(2).locator("summary").first.inner_text() == "If it had to choose one of its names"


@pytest.mark.parametrize(("least", "headline", "remark"), [
    ({"scratch": 0.1, "dent": 0.05}, "Not sure: scratch or dent", "Each must not be missed."),
    ({"scratch": 0.1, "dent": 0.05, "good": 0.5}, "Not sure: scratch, dent or good", "Each must not be missed."),
    ({"scratch": 0.1, "dent": 0.3}, "Not sure: good or scratch", "No name is sure enough to give."),
    ({}, "Not sure: good or scratch", "No name is sure enough to give."),
])  # fmt: skip
def test_not_sure_names_the_classes_that_claim_a_photo(page, least, headline, remark):
    """Not the two likeliest, where two classes that must not be missed both claim it."""
    said = page.page.evaluate(
        """async (least) => {
          const { asText, promised, spoken } = await import("/wording.js");
          const neverMiss = Object.entries(least).map(([name, probability]) => (
            { class_name: name, probability, sentence: `Of 100 photos of ${name} …` }));
          const probs = new Map([["good", 0.6], ["scratch", 0.2], ["other", 0.1], ["dent", 0.1]]);
          const told = spoken({ answer: "not sure", className: "good", confidence: 0.6, probs }, { neverMiss });
          const model = { promise: { kept: 0.95, low: 0.9, high: 0.98 }, early: "", neverMiss };
          return [asText(told.headline), asText(told.remark), promised(model)];
        }""",
        least,
    )
    assert said[0] == headline
    assert said[1].startswith(remark)
    assert said[2].endswith("".join(f" Of 100 photos of {name} …" for name in least))
    assert said[2].startswith("At least about 95 of 100 photos of its classes get a name (90 to 98 is plausible).")


def test_dropped_anywhere_pasted_and_chosen_photos_get_the_same_answer(page, test_photos):
    photo = test_photos["hat"]
    drop(page, photo)
    page.headline()
    paste(page, "image/png", list(photo.read_bytes()))
    page.cards.nth(1).wait_for()
    page.headline()
    page.choose(photo)
    page.cards.nth(2).wait_for()
    assert [page.headline(i) for i in range(3)] == ["hat"] * 3
    bars = [page.card(i).locator(".bars").inner_text() for i in range(3)]
    assert bars[0] == bars[1] == bars[2]
    page.page.get_by_role("button", name="Clear the answers").click()
    assert page.cards.count() == 0
    assert page.page.evaluate("document.querySelector('tell-apart').shadowRoot.activeElement.textContent") == (
        "Choose photos"
    )


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("notes.txt", b"no photo at all", "The file is not a photo in any format that can be read."),
        ("empty.jpg", b"", "The file is empty."),
        ("large.jpg", bytes(20_000_001), "This file has 20 MB; at most 20 MB can be sent."),
    ],
)
def test_files_that_are_no_photos_are_told_in_one_sentence(page, tmp_path, site, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    page.choose(tmp_path / name)
    assert page.headline() == "No answer"
    assert page.card().locator(".error").inner_text().replace("\xa0", " ") == sentence
    assert page.card().locator("button", has_text="Try again").count() == 0
    page.leaves_no_trace(site.url)


def test_a_file_too_large_is_not_sent(page, tmp_path, site):
    (tmp_path / "large.jpg").write_bytes(bytes(20_000_001))
    page.choose(tmp_path / "large.jpg")
    page.headline()
    assert [url for url in page.requests if "predict" in url] == []


def test_one_bad_photo_does_not_spoil_the_others(page, test_photos, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(test_photos["hat"].read_bytes()[:2000])
    page.choose(test_photos["hat"], tmp_path / "broken.jpg", test_photos["shoes"])
    assert [page.headline(i) for i in range(3)] == ["hat", "No answer", "shoes"]


def test_what_is_no_file_and_what_is_too_much_is_said(page, test_photos, tmp_path):
    complaint = page.page.locator("tell-apart .complaint")
    paste(page, "text/plain", "words")
    assert complaint.inner_text() == "There is no photo on the clipboard. Copy a photo, then paste it here."
    drop(page, tmp_path)
    assert complaint.inner_text() == "That is a folder. Open it and drop the photos in it."
    page.choose(*[test_photos["hat"]] * 201)
    complaint.filter(has_text="too many").wait_for()  # what counts them is fetched first
    assert complaint.inner_text().startswith("201 photos are too many at once: here are the first 200.")
    page.page.locator("tell-apart .many li").nth(199).wait_for()
    page.page.get_by_role("button", name="Clear the answers").click()
    page.choose(test_photos["hat"])
    assert complaint.inner_text() == ""


def test_where_it_looked_and_what_it_sees(page, test_photos, site, tmp_path):
    side_px = site.described["input_px"]
    wide = tmp_path / "wide.png"
    Image.open(test_photos["hat"]).convert("RGB").resize((900, 300)).save(wide)
    page.choose(wide)
    page.headline()
    size = "canvas => [canvas.width, canvas.height]"
    canvas = page.card().locator("canvas")
    assert canvas.evaluate(size) == [900, 300]
    page.card().get_by_role("button", name="What it sees").click()
    page.page.wait_for_timeout(50)
    assert canvas.evaluate(size) == [side_px, side_px]
    assert f"{side_px} × {side_px} pixels: the middle square." in page.card().inner_text()
    page.card().get_by_role("button", name="Where it looked").click()
    page.card().get_by_text("Bright is what spoke for").wait_for()
    assert canvas.evaluate(size) == [900, 300]
    # Left and right of the middle square nothing was seen; in it, what counted most stands out from what did not.
    upload = {"photos": {"name": "p", "mimeType": "image/png", "buffer": wide.read_bytes()}}
    said = page.page.request.post(f"{site.url}/v1/predict?heatmap=true", multipart=upload).json()
    heat = np.asarray(Image.open(io.BytesIO(base64.b64decode(said["predictions"][0]["heatmap"].split(",")[1]))))[..., 3]
    cells = [np.unravel_index(heat.argmax(), heat.shape), np.unravel_index(heat.argmin(), heat.shape)]
    places = [[int(300 + (x + 0.5) * 300 / side_px), int((y + 0.5) * 300 / side_px)] for y, x in cells]
    red = "(canvas, [x, y]) => canvas.getContext('2d').getImageData(x, y, 1, 1).data[0]"
    after = [canvas.evaluate(red, place) for place in (*places, [100, 150], [800, 150])]
    page.card().get_by_role("button", name="Photo", exact=True).click()
    page.page.wait_for_timeout(50)
    before = [canvas.evaluate(red, place) for place in (*places, [100, 150], [800, 150])]
    assert after[0] >= before[0]
    assert all(a < 0.7 * b for a, b in zip(after[1:], before[1:], strict=True))


def test_a_busy_server_is_asked_again(page, site):
    busy = {"error": "busy", "message": "Too many photos at once.", "hint": "Try again in a moment."}
    page.page.route(
        "**/v1/predict",
        lambda route: route.fulfill(status=503, json=busy, headers={"Retry-After": "1"}),
        times=1,
    )
    page.page.locator(EXAMPLES).nth(1).click()
    assert page.card().get_attribute("data-state") == "busy"
    assert page.headline() == "hat"


def test_a_server_that_went_away_is_told_and_can_be_tried_again(visit, garments, site):
    server = type(site)(garments)
    visited = visit(f"{server.url}/")
    visited.page.locator(EXAMPLES).nth(1).wait_for()
    visited.page.wait_for_timeout(200)  # its example photos arrive
    server.stop()
    visited.page.locator(EXAMPLES).nth(1).click()
    assert visited.headline() == "No answer"
    assert visited.card().locator(".error").inner_text() == "The server does not answer."
    visited.page.get_by_role("button", name="Use the camera").click()
    visited.page.get_by_text("The camera could not be loaded: the server does not answer.").wait_for()
    visited.page.get_by_text("Put it on your own site").click()
    visited.page.get_by_text("The server does not answer. Reload the page once it does.").wait_for()
    assert visited.complaints == []
    visited.page.route("**/v1/predict", lambda route: route.fulfill(status=502, body="<html>Bad gateway"))
    visited.card().get_by_role("button", name="Try again").click()
    visited.card().get_by_text("The server could not answer (HTTP 502).").wait_for()


def test_every_class_has_an_example_under_its_own_name(hostile_site):
    named = [example["class_name"] for example in hostile_site.described["examples"]]
    assert sorted(named) == sorted(hostile_site.described["class_names"])
    said = [hostile_site.predictor.predict(example) for example in hostile_site.examples]
    right = [one.class_name == name or one.probs[name] > 0.2 for one, name in zip(said, named, strict=True)]
    assert all(right)


def test_hostile_class_names_are_text(visit, hostile_site):
    visited = visit(f"{hostile_site.url}/")
    visited.page.locator(EXAMPLES).first.wait_for()
    for index, example in enumerate(hostile_site.examples):
        visited.page.locator(EXAMPLES).nth(index).click()
        visited.cards.nth(index).wait_for()
        visited.headline()
        said = hostile_site.predictor.predict(example)
        likeliest = list(said.probs)
        assert visited.card().locator(".name").all_inner_texts() == likeliest
    lead = visited.page.locator("#lead").inner_text()
    assert "<img src=x onerror=alert(1)>" in lead
    assert "__proto__" in lead
    assert visited.page.locator("main img, main script, tell-apart img, tell-apart script").count() == 0
    assert visited.page.evaluate("Object.keys(Object.prototype)") == []
    visited.leaves_no_trace(hostile_site.url)


def test_it_can_be_used_without_a_mouse(page):
    press = page.page.keyboard.press
    focused = "document.querySelector('tell-apart').shadowRoot.activeElement?.textContent ?? ''"
    reached = []
    for _ in range(4):
        press("Tab")
        reached.append(page.page.evaluate(focused))
    assert reached == ["Choose photos", "Use the camera", "dress", "hat"]
    press("Enter")
    assert page.headline() == "hat"
    for _ in range(40):
        press("Tab")
        if page.page.evaluate(focused) == "What it sees":
            break
    press("Space")
    page.card().get_by_text("the middle square").wait_for()
    pressed = page.card().locator("[aria-pressed=true]")
    assert pressed.all_inner_texts() == ["What it sees"]
    assert page.page.locator("tell-apart [role=log]").get_attribute("aria-live") == "polite"
    unnamed = page.page.locator("tell-apart canvas:not([aria-label]):not(button canvas)")
    assert unnamed.count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width_px", WIDTHS_PX.values(), ids=WIDTHS_PX)
def test_it_fits_and_can_be_read(visit, site, test_photos, width_px, scheme):
    visited = visit(
        f"{site.url}/", viewport={"width": width_px, "height": 844}, color_scheme=scheme, reduced_motion="reduce"
    )
    visited.page.locator(EXAMPLES).first.wait_for()
    visited.choose(test_photos["not sure"], test_photos["hat"])
    visited.headline()
    visited.headline(1)
    assert visited.page.evaluate("document.documentElement.scrollWidth") <= width_px
    for selector in ("#lead", "tell-apart .remark", "tell-apart .keeps", "tell-apart h3", "tell-apart summary"):
        assert contrast(visited.page.locator(selector).first) >= 4.5, selector
    assert contrast(visited.page.get_by_role("button", name="Choose photos")) >= 4.5
    motion = "getComputedStyle(document.querySelector('tell-apart').shadowRoot.querySelector('.fill')).animationName"
    assert visited.page.evaluate(motion) == "none"


def contrast(locator):
    """The contrast between an element's letters and what is behind them.

    Source: W3C, Web Content Accessibility Guidelines 2.1, relative luminance and contrast ratio.
    """
    colours = locator.evaluate(
        """element => {
            const brush = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
            const behind = [];
            for (let node = element; node; node = node.parentNode ?? node.host) {
                if (node instanceof Element) behind.unshift(getComputedStyle(node).backgroundColor);
                if (node instanceof ShadowRoot) behind.unshift(getComputedStyle(node.host).backgroundColor);
            }
            const paint = colour => { brush.fillStyle = colour; brush.fillRect(0, 0, 1, 1); };
            const seen = () => [...brush.getImageData(0, 0, 1, 1).data.slice(0, 3)];
            behind.forEach(paint);
            const back = seen();
            paint(getComputedStyle(element).color);
            return [back, seen()];
        }"""
    )
    light = sorted(
        sum(
            weight * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
            for weight, c in zip((0.2126, 0.7152, 0.0722), (part / 255 for part in colour), strict=True)
        )
        for colour in colours
    )
    return (light[1] + 0.05) / (light[0] + 0.05)


def test_the_first_page_is_small_and_asks_nobody_else(visit, site):
    visited = visit("about:blank")
    came = {}
    visited.page.on("response", lambda response: came.update({response.url: response}))
    visited.page.goto(f"{site.url}/")
    visited.page.locator(EXAMPLES).nth(7).wait_for()
    visited.page.wait_for_load_state("networkidle")
    pages = [response for url, response in came.items() if "/v1/examples/" not in url]
    assert len(came) - len(pages) == 8  # an example of every class
    sent = sum(int(response.headers["content-length"]) for response in pages)
    assert sent < FIRST_PAGE_BYTES / 2
    # Asked for once more, because the browser keeps no copy of what a script has read.
    unpacked = sum(len(visited.page.request.get(response.url).body()) for response in pages)
    assert sent < unpacked < FIRST_PAGE_BYTES
    visited.leaves_no_trace(site.url)


def test_it_is_answered_soon(page, test_photos):
    page.choose(test_photos["hat"])  # the first answer warms the model
    page.headline()
    started = time.monotonic()
    page.choose(test_photos["shoes"])
    page.cards.nth(1).wait_for()
    assert page.headline() == "shoes"
    assert time.monotonic() - started < 3


def test_without_scripts_it_says_so(visit, site):
    visited = visit(f"{site.url}/", java_script_enabled=False)
    assert "This page needs JavaScript to look at photos." in visited.page.locator("main").inner_text()


def test_when_the_script_does_not_run_it_says_so(visit, site):
    """As in a browser too old for it: the element's own words show after a moment."""
    visited = visit("about:blank")
    visited.page.route("**/opened.js", lambda route: route.abort())  # in which case it would know more
    visited.page.route("**/tell-apart.js", lambda route: route.abort())
    visited.page.goto(f"{site.url}/")
    sentence = visited.page.locator(".unloaded")
    assert sentence.evaluate("e => getComputedStyle(e).visibility") == "hidden"
    visited.page.wait_for_timeout(2300)
    assert sentence.evaluate("e => getComputedStyle(e).visibility") == "visible"
    assert "needs a browser from 2023" in sentence.inner_text()


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        ({"status": 404, "body": "no"}, "is not there (HTTP 404)"),
        ({"content_type": "text/plain", "body": "export {}"}, "came as text/plain"),
    ],
)
def test_a_part_that_its_host_does_not_give_is_named(visit, site, answer, how):
    visited = visit("about:blank")
    visited.page.route("**/queue.js", lambda route: route.fulfill(**answer))
    visited.page.goto(f"{site.url}/")
    said = f"A part of this page {how}: {site.url}/queue.js. Reload the page; if it stays, tell whoever runs it."
    visited.page.get_by_text(said).wait_for()


def test_every_module_is_named_ahead(site):
    """A module that is not named in the page's head is fetched only after the one that imports it has come."""
    web = Path(__file__).resolve().parents[2] / "src" / "tellapart" / "web"
    for page, first in (("index.html", "app"), ("embed.html", "embed")):
        needed, waiting = set(), [first]
        while waiting:
            module = waiting.pop()
            needed.add(module)
            found = re.findall(r'^(?:import|export)[^;]*?"\./([\w-]+)\.js"', (web / f"{module}.js").read_text(), re.M)
            waiting += set(found) - needed
        named = set(re.findall(r'(?:href|src)="\./([\w-]+)\.js"', (web / page).read_text()))
        assert named == {*needed, "opened"}, page  # that one is no module, so that it runs where modules may not


@pytest.mark.parametrize("width_px", WIDTHS_PX.values(), ids=WIDTHS_PX)
def test_nothing_moves_under_the_pointer(visit, site, test_photos, width_px):
    """Examples and buttons stay where they are from the click to the answer, and cards keep their places."""
    visited = visit(f"{site.url}/", viewport={"width": width_px, "height": 844}, reduced_motion="reduce")
    visited.page.locator(EXAMPLES).nth(7).wait_for()
    visited.page.wait_for_load_state("networkidle")
    places = """() => {
      const root = document.querySelector('tell-apart').shadowRoot;
      const boxes = [...root.querySelectorAll('.drop, .examples button')].map((one) => one.getBoundingClientRect());
      return boxes.map((box) => [box.x, box.y + scrollY, box.width, box.height].map(Math.round));
    }"""
    before = visited.page.evaluate(places)
    visited.page.locator(EXAMPLES).nth(5).click()
    visited.headline()
    assert visited.page.evaluate(places) == before
    drop(visited, test_photos["hat"].parent)  # a complaint
    visited.page.get_by_text("That is a folder.").wait_for()
    assert visited.page.evaluate(places) == before
    tops = """() => [...document.querySelector('tell-apart').shadowRoot.querySelectorAll('article')].map(
      (one) => one.offsetTop)"""
    visited.page.get_by_role("button", name="Clear the answers").click()
    visited.choose(test_photos["hat"], test_photos["not sure"], test_photos["like coffee mug"], test_photos["shoes"])
    visited.cards.nth(3).wait_for()
    waiting = visited.page.evaluate(tops)
    for i in range(4):
        visited.headline(i)
    visited.page.locator("tell-apart .views button").nth(11).wait_for()
    assert visited.page.evaluate(tops) == pytest.approx(waiting, abs=2)


def test_a_browser_that_hides_pixels_takes_no_photo_of_noise(visit, site):
    visited = visit(f"{site.url}/")
    visited.page.add_init_script(
        """const read = CanvasRenderingContext2D.prototype.getImageData;
        CanvasRenderingContext2D.prototype.getImageData = function (...box) {
          const image = read.apply(this, box);
          crypto.getRandomValues(image.data.subarray(0, 60000));
          return image;
        };"""
    )
    visited.page.goto(f"{site.url}/")
    visited.page.locator(EXAMPLES).nth(1).click()
    assert visited.headline() == "hat"  # the server reads the photo, and no pixel is hidden from it
    visited.card().get_by_role("button", name="Where it looked").click()
    visited.card().get_by_text("This browser hides the pixels of photos from pages.").wait_for()
    visited.page.get_by_role("button", name="Use the camera").click()
    visited.page.locator("tell-apart dialog video").wait_for()
    visited.until("document.querySelector('tell-apart').shadowRoot.querySelector('video').videoWidth > 0")
    visited.page.get_by_role("button", name="Take the photo").click()
    visited.page.get_by_text("Allow canvas for this site").wait_for()
    assert visited.cards.count() == 1


def test_a_server_with_a_token_is_open_to_whoever_has_its_address(visit, garments, site):
    server = type(site)(garments, token="a-word-of-ours")
    try:
        visited = visit(f"{server.url}/#token=a-word-of-ours")
        visited.page.locator(EXAMPLES).nth(1).click()
        assert visited.headline() == "hat"
        visited.page.get_by_text("Put it on your own site").click()
        visited.page.get_by_text('curl -H "Authorization: Bearer a-word-of-ours"').wait_for()
        visited.leaves_no_trace(server.url)
        assert not [url for url in visited.requests if "a-word" in url.partition("#")[0]]
        without = visit(f"{server.url}/")
        without.page.get_by_text("This server answers only who knows its token.").wait_for()
        without.page.get_by_text("Open the address that it printed when it was started.").wait_for()
    finally:
        server.stop()
