"""<tell-apart> and its frame on another site."""

from pathlib import Path

import pytest

NOTHING_ELSE = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def strict(site_url):
    """A policy that allows the model's server to be asked, and nothing else: no image, no style of any kind."""
    return f"default-src 'none'; script-src {site_url}; connect-src {site_url}; {NOTHING_ELSE}"


def snippet(site_url, attributes="examples"):
    return (
        f'<h1>A blog</h1><script type="module" src="{site_url}/tell-apart.js"></script>'
        f'<tell-apart src="{site_url}" {attributes}>The photo classifier could not be loaded.</tell-apart>'
    )


def test_it_works_on_a_foreign_page_under_a_strict_policy(visit, site, foreign, test_photos):
    visited = visit("about:blank")
    visited.page.add_init_script("window.before = new Set(Object.getOwnPropertyNames(window))")
    visited.page.goto(foreign.add("/strict", snippet(site.url, "examples top=3"), strict(site.url)))
    visited.page.evaluate(
        "document.addEventListener('tell-apart-answer', e => { window.before.answer = e.detail.prediction.answer; })"
    )
    visited.page.locator("tell-apart .examples button").nth(1).click()
    assert visited.headline() == "hat"
    assert visited.card().locator(".body > .bars li").count() == 3
    assert visited.card().locator("canvas").evaluate("canvas => canvas.width") > 100
    visited.card().get_by_role("button", name="Where it looked").click()
    visited.card().get_by_text("Bright is what spoke for").wait_for()
    visited.choose(test_photos["not sure"])
    visited.cards.nth(1).wait_for()
    assert visited.headline().startswith("Not sure: ")
    assert visited.page.evaluate("window.before.answer") == "not sure"
    added = visited.page.evaluate("Object.getOwnPropertyNames(window).filter(name => !window.before.has(name))")
    assert set(added) <= {"before"}
    visited.leaves_no_trace(site.url, foreign.url)


def test_a_site_sets_its_looks(visit, site, foreign):
    policy = f"default-src 'none'; script-src {site.url}; connect-src {site.url}; style-src 'unsafe-inline'"
    style = "<style>tell-apart { --tell-apart-accent: rgb(200, 0, 100); } * { display: none; } html, body, tell-apart"
    url = foreign.add("/looks", style + " { display: block; }</style>" + snippet(site.url), policy)
    visited = visit(url, color_scheme="dark")
    button = visited.page.get_by_role("button", name="Choose photos")
    button.wait_for()
    assert button.evaluate("b => getComputedStyle(b).backgroundColor") == "rgb(200, 0, 100)"
    # The blog is always light, so the widget is, whatever the visitor's system prefers.
    assert visited.page.locator("tell-apart .call").evaluate("e => getComputedStyle(e).color") == "rgb(28, 33, 38)"


def test_a_site_that_is_not_allowed_gets_one_sentence(visit, site, hostile_site, foreign):
    closed = hostile_site  # it allows no other site
    visited = visit(foreign.add("/closed", snippet(closed.url), strict(closed.url)))
    visited.page.wait_for_timeout(300)
    assert visited.page.locator("tell-apart").inner_text() == "The photo classifier could not be loaded."
    # The script may come from elsewhere; then the model still does not answer, and it is said.
    mixed = f"default-src 'none'; script-src {site.url}; connect-src {site.url} {closed.url}"
    body = snippet(site.url).replace(f'<tell-apart src="{site.url}"', f'<tell-apart src="{closed.url}"')
    visited.page.goto(foreign.add("/mixed", body, mixed))
    visited.page.locator("tell-apart .away").wait_for()
    said = visited.page.locator("tell-apart .away p").all_inner_texts()
    host = closed.url.removeprefix("http://")
    assert said == [
        f"The model at {host} does not answer, or does not allow this page to ask it.",
        f"Start it with --allow-origin {foreign.url}",
    ]


def test_loaded_twice_and_removed_it_does_no_harm(visit, site, foreign):
    other = f'<script type="module" src="{site.url}/tell-apart.js?again"></script>'
    visited = visit(foreign.add("/twice", snippet(site.url) + other, strict(site.url)))
    visited.page.locator("tell-apart .examples button").nth(1).click()
    visited.page.evaluate("document.querySelector('tell-apart').remove()")
    visited.page.wait_for_timeout(300)
    assert visited.complaints == []


def test_a_page_asks_about_its_own_photos_and_points_it_elsewhere(visit, site, hostile_site):
    visited = visit(f"{site.url}/")
    visited.page.locator("tell-apart .examples button").first.wait_for()
    visited.page.evaluate(
        "async () => document.querySelector('tell-apart').ask([await (await fetch('/v1/examples/2')).blob()])"
    )
    assert visited.headline() == "hat"
    assert visited.card().locator(".title").inner_text() == "Photo 1"
    visited.page.evaluate("document.querySelector('tell-apart').setAttribute('src', '/nowhere/')")
    away = visited.page.locator("tell-apart .away")
    away.wait_for()
    assert away.locator("p").first.inner_text() == "There is no such page."


@pytest.mark.parametrize("named", ["exact", "other", "none"])
def test_the_frame_tells_exactly_its_parent(visit, site, foreign, named):
    """Its height and its answers go to the origin that the address names, and to no other."""
    parent = {"exact": foreign.url, "other": "http://127.0.0.1:9", "none": ""}[named]
    query = f"?parent={parent}" if parent else ""
    policy = f"default-src 'none'; frame-src {site.url}"
    url = foreign.add(
        f"/frame-{named}", f'<iframe src="{site.url}/embed{query}" title="c" width="600" height="500"></iframe>', policy
    )
    visited = visit("about:blank")
    visited.page.add_init_script("window.heard = []; onmessage = e => heard.push([e.origin, e.data])")
    visited.page.goto(url)
    frame = visited.page.frame_locator("iframe")
    frame.locator("tell-apart .examples button").nth(1).click()
    frame.locator("tell-apart h3", has_text="hat").wait_for()
    visited.page.wait_for_timeout(100)
    heard = visited.page.evaluate("window.heard")
    if named == "exact":
        assert {origin for origin, _ in heard} == {site.url}
        assert {data["type"] for _, data in heard} == {"tell-apart-height", "tell-apart-answer"}
        assert heard[0][1]["height"] > 100
    else:
        assert heard == []
        # The browser notes that a message had no one to go to, which is the point.
        visited.complaints = [text for text in visited.complaints if "Failed to execute 'postMessage'" not in text]
    assert visited.complaints == []


def frame_snippet(page):
    """What the page gives to copy, as somebody would paste it."""
    page.get_by_text("Put it on your own site").click()
    bar = page.locator(".snippet", has=page.get_by_role("heading", name="In a frame"))
    return bar.locator("code").first.inner_text()


def test_the_frame_is_as_high_as_what_is_in_it(visit, site, foreign):
    snippet = frame_snippet(visit(f"{site.url}/").page)
    policy = f"default-src 'none'; frame-src {site.url}; script-src 'unsafe-inline'"
    visited = visit(foreign.add("/framed", snippet, policy), viewport={"width": 1280, "height": 900})
    frame = visited.page.frame_locator("iframe")
    frame.locator("tell-apart .examples button").nth(1).click()
    frame.locator("tell-apart h3", has_text="hat").wait_for()
    height = visited.page.locator("iframe").evaluate("frame => frame.clientHeight")
    inside = frame.locator("body").evaluate("body => [body.scrollHeight, document.documentElement.clientHeight]")
    assert inside[0] <= inside[1] <= height + 1  # nothing to scroll
    assert height > 720
    assert visited.page.locator("iframe").evaluate("f => getComputedStyle(f).borderTopWidth") == "0px"
    # Another window that says so is not believed, nor one of the right origin that is not the frame.
    visited.page.evaluate("postMessage({ type: 'tell-apart-height', height: 5 }, '*')")
    visited.page.wait_for_timeout(200)
    assert visited.page.locator("iframe").evaluate("frame => frame.clientHeight") > 720


def test_without_its_script_the_frame_scrolls(visit, site, foreign):
    snippet = frame_snippet(visit(f"{site.url}/").page).partition("<script>")[0]
    visited = visit(foreign.add("/scrolls", snippet, f"default-src 'none'; frame-src {site.url}"))
    frame = visited.page.frame_locator("iframe")
    frame.locator("tell-apart .examples button").nth(1).click()
    frame.locator("tell-apart h3", has_text="hat").wait_for()
    assert visited.page.locator("iframe").evaluate("frame => frame.clientHeight") == 720
    assert frame.locator("html").evaluate("e => e.scrollHeight > e.clientHeight")
    assert visited.complaints == []


@pytest.mark.parametrize(("theme", "ink"), [("dark", "rgb(233, 230, 224)"), ("light", "rgb(28, 33, 38)")])
def test_it_follows_the_theme_of_the_page_around_it(visit, site, foreign, theme, ink):
    """Whatever the visitor's system prefers: the frame by its address, the widget by its attribute."""
    other = {"dark": "light", "light": "dark"}[theme]
    snippet_ = frame_snippet(visit(f"{site.url}/").page)
    policy = f"default-src 'none'; frame-src {site.url}; script-src {site.url} 'unsafe-inline'; connect-src {site.url}"
    dressed = f"<script>document.documentElement.dataset.theme = '{theme}'</script>{snippet_}"
    visited = visit(foreign.add(f"/theme-{theme}", dressed, policy), color_scheme=other)
    colour = "e => getComputedStyle(e).color"
    framed = visited.page.frame_locator("iframe").locator("tell-apart .call")
    framed.wait_for()
    visited.page.frame_locator("iframe").locator(f"tell-apart[theme={theme}]").wait_for()
    assert framed.evaluate(colour) == ink
    visited.page.goto(foreign.add(f"/own-{theme}", snippet(site.url, f"theme={theme}"), policy))
    assert visited.page.locator("tell-apart .call").evaluate(colour) == ink


def test_a_policy_that_forbids_to_ask_is_told_from_a_server_that_is_away(visit, site, foreign):
    policy = f"default-src 'none'; script-src {site.url}; connect-src 'self'"
    visited = visit(foreign.add("/mute", snippet(site.url), policy))
    host = site.url.removeprefix("http://")
    visited.page.get_by_text(f"The policy of this site forbids to ask {host}.").wait_for()
    visited.page.get_by_text(f"in its Content-Security-Policy: connect-src {site.url}").wait_for()


def test_a_stranger_may_not_frame_it(visit, hostile_site, foreign):
    frame = f'<iframe src="{hostile_site.url}/embed" title="c"></iframe>'
    visited = visit(foreign.add("/stranger", frame, f"default-src 'none'; frame-src {hostile_site.url}"))
    visited.page.wait_for_timeout(300)
    assert any("frame-ancestors" in text for text in visited.complaints)


def test_the_sample_blog_post(visit, site, foreign):
    """As it stands in examples/, but for the address of the server."""
    post = (Path(__file__).resolve().parents[2] / "examples" / "blog.html").read_text()
    policy = f"default-src 'none'; script-src {site.url}; connect-src {site.url}; style-src 'unsafe-inline'"
    foreign.pages["/blog"] = post.replace("http://127.0.0.1:8000", site.url), policy
    visited = visit(f"{foreign.url}/blog", viewport={"width": 390, "height": 844})
    visited.page.locator("tell-apart .examples button").nth(1).click()
    assert visited.headline() == "hat"
    assert visited.card().locator(".body > .bars li").count() == 4
    assert visited.page.evaluate("document.documentElement.scrollWidth") <= 390
    visited.leaves_no_trace(site.url, foreign.url)
