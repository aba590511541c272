"""An application in the shell: its routes behind the checks of who asks, every refusal in one form, all of it counted.

It knows neither a model nor a folder. Only literal paths may be routes, so that nothing a visitor writes in a path is
ever looked up.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tellapart.errors import ArtifactError, InputError
from tellapart.server.shell.access_log import AccessLog
from tellapart.server.shell.counters import RequestCounters
from tellapart.server.shell.origin import OriginCheck
from tellapart.server.shell.problem import Problem, bad_request, internal, of_error
from tellapart.server.shell.token import TokenCheck


@dataclass(frozen=True)
class Settings:
    """Who may use the server, and what it shows.

    Args:
        hosts: names of this server, besides local ones.
        origins: exact origins of other websites that may use it.
        docs: whether `/openapi.json` describes the API.
        proxies: addresses of proxies that are believed when they say whom they ask for.
        token: a word that requests must carry; empty where everybody may ask.
    """

    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()
    docs: bool = False
    proxies: Sequence[str] = ()
    token: str = ""


def make_app(
    routes: Sequence[Route],
    settings: Settings,
    registry: CollectorRegistry,
    hints: Mapping[int, str] | None = None,
    *,
    parts: Container[str] = (),
    free: Container[str] = (),
) -> ASGIApp:
    """The application that answers `routes`.

    Args:
        routes: with literal paths. What they raise is answered as a refusal: a `Problem` as it is, an error that the
            visitor can mend with its sentence, anything else as a fault of ours.
        settings: who may use it.
        registry: where requests are counted.
        hints: {404 or 405: what to do instead}, for a page that is not there or not for that method.
        parts: paths of what pages consist of, which the log is silent about while all is well.
        free: paths that need no token.
    """
    app = Starlette(
        routes=list(routes),
        exception_handlers={
            Problem: _refused,
            HTTPException: _refused_by_routing(hints or {}),
            InputError: _told,
            ArtifactError: _told,  # a graph that says what is no probability; the fault is not a trace's worth
            Exception: _failed,
        },
    )
    app.router.redirect_slashes = False
    known = frozenset(str(getattr(route, "path", "")) for route in app.routes)
    allowed = TokenCheck(app, settings.token, free) if settings.token else app
    checked = OriginCheck(allowed, hosts=settings.hosts, origins=settings.origins)
    return AccessLog(checked, RequestCounters(registry), known, parts)


async def _refused(_: Request, error: Any) -> Response:
    response: Response = error.response()
    return response


def _refused_by_routing(hints: Mapping[int, str]) -> Any:
    async def refused(_: Request, error: Any) -> Response:
        hint = hints.get(error.status_code, "")
        if error.status_code == 404:
            return Problem(404, "not_found", "There is no such page.", hint=hint).response()
        if error.status_code == 405:
            return Problem(
                405, "not_allowed", "The page is not for this method.", hint=hint, headers=error.headers
            ).response()
        return bad_request("The request cannot be understood.").response()

    return refused


async def _told(_: Request, error: Any) -> Response:
    return of_error(error).response()


async def _failed(_: Request, error: Exception) -> Response:
    return internal().response()
