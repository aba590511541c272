"""The same rows give the same bytes, and what is damaged is known."""

import pytest

from tellapart.errors import InputError
from tellapart.shards import parquet


@pytest.fixture
def table():
    pa = parquet.arrow()
    return pa.table({"uri": pa.array([f"{i}.jpg" for i in range(3000)]), "n": pa.array(range(3000), pa.int64())})


def test_bytes_do_not_depend_on_the_pieces_in_memory(table, tmp_path):
    pa = parquet.arrow()
    pieces = pa.concat_tables([table.slice(0, 7), table.slice(7)])
    parquet.save(tmp_path / "whole", table, {"b": 1, "a": 2}, ["uri"])
    parquet.save(tmp_path / "pieces", pieces, {"a": 2, "b": 1}, ["uri"])
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "pieces").read_bytes()
    assert parquet.about(tmp_path / "whole") == {"a": 2, "b": 1, "rows": 3000}
    assert parquet.load(tmp_path / "whole").to_pydict() == table.to_pydict()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_cut_file_is_no_file(table, tmp_path, share):
    path = tmp_path / "cut"
    parquet.save(path, table, {}, [])
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert parquet.about(path) is None


def test_a_changed_byte_is_found_when_the_rows_are_read(table, tmp_path):
    path = tmp_path / "changed"
    parquet.save(path, table, {}, [])
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="gone or damaged") as raised:
        parquet.load(path)
    assert "tellapart embed" in raised.value.hint


def test_a_file_of_somebody_else_says_nothing(table, tmp_path):
    from pyarrow.parquet import write_table

    write_table(table, tmp_path / "theirs")
    assert parquet.about(tmp_path / "theirs") is None
    assert parquet.about(tmp_path / "absent") is None
    assert parquet.about(tmp_path) is None
