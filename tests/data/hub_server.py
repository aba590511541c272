"""A hub on this machine: as much of one as fetching a data set needs, and a record of who asked for what."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_of_the_person"


@dataclass
class Hub:
    """Data sets by name, each {file: content}; those in `private` want the person's token.

    Attributes:
        moved: {name: its new name}, which the hub answers with a redirect.
        asked: "METHOD path", and the token that came with it or "".
        later: what a data set holds from the second question for its card on.
    """

    sets: dict[str, Mapping[str, bytes]]
    private: frozenset[str] = frozenset()
    moved: Mapping[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    later: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    url: str = ""

    def revision(self, name: str) -> str:
        """The commit that a data set is at."""
        said = json.dumps({file: hashlib.sha1(content).hexdigest() for file, content in self.sets[name].items()})
        return hashlib.sha1(said.encode()).hexdigest()


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub, answering at `hub.url`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.answer()

        def answer(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append(
                (f"{self.command} {path}", (self.headers.get("Authorization") or "").removeprefix("Bearer "))
            )
            parts = path.strip("/").split("/")
            api = parts[:2] == ["api", "datasets"]
            name = "/".join(parts[2:4] if api else parts[1:3])
            rest = parts[4:] if api else parts[3:]
            if name in hub.moved:
                self.send(307, b"", Location=self.path.replace(name, hub.moved[name]))
            elif name not in hub.sets or (name in hub.private and hub.asked[-1][1] != TOKEN):
                self.send(404, b"{}", **{"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
            elif api and rest[:1] == ["tree"]:
                found = [
                    {"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                    for file, content in hub.sets[name].items()
                ]
                if rest[2:] and "recursive=true" not in self.path.lower():
                    found = self.inside("/".join(rest[2:]), found)
                self.send(200 if found else 404, json.dumps(found).encode())
            elif api:
                siblings = [{"rfilename": file} for file in hub.sets[name]]
                info = {"id": name, "sha": hub.revision(name), "siblings": siblings, "private": False, "tags": []}
                self.send(200, json.dumps(info).encode())
            elif rest[:1] == ["resolve"]:
                self.resolve(name, "/".join(rest[2:]))
            else:
                self.send(404, b"{}")

        def inside(self, folder: str, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
            """What lies directly in a folder."""
            found = [file for file in files if file["path"].rpartition("/")[0] == folder]
            rest = [file["path"][len(folder) + 1 :] for file in files if file["path"].startswith(f"{folder}/")]
            names = sorted({path.partition("/")[0] for path in rest if "/" in path})
            return found + [
                {"type": "directory", "path": f"{folder}/{one}", "oid": "0" * 40, "size": 0} for one in names
            ]

        def resolve(self, name: str, file: str) -> None:
            commit = {"X-Repo-Commit": hub.revision(name)}
            content = hub.sets[name].get(file)
            if content is None:
                self.send(404, b"", **{"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found", **commit})
            elif asked := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or ""):
                self.send(206, content[int(asked[1]) : int(asked[2]) + 1], **commit)
            else:
                self.send(200, content, ETag=f'"{hashlib.sha1(content).hexdigest()}"', **commit)
            if file == "README.md" and self.command == "GET" and name in hub.later:
                hub.sets[name] = hub.later.pop(name)

        def send(self, status: int, content: bytes, **headers: str) -> None:
            self.send_response(status)
            for header, value in headers.items():
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
