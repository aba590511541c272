"""A finding in a line of text, and as a notebook shows it."""

from tellapart.checks.finding import SHOWN_PHOTOS, Finding

HOSTILE = "<img src=x onerror=alert(1)>\x1b"


def test_a_finding_is_a_line_and_a_fold():
    rows = tuple((f"{i}.jpg", f"{i} again.jpg", "exact") for i in range(900))
    finding = Finding("copies", "900 photos are copies.", "Keep one of each.", rows)
    assert repr(finding) == "<Finding copies: 900 photos are copies. (900 rows in .photos)>"
    page = finding._repr_html_()
    assert f"… and {900 - SHOWN_PHOTOS} more rows in .photos" in page
    assert page.count("again.jpg") == SHOWN_PHOTOS
    assert "data:image/webp;base64,AA" in finding.as_html({"3.jpg": "data:image/webp;base64,AA"})


def test_names_are_escaped():
    finding = Finding(HOSTILE, HOSTILE, HOSTILE, ((HOSTILE, HOSTILE),), HOSTILE)
    assert "<img src=x" not in finding._repr_html_()
    assert "\x1b" not in finding._repr_html_() + repr(finding)
