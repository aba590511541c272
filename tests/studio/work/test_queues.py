"""What to label next, in a real studio: nothing of the test is proposed, orders hold what they should."""

import shutil

import pytest
from PIL import Image


@pytest.fixture(scope="module")
def garments(shared_data, tmp_path_factory):
    """Hats and shoes without labels; one hat is there three times, smaller each time."""
    folder = tmp_path_factory.mktemp("queues") / "photos"
    folder.mkdir()
    for name in ("hat", "shoes"):
        for path in sorted((shared_data / "clothing" / "train" / name).iterdir())[:24]:
            shutil.copy(path, folder / f"{name}-{path.name}")
    first = sorted(folder.iterdir())[0]
    with Image.open(first) as image:
        for n in (2, 3):
            image.convert("RGB").resize((image.width // n, image.height // n)).save(folder / f"hat-small-{n}.png")
    return folder


def result(one, do, **asked):
    said = one.ended(one.job(do, **asked))
    assert said["state"] == "done", said
    return said["result"]


def test_what_comes_next_keeps_to_stacks_and_away_from_the_test(garments, studio):
    one = studio(garments)
    names = {photo: name for name, photo in one.ids().items()}
    (stack,) = result(one, "read")["stacks"]
    assert sorted(names[photo][-11:] for photo in stack)[1:] == ["small-2.png", "small-3.png"]
    found = result(one, "strips")
    proposed = [photo for strip in found["strips"] for photo in strip["photos"]]
    order = result(one, "suggestions")
    drawn = set(order["drawn"])
    assert 0 < len(drawn) == found["n_drawn"]
    assert not drawn & set(proposed)
    assert len(set(stack) & set(order["photos"])) == 1  # a stack is one unit
    assert len(order["photos"]) == len(set(order["photos"])) == found["n_free"] + len(drawn) == len(names) - 2
    one.do(do="label", photos=[photo for photo in names if names[photo].startswith("hat")], label="hat", by="strip")
    one.do(do="label", photos=proposed[:1], label="shoes")
    left = {photo for photo, name in names.items() if name.startswith("shoes")} - set(proposed[:1])
    after = result(one, "suggestions")
    assert set(after["photos"]) <= left | drawn  # these are not labelled in bulk
    strips = result(one, "strips")["strips"]
    assert {photo for strip in strips for photo in strip["photos"]} <= left - drawn
    like = result(one, "alike", photo=stack[0])
    assert (like[0], set(like[:3]), len(like)) == (stack[0], set(stack), len(names))
    assert "nothing is known" in one.ended(one.job("alike", photo="nobody"))["message"]


def test_a_stack_that_was_split_by_hand_stays_split(garments, studio, tmp_path):
    folder = tmp_path / "photos"
    shutil.copytree(garments, folder)
    one = studio(folder)
    (stack,) = result(one, "read")["stacks"]
    free = result(one, "suggestions")
    one.do(do="split", photos=stack, stacks=[stack[0], stack[1], stack[1]])
    assert len(result(one, "suggestions")["photos"]) == len(free["photos"]) + 1
    one.do(do="undo")
    assert len(result(one, "suggestions")["photos"]) == len(free["photos"])


def test_a_photo_is_shown_large_in_its_own_shape(garments, studio):
    one = studio(garments)
    status, headers, jpeg = one.ask(f"/v1/photo?photo={one.ids()['hat-small-2.png']}")
    assert (status, headers["content-type"], jpeg[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert one.ask("/v1/photo?photo=../x")[0] == 404
    assert one.ask("/v1/photo?photo=x", Authorization="")[0] == 401
