"""Decodes what it is sent, with limits, and says what became of it and what the library was given to see.

    asked     u32 bytes; the photo
    answered  one line of JSON: {said: "pixels" or a code, seen: the bytes' number or null, forbidden: [kinds in them]}

It dies of a crash, of 5 seconds for one photo, or of too much memory, and is seen to.
"""

import json
import resource
import signal
import sys
from pathlib import Path

from heic_photos import FORBIDDEN
from PIL import Image

from tellapart.data import photo
from tellapart.errors import PhotoError

seen = []


def counted(opener):
    """The opener, which also keeps what it is given."""

    def opened(file, name):
        seen.append(file.getvalue())
        return opener(file, name)

    return opened


def main():
    for kind in ("HEIF", "AVIF"):  # what `photo` itself asks for, one step before the library
        opener, accept = Image.OPEN[kind]
        Image.OPEN[kind] = counted(opener), accept
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + 1_000_000_000,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked, answered = sys.stdin.buffer, sys.stdout
    while size := asked.read(4):
        data = asked.read(int.from_bytes(size))
        seen.clear()
        signal.setitimer(signal.ITIMER_REAL, 5)
        try:
            photo.decode(data)
            said = "pixels"
        except PhotoError as error:
            said = error.code
        signal.setitimer(signal.ITIMER_REAL, 0)
        inside = [kind.decode() for kind in FORBIDDEN if any(kind in given for given in seen)]
        print(json.dumps({"said": said, "seen": len(seen[0]) if seen else None, "forbidden": inside}), file=answered)
        answered.flush()


if __name__ == "__main__":
    main()
