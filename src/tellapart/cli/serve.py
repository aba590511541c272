"""`serve`: a model's page and API on this machine."""

import sys
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from tellapart.cli.address import code_lines, itself, open_browser, reachable, url
from tellapart.cli.listening import listener_at, log_to_stderr
from tellapart.cli.options import examples
from tellapart.cli.output import say
from tellapart.errors import InputError
from tellapart.extras import require

if TYPE_CHECKING:
    from tellapart.server.predict_api.serving_model import ServingModel


@click.command(
    epilog=examples(
        """
tellapart serve burgers
tellapart serve burgers --host 0.0.0.0 --token        for phones in the same network
tellapart serve burgers --allow-origin https://blog.example.org
tellapart serve burgers --host 0.0.0.0 --allow-host burgers.example.org --trust-proxy 10.0.0.2"""
    )
)
@click.argument("model", type=click.Path(), required=False)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for others in the network."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes any that is free."
)
@click.option("--allow-host", multiple=True, help="A further name of this server, such as burgers.example.org.")
@click.option("--allow-origin", multiple=True, help="Another website that may use it, such as https://example.org.")
@click.option("--trust-proxy", multiple=True, metavar="ADDRESS", help="A proxy that says whom it asks for.")
@click.option(
    "--token", is_flag=False, flag_value="", envvar="TELLAPART_TOKEN", metavar="[WORD]",
    help="Answer only who knows this word, or one that is made now. [env: TELLAPART_TOKEN]",
)  # fmt: skip
@click.option("--docs", is_flag=True, help="Describe the API at /openapi.json.")
@click.option("--open", "opens", is_flag=True, help="Open the page in this machine's browser.")
@click.option("--quiet", is_flag=True, help="Print the address, and then only what goes wrong.")
@click.pass_context
def serve(
    ctx: click.Context,
    model: str | None,
    host: str,
    port: int,
    allow_host: tuple[str, ...],
    allow_origin: tuple[str, ...],
    trust_proxy: tuple[str, ...],
    token: str | None,
    docs: bool,
    opens: bool,
    quiet: bool,
) -> None:
    """Serve MODEL: a page to drop photos on, an API, and a widget for any website.

    Photos are answered and forgotten; nothing is written. Ctrl-C ends it, SIGHUP reads the model again.
    """
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    require("serve", "Serving needs a part of tellapart that is not installed.")
    from tellapart.model.artifact import refuse_imagenet

    model, token = _model_and_token(
        model, token, typed=ctx.get_parameter_source("token") is ParameterSource.COMMANDLINE
    )
    refuse_imagenet(model, "Serve a folder that `tellapart train` wrote.")
    from tellapart.server.predict_api.serving_model import ServingModel, open_model
    from tellapart.server.shell.app import Settings

    settings = Settings(*_names(host, allow_host, allow_origin), docs, _proxies(trust_proxy), token)
    reached = reachable(host)  # before the server is ready: from then on it asks the network for nothing

    def tell(served: ServingModel) -> None:
        _tell(served, host, reached, listener.getsockname()[1], token, opens=opens, quiet=quiet)

    with listener_at(host, port) as listener, ThreadPoolExecutor(1) as opener:
        if host not in ("127.0.0.1", "::1", "localhost") and not token:
            say(f"Whoever can reach {host} can use this model.", fg="yellow", err=True)
        opening = opener.submit(open_model, Path(model))
        import asyncio  # these while the graph compiles

        from tellapart.server.predict_api.lifecycle import serve as run_server

        log_to_stderr(quiet=quiet)
        asyncio.run(run_server(listener, opening, Path(model), settings, tell))


def _tell(served: "ServingModel", host: str, reached: str, port: int, token: str, *, opens: bool, quiet: bool) -> None:
    """Where it can be reached, and what else there is to say once it answers."""
    behind = f"/#token={token}" if token else ""
    address, own = url(reached, port) + behind, url(itself(host), port) + behind
    say(f"{served.facts['name']}: {address}", bold=True)
    if not quiet:
        if address != own:
            for line in code_lines(address):
                say(line, fg="black", bg="bright_white")
            say(f"On this machine: {own}")
        for sentence in (served.facts["early"], *(each["sentence"] for each in served.facts["never_miss"])):
            if sentence:
                say(sentence)
        if host == "127.0.0.1":
            say("For phones in the same network: --host 0.0.0.0")
        say("Ctrl-C ends it.")
    if opens and not open_browser(own):
        say("There is no browser to open here.", fg="yellow", err=True)
    sys.stdout.flush()


def _model_and_token(model: str | None, token: str | None, *, typed: bool) -> tuple[str, str]:
    """The model's folder, and the word, empty without one; `--token MODEL` asks for a new word.

    Args:
        model: as given; None for none.
        token: the same.
        typed: whether the token stands on the command line, and not in the environment, where it is no folder.
    """
    from tellapart.server.shell.token import WORD, new_token

    if model is None and token and typed:
        model, token = token, ""
    if model is None:
        raise click.MissingParameter(param_type="argument", param_hint="'MODEL'")
    if token and not WORD.fullmatch(token):
        raise InputError(
            "The token is too short, too long, or has other signs than letters, digits, - and _.",
            hint="Take 6 to 100 of them, or leave it out: --token alone makes a new one.",
        )
    return model, "" if token is None else token or new_token()


def _names(host: str, allow_host: tuple[str, ...], allow_origin: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Names of the server as a Host header has them, and origins as a browser says them."""
    import ipaddress

    from tellapart.server.shell.origin import host_name, web_origin

    names = [host_name(name) for name in allow_host]
    try:
        ipaddress.ip_address(host)  # known by itself, and no reason to take what else runs on it for one's own
    except ValueError:
        names.append(host.lower())
    return names, [web_origin(origin) for origin in allow_origin]


def _proxies(given: tuple[str, ...]) -> tuple[str, ...]:
    """`given`, if each is an address or a network.

    Raises:
        InputError: one is neither.
    """
    import ipaddress

    for proxy in given:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise InputError(
                f"'{proxy}' is not the address of a proxy.", hint="Write it like 10.0.0.2, or 10.0.0.0/24 for several."
            ) from error
    return given
