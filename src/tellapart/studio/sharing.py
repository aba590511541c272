"""What a studio hands on: its model's report, and the model served on this machine."""

import asyncio
import secrets
import sys
import time
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tellapart.data.preprocess import Preprocess
from tellapart.errors import InputError
from tellapart.model.artifact import REPORT, load_artifact
from tellapart.model.naming import MANIFEST
from tellapart.text import for_shell, shown

TICKET_S: Final = 60.0  # a ticket that nobody used by then opens nothing
START_S: Final = 60.0  # for a server to say where it is


class Sharing:
    """The model of one studio, and what comes of it.

    Args:
        model: the folder that it is written to.
        folder: where the studio keeps its own.
    """

    def __init__(self, model: Path, folder: Path) -> None:
        self.model = model
        self._folder = folder
        self._tickets: dict[str, float] = {}
        self._server: Process | None = None
        self._address = ""
        self._starting = asyncio.Lock()
        self._preprocessing: tuple[int, Preprocess] | None = None

    def told(self) -> dict[str, Any]:
        """Where the model is, whether it is there, and the commands that do more with it."""
        name = for_shell(str(self.model))
        serving = self._server is not None and self._server.returncode is None
        return {
            "model": shown(str(self.model)),
            "written": (self.model / MANIFEST).is_file(),
            "serving": self._address if serving else "",
            "commands": [
                ["Answer photos", f"tellapart predict {name} new-photos/"],
                ["Serve it to phones in the same network", f"tellapart serve {name} --host 0.0.0.0 --token"],
                ["Test it on other photos", f"tellapart evaluate {name} other-photos/"],
            ],
        }

    def preprocessing(self) -> Preprocess:
        """How a photo becomes the pixels that the model gets.

        Raises:
            InputError: there is no model.
            ArtifactError: it cannot be trusted or understood.
        """
        try:
            mark = (self.model / MANIFEST).stat().st_mtime_ns
        except OSError as error:
            raise InputError("There is no model yet.", hint="Write it first, on the screen Share.") from error
        if self._preprocessing is None or self._preprocessing[0] != mark:
            self._preprocessing = mark, load_artifact(self.model).preprocess
        return self._preprocessing[1]

    def ticket(self) -> str:
        """A word that opens the report once; a page that is gone to by its address sends no token.

        Raises:
            InputError: there is no report.
        """
        if not (self.model / REPORT).is_file():
            raise InputError("There is no model yet.", hint="Write it first.")
        now = time.monotonic()
        self._tickets = {word: until for word, until in self._tickets.items() if until > now}
        word = secrets.token_urlsafe(24)
        self._tickets[word] = now + TICKET_S
        return word

    def report(self, ticket: str) -> bytes | None:
        """The report, for a ticket; None for one that opens nothing."""
        if self._tickets.pop(ticket, 0) < time.monotonic():
            return None
        with suppress(OSError):
            return (self.model / REPORT).read_bytes()
        return None

    async def serve(self) -> str:
        """Serve the model on this machine, and the address of its page.

        Raises:
            InputError: it does not start.
        """
        async with self._starting:
            if self._server is not None and self._server.returncode is None:
                return self._address
            command = ["-m", "tellapart", "serve", str(self.model), "--port", "0", "--quiet"]
            server = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=PIPE)
            self._server = server
            try:
                said = await asyncio.wait_for(server.stdout.readline(), START_S) if server.stdout else b""
            except TimeoutError:
                said = b""
            words = said.decode(errors="replace").split()
            if not words or not words[-1].startswith("http://"):
                await self.end()
                raise InputError(
                    "The model cannot be served.", hint=f"To see why: tellapart serve {for_shell(str(self.model))}"
                )
            self._address = words[-1]
            return self._address

    async def end(self) -> None:
        """End the server, if there is one."""
        server, self._server = self._server, None
        if server is not None and server.returncode is None:
            with suppress(ProcessLookupError):
                server.terminate()
            try:
                await asyncio.wait_for(server.wait(), 10)
            except TimeoutError:
                server.kill()
                await server.wait()
