"""Names and numbers in sentences."""

import os

import pytest

from tellapart.text import as_markdown, counted, did_you_mean, for_shell, in_python, quoted, shown, shown_lines, some


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hat", "hat"),
        ("naïve 帽子 👩\u200d🚀", "naïve 帽子 👩\u200d🚀"),  # joiners stay
        ("a\x1b[31mb\nc", "a\ufffd[31mb\ufffdc"),
        ("a\u202eb\u2066c\u200fd", "a\ufffdb\ufffdc\ufffdd"),  # what turns the direction of text
        ("a\u2028b\udcffc", "a\ufffdb\ufffdc"),  # a line separator, a byte that is no text
    ],
)
def test_a_name_is_one_line_without_control_characters(name, expected):
    assert shown(name) == expected


def test_lines_stay_lines():
    assert shown_lines("a\tb\nc\rd") == "a\ufffdb\nc\ufffdd"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a  b\n c", "a b c"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("*a* _b_ [c](d) `e` #f", r"\*a\* \_b\_ \[c\](d) \`e\` \#f"),
        ("https://a.b www.a.b mailto:a", "https&#58;//a.b www&#46;a.b mailto&#58;a"),
        ("9:30 a.b", "9:30 a.b"),
    ],
)
def test_text_in_markdown_is_text(text, expected):
    assert as_markdown(text) == expected


def test_a_long_name_is_cut_in_its_middle():
    assert quoted("hat") == '"hat"'
    assert quoted("a" * 50 + "b" * 50) == f'"{"a" * 50}{"b" * 50}"'
    assert quoted("abcdefghij", longest=6) == '"abc…hij"'


@pytest.mark.parametrize(
    ("items", "expected"), [([], ""), (["a", "b", "c"], "a, b, c"), (["a"] * 2003, "a, a, a and 2,000 more")]
)
def test_some_of_many(items, expected):
    assert some(items) == expected


@pytest.mark.parametrize(
    ("number", "nouns", "expected"),
    [(1, ["photo"], "1 photo"), (0, ["photo"], "0 photos"), (2000, ["class", "classes"], "2,000 classes")],
)
def test_a_number_with_its_noun(number, nouns, expected):
    assert counted(number, *nouns) == expected


def test_a_name_close_to_a_known_one():
    assert did_you_mean("Flpi", ["flip", "turn"]) == 'Did you mean "flip"? '
    assert did_you_mean("zebra", ["flip", "turn"]) == ""


def test_a_path_is_one_word_of_the_shell_in_use(monkeypatch):
    assert for_shell("site") == "site"
    assert for_shell("my site") == "'my site'"
    assert for_shell("-o") == "./-o"
    assert for_shell("it's") == "'it'\"'\"'s'"
    assert for_shell("a\x1b[2Jb") == "'a\ufffd[2Jb'"
    monkeypatch.setattr("tellapart.text.os.name", "nt")
    monkeypatch.setenv("PSMODULEPATH", "C:\\Program Files")
    assert for_shell("C:\\ex1out\\site") == "C:\\ex1out\\site"
    assert for_shell("my site") == '"my site"'
    assert for_shell("a&b") == '"a&b"'
    monkeypatch.setenv("PSMODULEPATH", os.pathsep.join("abc"))
    assert for_shell("it's $5") == "'it''s $5'"


@pytest.mark.parametrize(
    ("sentence", "meant"),
    [
        ("“tellapart check” lists them all.", "tellapart.check(photos) lists them all."),
        ("Try --quality balanced: on four", 'Try quality="balanced": on four'),
        ("Train without --recipe scratch: on", "Train without a recipe: on"),
        ("Add --recipe finetune; how", "Train with recipe=tellapart.FineTune(); how"),
        ("let “train --group-by” keep", "let tellapart.train(…, group_by=…) keep"),
        ("“tellapart threshold MODEL --answer 0.9” sets that.", "tellapart.threshold(MODEL, answer=0.9) sets that."),
        ('Add photos of "--quality".', 'Add photos of "--quality".'),
    ],
)
def test_a_sentence_for_who_has_no_command_line(sentence, meant):
    assert in_python(sentence) == meant
