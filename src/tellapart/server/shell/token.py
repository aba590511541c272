"""A word that requests must carry, so that only those who were given it may ask.

The page's own files are no secret, and a browser fetches them without it; what they ask for, they ask with it. The word
stands in the page's address behind a #, which no browser sends to any server, and no log or proxy writes down.
"""

import hmac
import re
import secrets
from collections.abc import Container
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from tellapart.server.shell.problem import Problem

LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
LENGTH: Final = 12  # 59 bits; somebody may have to type them
WORD: Final = re.compile(r"[A-Za-z0-9_-]{6,100}")  # one that a person chose; it stands in an address as it is


def new_token() -> str:
    """A word that nobody guesses and a person can type."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


class TokenCheck:
    """ASGI middleware that asks for the word as `Authorization: Bearer WORD`.

    Args:
        app: what to protect.
        token: the word.
        free: paths that need none.
    """

    def __init__(self, app: ASGIApp, token: str, free: Container[str]) -> None:
        self._app = app
        self._expected = f"bearer {token}".encode()
        self._free = free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then pass on."""
        if scope["type"] == "http" and scope["path"] not in self._free and not self._is_right(scope):
            refused = Problem(
                401,
                "needs_token",
                "This server answers only who knows its token.",
                hint="Open the address that it printed when it was started.",
                headers={"www-authenticate": "Bearer"},
            )
            await refused.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_right(self, scope: Scope) -> bool:
        said = [value for name, value in scope["headers"] if name == b"authorization"]
        kind, _, word = said[0].partition(b" ") if len(said) == 1 else (b"", b"", b"")
        return hmac.compare_digest(kind.lower() + b" " + word.strip(), self._expected)
