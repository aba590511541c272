"""The report in a real browser, as wide as a phone and as a desk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WIDTHS_PX = {"phone": 360, "desktop": 1200}


@pytest.fixture(scope="module")
def browser(open_browser: Callable[[], Any]) -> Any:
    return open_browser()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width_px", WIDTHS_PX.values(), ids=WIDTHS_PX)
def test_the_report_is_readable_and_asks_for_nothing(model: Path, browser: Any, width_px: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width_px, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto((model / "report.html").as_uri())
    assert "test photos right" in page.locator("h1").first.inner_text()
    headings = page.locator("h2").all_inner_texts()
    assert headings.index("What to do next") < headings.index("Each class") < headings.index("Photos of something else")
    assert page.evaluate("document.documentElement.scrollWidth") <= width_px
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width_px
    broken = page.evaluate("[...document.images].filter(i => !i.complete || i.naturalWidth === 0).length")
    assert broken == 0
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    context.close()
