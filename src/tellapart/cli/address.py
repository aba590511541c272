"""Where a server can be reached: an address that a phone can type, and the same as a square to point its camera at."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec

WILDCARDS = {"0.0.0.0": ("192.0.2.1", "127.0.0.1"), "::": ("2001:db8::1", "::1"), "": ("192.0.2.1", "127.0.0.1")}  # noqa: S104
MARGIN = 3  # modules around the code; four are asked for, and cameras take two
BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}  # upper and lower module dark


def reachable(host: str) -> str:
    """The address that others in the network use for what listens on `host`.

    A socket is pointed at an address that is reserved for documentation, and the system says which of its own it would
    use. Nothing is sent. Without a network it is the address of this machine to itself.
    """
    if host not in WILDCARDS:
        return host
    elsewhere, itself = WILDCARDS[host]
    with (
        suppress(OSError),
        socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe,
    ):
        probe.connect((elsewhere, 9))
        return str(probe.getsockname()[0])
    return itself


def itself(host: str) -> str:
    """The address by which this machine reaches what listens on `host`."""
    return WILDCARDS[host][1] if host in WILDCARDS else host


def url(host: str, port: int) -> str:
    """The address as a browser takes it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def code_lines(text: str) -> Iterator[str]:
    """The QR code of `text`, two rows of modules a line, to be printed black on white; nothing where that cannot be.

    It takes a terminal whose letters include blocks, and the package segno, which the extra `serve` brings.
    """
    if not sys.stdout.isatty() or find_spec("segno") is None:
        return
    try:
        "".join(BLOCKS.values()).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return
    import segno

    rows = [[bool(module) for module in row] for row in segno.make(text, micro=False).matrix_iter(border=MARGIN)]
    rows += [[False] * len(rows[0])] * (len(rows) % 2)
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        yield "".join(BLOCKS[pair] for pair in zip(upper, lower, strict=True))


def open_browser(address: str) -> bool:
    """Whether a browser with windows was asked to open `address`; a text browser would take the terminal."""
    import webbrowser

    if sys.platform.startswith("linux") and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    ):
        return False
    return webbrowser.open(address)
