"""What happens in a studio, told to every page that listens, as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

QUIET_S: Final = 15.0  # after so long without news a comment is sent, so that nothing between takes the line for dead
MAX_UNREAD: Final = 1_000  # events that a page may be behind; then it is let go, and asks for all when it comes back


class Events:
    """A board on which news are put up; whoever listens gets those from then on."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[str | None]] = set()

    def publish(self, news: Mapping[str, Any]) -> None:
        """Tell all who listen; to be called on the loop that they listen on."""
        line = json.dumps(news, separators=(",", ":"))
        for queue in [*self._listeners]:
            if queue.qsize() < MAX_UNREAD:
                queue.put_nowait(line)
            else:
                self._listeners.discard(queue)
                queue.put_nowait(None)

    def close(self) -> None:
        """Let everybody go."""
        for queue in self._listeners:
            queue.put_nowait(None)
        self._listeners.clear()

    async def listen(self) -> AsyncIterator[bytes]:
        """The news from now on, as a stream of events."""
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield b": listening\n\n"
            while True:
                try:
                    line = await asyncio.wait_for(queue.get(), QUIET_S)
                except TimeoutError:
                    yield b": quiet\n\n"
                    continue
                if line is None:
                    return
                yield f"data: {line}\n\n".encode()
        finally:
            self._listeners.discard(queue)
