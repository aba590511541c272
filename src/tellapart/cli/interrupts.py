"""Ctrl-C that a half-imported library can neither swallow nor turn into an error of its own.

An interrupt inside the initialisation of a compiled library surfaces as an `ImportError`, or not at all. So it waits
until no import is under way; a person does not notice the fraction of a second.
"""

import signal
import sys
from threading import Timer, main_thread
from types import FrameType

RETRY_S = 0.05
IMPORTING = "<frozen importlib._bootstrap>"  # the file name of Python's import machinery on the stack


def wait_for_imports() -> None:
    """Make Ctrl-C raise `KeyboardInterrupt` in the main thread, but only between imports."""
    signal.signal(signal.SIGINT, _on_interrupt)


def _on_interrupt(number: int, frame: FrameType | None) -> None:
    if _importing(frame):
        retry = Timer(RETRY_S, _send_again, [number])
        retry.daemon = True
        retry.start()
    else:
        raise KeyboardInterrupt


def _send_again(number: int) -> None:
    if sys.platform == "win32":
        signal.raise_signal(number)
    else:  # to the main thread, so that whatever it is waiting for ends
        signal.pthread_kill(main_thread().ident or 0, number)


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORTING:
            return True
        frame = frame.f_back
    return False
