"""Addresses that a phone can type, and the square that its camera reads."""

import io
import ipaddress

import pytest

from tellapart.cli import address


class Terminal(io.StringIO):
    def __init__(self, encoding="utf-8"):
        super().__init__()
        self._encoding = encoding

    encoding = property(lambda self: self._encoding)

    def isatty(self):
        return True


def test_everybody_s_address_is_one_of_this_machine():
    found = ipaddress.ip_address(address.reachable("0.0.0.0"))
    assert not found.is_unspecified
    assert address.itself("0.0.0.0") == "127.0.0.1"
    assert address.reachable("192.168.1.5") == address.itself("192.168.1.5") == "192.168.1.5"
    assert address.itself("::") == "::1"


def test_without_a_network_it_is_this_machine_s_own(monkeypatch):
    def unreachable(*_):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("socket.socket.connect", unreachable)
    assert address.reachable("0.0.0.0") == "127.0.0.1"


def test_how_a_browser_takes_it():
    assert address.url("192.168.1.5", 8000) == "http://192.168.1.5:8000"
    assert address.url("::1", 8000) == "http://[::1]:8000"


def test_the_code_is_that_of_the_address(monkeypatch):
    """Read back module by module, and equal to what the library would draw."""
    import segno

    text = "http://192.168.1.5:8000/#token=abcdefgh2345"
    monkeypatch.setattr("sys.stdout", Terminal())
    lines = list(address.code_lines(text))
    dark = {block: pair for pair, block in address.BLOCKS.items()}
    rows = []
    for line in lines:
        pairs = [dark[block] for block in line]
        rows += [[upper for upper, _ in pairs], [lower for _, lower in pairs]]
    expected = [[bool(module) for module in row] for row in segno.make(text, micro=False).matrix_iter(border=3)]
    assert rows[: len(expected)] == expected
    assert not any(any(row) for row in rows[len(expected) :])
    assert max(map(len, lines)) <= 45  # narrower than any terminal


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "no such"])
def test_a_terminal_without_blocks_gets_none(monkeypatch, encoding):
    monkeypatch.setattr("sys.stdout", Terminal(encoding))
    assert list(address.code_lines("http://192.168.1.5:8000")) == []


def test_what_is_no_terminal_gets_none(monkeypatch):
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert list(address.code_lines("http://192.168.1.5:8000")) == []


def test_no_text_browser_takes_the_terminal(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert not address.open_browser("http://127.0.0.1:8000")
