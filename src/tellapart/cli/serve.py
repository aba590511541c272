"""`serve`: a model's page and API on this machine."""

import sys
from typing import TYPE_CHECKING

import click

from tellapart.cli.options import examples
from tellapart.cli.output import say
from tellapart.errors import InputError
from tellapart.extras import require

if TYPE_CHECKING:
    import socket


@click.command(
    epilog=examples(
        """
tellapart serve burgers
tellapart serve burgers --allow-origin https://blog.example.org
tellapart serve burgers --host 0.0.0.0 --allow-host burgers.example.org --trust-proxy 10.0.0.2"""
    )
)
@click.argument("model", type=click.Path())
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes any that is free."
)
@click.option("--allow-host", multiple=True, help="A further name of this server, such as burgers.example.org.")
@click.option("--allow-origin", multiple=True, help="Another website that may use it, such as https://example.org.")
@click.option("--trust-proxy", multiple=True, metavar="ADDRESS", help="A proxy that says whom it asks for.")
@click.option("--docs", is_flag=True, help="Describe the API at /openapi.json.")
def serve(
    model: str,
    host: str,
    port: int,
    allow_host: tuple[str, ...],
    allow_origin: tuple[str, ...],
    trust_proxy: tuple[str, ...],
    docs: bool,
) -> None:
    """Serve MODEL: a page to drop photos on, an API, and a widget for any website.

    Photos are answered and forgotten; nothing is written. Ctrl-C ends it, SIGHUP reads the model again.
    """
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    require("serve", "Serving needs a part of tellapart that is not installed.")
    from tellapart.model.artifact import refuse_imagenet

    refuse_imagenet(model, "Serve a folder that `tellapart train` wrote.")
    for origin in allow_origin:
        _refuse_bad_origin(origin)
    for proxy in trust_proxy:
        _refuse_bad_proxy(proxy)
    from tellapart.server.predict_api.serving_model import ServingModel, open_model

    def tell(served: ServingModel) -> None:
        shown = f"[{host}]" if ":" in host else host
        say(f"{served.facts['name']}: http://{shown}:{listener.getsockname()[1]}", bold=True)
        for sentence in (served.facts["early"], *(each["sentence"] for each in served.facts["never_miss"])):
            if sentence:
                say(sentence)
        say("Ctrl-C ends it.")
        sys.stdout.flush()

    with _listener(host, port) as listener, ThreadPoolExecutor(1) as opener:
        if host not in ("127.0.0.1", "::1", "localhost"):
            say(f"Whoever can reach {host} can use this model.", fg="yellow", err=True)
        opening = opener.submit(open_model, Path(model))
        import asyncio  # these while the graph compiles

        from tellapart.server.predict_api.lifecycle import serve as run_server
        from tellapart.server.shell.app import Settings

        _log_to_stderr()
        settings = Settings([host, *allow_host], allow_origin, docs, trust_proxy)
        asyncio.run(run_server(listener, opening, Path(model), settings, tell))


def _listener(host: str, port: int) -> "socket.socket":
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


def _refuse_bad_origin(origin: str) -> None:
    import re

    if not re.fullmatch(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?", origin):
        raise InputError(
            f"'{origin}' is not the origin of a website.", hint="Write it like https://example.org, in small letters."
        )


def _refuse_bad_proxy(proxy: str) -> None:
    import ipaddress

    try:
        ipaddress.ip_network(proxy)
    except ValueError as error:
        raise InputError(
            f"'{proxy}' is not the address of a proxy.", hint="Write it like 10.0.0.2, or 10.0.0.0/24 for several."
        ) from error


def _log_to_stderr() -> None:
    """One line a request and whatever goes wrong, without colours, for people and for files."""
    import logging

    from tellapart.text import shown_lines

    class Plain(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return shown_lines(super().format(record))

    handler = logging.StreamHandler()
    handler.setFormatter(Plain("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S"))
    for name, level in (("tellapart", logging.INFO), ("uvicorn.error", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
