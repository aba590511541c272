"""A small copy of a photo, as its own address; what it looks like is held by the tests of the report."""

import numpy as np
from PIL import Image

from tellapart.model.thumbnail import NOTEBOOK_PX, thumbnail_of


def test_a_photo_that_is_gone_or_none_has_no_picture(tmp_path):
    Image.fromarray(np.full((900, 600, 3), 90, np.uint8)).save(tmp_path / "large.jpg")
    (tmp_path / "none.jpg").write_bytes(b"no photo")
    uri = thumbnail_of(tmp_path / "large.jpg")
    assert uri.startswith("data:image/webp;base64,")
    assert len(uri) < 10_000
    assert NOTEBOOK_PX <= 200
    assert thumbnail_of(tmp_path / "none.jpg") == thumbnail_of(tmp_path / "missing.jpg") == thumbnail_of("") == ""
