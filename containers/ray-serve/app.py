"""A model folder behind Ray Serve: the page and the API of `tellapart serve`, in as many replicas as you like.

    serve run --working-dir . app:application model=/nas/burgers replicas=2 cores=2 hosts=photos.example.org

Each replica has the model, decoding processes and rate limits of its own, as each `tellapart serve` has. It needs
`pip install "tellapart[serve]" "ray[serve]"`. README.md says what differs from `tellapart serve`.
"""

import asyncio
import ipaddress
import os
from pathlib import Path

from ray import serve
from starlette.types import ASGIApp

from tellapart.errors import ArtifactError, InputError
from tellapart.sandbox import jail
from tellapart.server.predict_api.app import make_model_app
from tellapart.server.predict_api.inference import Inference
from tellapart.server.predict_api.serving_model import open_model
from tellapart.server.shell.app import Settings
from tellapart.server.shell.behind_proxy import BehindProxy
from tellapart.server.shell.lifecycle import DRAIN_S
from tellapart.server.shell.origin import host_name, web_origin
from tellapart.server.shell.token import WORD

HEALTH_S = 5  # between two questions whether a replica can still answer
MOST_ONGOING = 64  # requests at a replica, also those whose photos wait there for their turn
MOST_QUEUED = 128  # requests that wait for a replica; whoever comes then is told 503 at once
KNOWN = frozenset(("model", "replicas", "cores", "hosts", "origins", "proxies"))


class Replica:
    """One model in one process of the cluster.

    Args:
        folder: what `tellapart train` wrote, under a path that every machine sees.
        n_lanes: cores that are this replica's.
        settings: who may ask.
    """

    async def __init__(self, folder: str, n_lanes: int, settings: Settings) -> None:
        """It is ready when the model has answered the self-test photo as it must; until then Ray sends nothing here."""
        jail.guard()
        self._inference = Inference(Path(folder), n_lanes)
        self._inference.decoders.start()
        model = await asyncio.to_thread(open_model, Path(folder), streams=n_lanes)
        if not await self._inference.serve(model):
            raise ArtifactError("The model answers the golden photo otherwise here than it must.")
        app = make_model_app(self._inference, settings)
        self._app: ASGIApp = BehindProxy(app, settings.proxies) if settings.proxies else app

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """The application, which Ray asks for once the model is there."""
        return self._app

    async def check_health(self) -> None:
        """Ray asks this every few seconds, and replaces a replica that raises."""
        if not self._inference.ready:
            raise RuntimeError("No decoding process is ready.")

    async def __del__(self) -> None:
        """Requests under way are answered by now, or their time is over."""
        await self._inference.close()


def application(arguments: dict[str, str]) -> serve.Application:
    """The application that `serve run` starts.

    Args:
        arguments: `model`, a folder; and as they are wanted `replicas`, `cores` of each, and `hosts`, `origins` and
            `proxies`, with commas between several. The word that requests must carry is read from TELLAPART_TOKEN.

    Raises:
        InputError: one is missing, or unknown, or cannot be what it is for.
    """
    if unknown := sorted(arguments.keys() - KNOWN):
        raise InputError(f"There is no argument '{unknown[0]}'.", hint=f"There are: {', '.join(sorted(KNOWN))}.")
    if not arguments.get("model"):
        raise InputError("No model is named.", hint="Write model=/nas/burgers: a path that every machine sees.")
    replicas, cores = (_count(name, arguments.get(name, "2")) for name in ("replicas", "cores"))
    deployment = serve.deployment(serve.ingress()(Replica)).options(
        name="tellapart",
        num_replicas=replicas,
        ray_actor_options={"num_cpus": cores},
        max_ongoing_requests=MOST_ONGOING,
        max_queued_requests=MOST_QUEUED,
        health_check_period_s=HEALTH_S,
        graceful_shutdown_timeout_s=DRAIN_S,
    )
    return deployment.bind(arguments["model"], cores, _settings(arguments))


def _settings(arguments: dict[str, str]) -> Settings:
    def several(name: str) -> list[str]:
        return [one.strip() for one in arguments.get(name, "").split(",") if one.strip()]

    token = os.environ.get("TELLAPART_TOKEN", "")
    if token and not WORD.fullmatch(token):
        raise InputError("TELLAPART_TOKEN is no such word.", hint="Take 6 to 100 letters, digits, - and _.")
    for proxy in several("proxies"):
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise InputError(
                f"'{proxy}' is not the address of a proxy.", hint="Write 10.0.0.2 or 10.0.0.0/24."
            ) from error
    return Settings(
        hosts=[host_name(name) for name in several("hosts")],
        origins=[web_origin(origin) for origin in several("origins")],
        proxies=several("proxies"),
        token=token,
    )


def _count(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"'{name}' is a whole number from 1 on. Got '{text}'.", hint=f"Write {name}=2.")
    return int(text)
