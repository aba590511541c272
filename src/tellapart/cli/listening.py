"""What every server of ours needs of a command: a socket that visitors connect to, and a log that people read."""

from typing import TYPE_CHECKING

from tellapart.errors import InputError

if TYPE_CHECKING:
    import socket


def listener_at(host: str, port: int) -> "socket.socket":
    """A socket that visitors can connect to from now on; they wait until the server is ready.

    Raises:
        InputError: the address cannot be had.
    """
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError, UnicodeError) as error:
        raise InputError(
            f"Port {port} of '{host}' cannot be used.", hint="Is another server running? Choose another --port."
        ) from error
    # Head and body of an answer are two writes. asyncio would see to it, but not for a socket that was made like this:
    # the second write then waits for the visitor's system to acknowledge the first, 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def log_to_stderr(*, quiet: bool) -> None:
    """One line a request, unless `quiet`, and whatever goes wrong, without colours, for people and for files."""
    import logging

    from tellapart.text import shown_lines

    class Plain(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return shown_lines(super().format(record))

    handler = logging.StreamHandler()
    handler.setFormatter(Plain("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S"))
    for name, level in (("tellapart", logging.WARNING if quiet else logging.INFO), ("uvicorn.error", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
