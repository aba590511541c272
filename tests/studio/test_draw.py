"""What chance gives to the test: one in five, the same for good, however the heap grows."""

from tellapart.studio.draw import LEAST_TESTED, draw_of, firsts_of, splits_of
from tellapart.studio.heap import Photo
from tellapart.studio.state import Mark


def photos_of(names, split=""):
    return [Photo(name, name, f"/{name}", "", none=False, split=split, modified_s=0, n_files=1) for name in names]


def drawn(names, found=(), fixed=None, split="", seed="seed"):
    return draw_of(photos_of(names, split), dict.fromkeys(names, Mark()), firsts_of(found), fixed or {}, seed)


def test_one_stack_in_five_is_for_the_test_and_a_stack_is_whole():
    names = [f"{n:05}" for n in range(10_000)]
    stacks = [names[n : n + 4] for n in range(0, 10_000, 4)]
    draw = drawn(names, stacks)
    assert 0.18 < len(draw.tests) / len(names) < 0.22
    assert all(len({name in draw.tests for name in stack}) == 1 for stack in stacks)
    assert drawn(names[::-1], stacks).tests == draw.tests  # whatever the order
    assert drawn(names, stacks, seed="another").tests != draw.tests


def test_what_was_written_down_holds_when_the_heap_grows():
    names = [f"{n:03}" for n in range(200)]
    before = drawn(names)
    fixed = {name: name in before.tests for name in names}
    test, other = min(before.tests), min({*names} - before.tests)
    grown = drawn([*names, "new", "bridge"], [["new", test], [test, "new"], [other, "bridge"]], fixed)
    assert grown.tests & {*names} == before.tests
    assert "new" in grown.tests  # it is of the scene of a test photo
    assert "bridge" not in grown.tests
    joined = drawn(names, [[other, test]], fixed)
    assert not {other, test} & joined.tests  # what may have been seen beside a proposal tests nothing


def test_what_was_chosen_only_trains_and_fifty_stacks_are_a_test():
    names = [f"{n:04}" for n in range(2_000)]
    draw = drawn(names)
    tests, others = sorted(draw.tests), sorted({*names} - draw.tests)
    marks = {**dict.fromkeys(names, Mark()), **dict.fromkeys(tests[: LEAST_TESTED - 1], Mark("hat"))}
    marks |= {others[0]: Mark("hat", by="strip"), others[1]: Mark("hat"), others[2]: Mark("hat", out=True)}
    splits = splits_of(marks, draw)
    assert {splits[photo] for photo in tests[: LEAST_TESTED - 1]} == {"crossed"}
    assert (splits[others[0]], splits[others[1]], others[2] in splits) == ("train", "crossed", False)
    marks[tests[-1]] = Mark("hat")
    splits = splits_of(marks, draw)
    assert {photo for photo, split in splits.items() if split == "test"} == {*tests[: LEAST_TESTED - 1], tests[-1]}
    assert splits[others[0]] == splits[others[1]] == "train"


def test_a_test_of_the_source_stands():
    photos = [*photos_of(["a"], "test"), *photos_of(["b"], "train")]
    marks = {"a": Mark("hat"), "b": Mark("hat")}
    draw = draw_of(photos, marks, {}, {}, "seed")
    assert (draw.own, draw.tests, splits_of(marks, draw)) == (True, {"a"}, {})
    assert draw.without_tests(["a", "b"]) == ["a", "b"]
