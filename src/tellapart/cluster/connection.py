"""Reaching a Ray cluster, and saying in a sentence why not.

Asked to join what is no cluster, Ray tries for two minutes and then ends the process. So a process of its own asks
first.
"""

import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from threading import Thread
from typing import Any, Final, TypeVar

from tellapart.errors import InputError
from tellapart.extras import require

_Result = TypeVar("_Result")

PORT: Final = 6379  # of Ray, where none is named
REACH_S: Final = 5.0  # for a machine to answer
ASK_S: Final = 45.0  # for what answers to be Ray: 1.5 s on a quiet machine, 20 beside much other work
LEAVE_S: Final = 5.0  # for what Ray may wait for without end where the head is gone
TOKEN: Final = b"InvalidAuthToken"  # what a cluster answers that asks for one
_ASK: Final = "import sys; from ray.scripts.scripts import main; sys.argv[0] = 'ray'; main()"
# Nothing is reported to anybody; and no notes of what a later release will do.
SETTINGS: Final = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


def ray() -> Any:
    """The module.

    Raises:
        MissingExtraError: it is not installed.
    """
    require("cluster", "Handing out work to a cluster needs Ray, a part of tellapart that is not installed.")
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    return import_module("ray")


@contextmanager
def joined(address: str) -> Iterator[Any]:
    """The module of Ray, connected to the cluster at `address` until the end of the `with` block.

    Args:
        address: HOST:PORT or HOST of the head, or `auto` for the cluster that this machine belongs to.

    Raises:
        InputError: there is no cluster, or it has another Ray or Python.
        MissingExtraError: Ray is not installed.
    """
    place = _understood(address)
    module = ray()
    asks_for_token = _answers(place, address)
    try:
        module.init(address=place, log_to_driver=False, logging_level=logging.ERROR)
    except (SystemExit, ConnectionError, ValueError, module.exceptions.AuthenticationError) as error:
        raise (_no_token(address) if asks_for_token else _no_cluster(address)) from error
    except RuntimeError as error:
        raise _other_version(str(error), address) from error
    try:
        yield module
    finally:
        within(LEAVE_S, module.shutdown)


def within(seconds: float, call: Callable[[], _Result]) -> _Result | None:
    """What `call` gives, or None where it does not come back in time: calls of Ray wait for a head that is gone."""
    given: list[_Result] = []
    calling = Thread(target=lambda: given.append(call()), daemon=True)
    calling.start()
    calling.join(seconds)
    return given[0] if given else None


def is_there(place: str) -> bool:
    """Whether something takes calls at HOST:PORT."""
    host, _, port = place.rpartition(":")
    with suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S):
        return True
    return False


def _understood(address: str) -> str:
    if address == "auto":
        return address
    found = re.fullmatch(r"([\w.-]+|\[[0-9a-fA-F:]+\])(?::(\d{1,5}))?", address)
    if not found:
        raise InputError(
            f"'{address}' is no address of a Ray cluster.",
            hint="Write HOST:PORT of its head, or auto, on a machine that belongs to the cluster.",
        )
    return f"{found[1]}:{found[2] or PORT}"


def _answers(place: str, address: str) -> bool:
    """Returns where a cluster answers: whether it asks for a token, which asking shows none of and joining does."""
    if place != "auto" and not is_there(place):
        raise _no_cluster(address)
    options = [] if place == "auto" else ["--address", place]
    command = [sys.executable, "-c", _ASK, "health-check", "--skip-version-check", *options]
    try:
        asked = subprocess.run(command, capture_output=True, timeout=ASK_S, check=False)  # noqa: S603  our own Python
    except subprocess.TimeoutExpired as error:
        raise _no_cluster(address) from error
    asks_for_token = TOKEN in asked.stdout + asked.stderr
    if asked.returncode and not asks_for_token:
        raise _no_cluster(address)
    return asks_for_token


def _no_cluster(address: str) -> InputError:
    if address == "auto":
        return InputError(
            "This machine belongs to no Ray cluster that runs.",
            hint="Make one: ray start --head --disable-usage-stats. On other machines: ray start --address HEAD:6379",
        )
    return InputError(
        f"No Ray cluster answers at '{address}'.",
        hint="`ray start --head` says its address. This machine must belong to it: ray start --address HOST:PORT",
    )


def _no_token(address: str) -> InputError:
    return InputError(
        f"The cluster at '{address}' asks for a token, and this machine has none or another.",
        hint="Copy ~/.ray/auth_token from its head to the same place here.",
    )


def _other_version(said: str, address: str) -> InputError:
    """The sentence for Ray's own long one."""
    rays, pythons = (re.findall(rf"\b{name}:?\s+v?([\w.+]+)", said) for name in ("Ray", "Python"))
    if len(rays) == len(pythons) == 2:
        return InputError(
            f"The cluster at '{address}' has Ray {rays[0]} and Python {pythons[0]}, this machine Ray {rays[1]} and "
            f"Python {pythons[1]}.",
            hint=f'All machines need the same of both. Here: pip install "ray=={rays[0]}"',
        )
    return InputError(
        f"The cluster at '{address}' cannot be joined: {said.strip().splitlines()[0]}", hint="Look into its logs."
    )
