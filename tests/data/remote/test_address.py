"""Addresses: what is one, and what of it may be kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.remote.address import from_table, is_address, parent, scheme_of, without_secrets
from tellapart.errors import InputError

SECRET = "S3cr3tW0rd"


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        (f"https://me:{SECRET}@h.org/a/1.jpg", "https://h.org/a/1.jpg"),
        (f"https://{SECRET}@h.org/1.jpg", "https://h.org/1.jpg"),
        ("https://h.org:8443/1.jpg#top", "https://h.org:8443/1.jpg"),
        (f"https://b.s3.amazonaws.com/1.jpg?X-Amz-Credential=AK%2F1&X-Amz-Signature={SECRET}",
         "https://b.s3.amazonaws.com/1.jpg"),
        (f"https://a.blob.core.windows.net/c/1.jpg?sv=2024-01-01&se=2026-01-01&sr=b&sp=r&sig={SECRET}",
         "https://a.blob.core.windows.net/c/1.jpg"),
        (f"https://d.cloudfront.net/1.jpg?Expires=17&Signature={SECRET}&Key-Pair-Id=AP", "https://d.cloudfront.net/1.jpg"),
        (f"https://f.org/o/1?alt=media&token={SECRET}", "https://f.org/o/1?alt=media"),
        (f"https://f.org/get?id=17&w=640&access_token={SECRET}", "https://f.org/get?id=17&w=640"),
        (f"https://f.org/get?id=17&%61pi_key={SECRET}", "https://f.org/get?id=17"),
        ("s3://bucket/a?b#c.jpg", "s3://bucket/a?b#c.jpg"),
        ("az://container/1.jpg", "az://container/1.jpg"),
        ("hf://datasets/o/n@main/1.jpg", "hf://datasets/o/n@main/1.jpg"),
        (f"s3://key:{SECRET}@bucket/1.jpg", "s3://bucket/1.jpg"),
        ("photos/1.jpg?token=x", "photos/1.jpg?token=x"),
    ],
)  # fmt: skip
def test_no_secret_is_kept_and_the_photo_is_still_named(address, kept):
    assert without_secrets(address) == kept
    assert without_secrets(kept) == kept
    assert SECRET not in without_secrets(address)


@given(st.text("abcdefXYZ0123456789_-", min_size=1, max_size=9), st.text("abcdef0123456789", min_size=8, max_size=40))
def test_what_is_not_known_to_be_harmless_is_never_kept_and_still_told_apart(name, value):
    first, second = (without_secrets(f"https://h.org/x?zz{name}={value}{end}") for end in ("1", "2"))
    assert value not in first
    assert (first == second) == (first == "https://h.org/x")
    assert without_secrets(first) == first


def test_an_address_is_no_path():
    assert all(map(is_address, ("s3://b/k", "HTTPS://h/x", "gcs://b/k", "file:///etc/passwd")))
    assert not any(map(is_address, ("photos", "C://photos", "hf:beans", "/mnt/s3://", "a/b://c")))
    assert [scheme_of(one) for one in ("S3://b/k", "gcs://b/k", "HTTPS://h/x")] == ["s3", "gs", "https"]
    for address in ("file:///etc/passwd", "memory://x", "zip://1.jpg::s3://b/a.zip", "s3://b/a::k"):
        with pytest.raises(InputError, match="is no address"):
            scheme_of(address)


def test_a_table_from_elsewhere_names_nothing_here():
    folder = "s3://bucket/set"
    assert from_table("hat/1.jpg", folder) == "s3://bucket/set/hat/1.jpg"
    assert from_table("https://h/1.jpg", folder) == "https://h/1.jpg"
    for path in ("/etc/passwd", "../other/1.jpg", "a/../../1.jpg", "C:/1.jpg", "\\\\host\\1.jpg", "file:1.jpg"):
        with pytest.raises(InputError, match="not beside it"):
            from_table(path, folder)
    with pytest.raises(InputError, match="is no address"):
        from_table("file:///etc/passwd", folder)
    assert parent("https://h.org/a/list.csv?sig=a/b") == "https://h.org/a"
