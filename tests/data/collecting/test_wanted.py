"""Lists of addresses as people write them."""

import pytest

from tellapart.data.collecting.wanted import Wanted, read_wanted
from tellapart.errors import InputError

A, B = "https://a.example/1.jpg?w=1,2", "https://b.example/2.jpg"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"# hats\n\n{A}\n  {B}  \n{A}\n", [Wanted(A), Wanted(B)]),
        (f'\ufeffurl,label,licence\n"{A}",hat,CC0\n{B},,\n', [Wanted(A, "hat", "CC0"), Wanted(B)]),
        (f"Licence\tURL\nCC BY\t{A}\n", [Wanted(A, "", "CC BY")]),
    ],
)
def test_a_list_is_read(tmp_path, text, wanted):
    (tmp_path / "list").write_text(text, encoding="utf-8")
    assert read_wanted(str(tmp_path / "list")) == wanted


@pytest.mark.parametrize("text", ["", "# nothing\n", "url,label\n", "name,label\na,b\n"])
def test_a_list_without_addresses_is_refused(tmp_path, text):
    (tmp_path / "list").write_text(text)
    with pytest.raises(InputError):
        read_wanted(str(tmp_path / "list"))
