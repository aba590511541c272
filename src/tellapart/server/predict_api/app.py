"""The routes: literal paths only, so that nothing a client writes in a path is ever looked up."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tellapart.errors import PhotoError
from tellapart.model.artifact import MAX_EXAMPLES
from tellapart.server.predict_api import schema
from tellapart.server.predict_api.description import Operation, describe
from tellapart.server.predict_api.inference import Inference
from tellapart.server.shell.app import Settings, make_app
from tellapart.server.shell.counters import as_text
from tellapart.server.shell.limits import MAX_BODY_BYTES, MAX_PHOTOS, Reservation, read_body
from tellapart.server.shell.multipart import boundary_of, photos_in
from tellapart.server.shell.pages import PATHS, read_pages, routes
from tellapart.server.shell.problem import HTTP_STATUS, Problem, bad_request, busy, json_response

LIMITS = {"max_photos": MAX_PHOTOS, "max_body_bytes": MAX_BODY_BYTES}
GONE = Response(status_code=499)  # nobody reads it; the number is what logs of proxies say for it
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREDICT = Operation(
    "POST",
    "/v1/predict",
    "predict",
    "Answers about 1 to 16 photos, in their order.",
    schema.Answers,
    {"parameters": [schema.HEATMAP], "requestBody": schema.UPLOAD},
)
MODEL = Operation("GET", "/v1/model", "model", "What the model is, and how well it did.", schema.Model)
TRUE = frozenset(("1", "on", "t", "true", "y", "yes"))  # in any case
FALSE = frozenset(("0", "off", "f", "false", "n", "no"))
# Literal, and enough for any model that is read later.
EXAMPLE_PATHS = tuple(f"/v1/examples/{number}" for number in range(1, MAX_EXAMPLES + 1))
HEALTH = frozenset(("/healthz", "/readyz"))
HINTS = {404: "The API is at /v1/predict and /v1/model.", 405: "Photos go by POST."}


def make_model_app(inference: Inference, settings: Settings) -> ASGIApp:
    """The application around `inference`."""
    pages = read_pages(embedders=settings.origins)
    files = {page.path for page in pages}
    every = [
        *_api(inference),
        *_health(inference),
        *(_description() if settings.docs else ()),
        *routes(pages),
    ]
    parts = files - set(PATHS.values()) | set(EXAMPLE_PATHS)
    return make_app(every, settings, inference.registry, HINTS, parts=parts, free=files | HEALTH)


def _api(inference: Inference) -> list[Route]:
    async def predict(request: Request) -> Response:
        heatmap = _wants_heatmap(request)  # before the body is read
        client_address = request.client.host if request.client else None
        account = inference.rate_limit.account(client_address)
        with Reservation(inference.room, account) as reservation:
            name = inference.model.facts["name"]
            content_type = request.headers.get("content-type", "")
            boundary_of(content_type)  # before the body is read
            try:
                body = await read_body(request, reservation)
            except ClientDisconnect:
                return GONE
            photos = photos_in(body, content_type)
            reservation.add_photos(len(photos))
            said = await _unless_gone(request, inference.predict(photos, heatmap=heatmap, charge=account.charge))
        if said is None:
            return GONE
        if all(one["error"] for one in said):
            raise _none_readable(said)
        return json_response({"model": name, "predictions": said})

    async def model(_: Request) -> Response:
        return json_response({**inference.model.facts, "limits": LIMITS})

    def example(number: int, path: str) -> Route:
        async def answer(_: Request) -> Response:
            photos = inference.model.examples
            if number > len(photos):
                raise HTTPException(404)
            return Response(photos[number - 1], media_type="image/jpeg", headers={"cache-control": "no-cache"})

        return Route(path, answer, methods=["GET"])

    examples = [example(number, path) for number, path in enumerate(EXAMPLE_PATHS, start=1)]
    return [PREDICT.route(predict), MODEL.route(model), *examples]


def _health(inference: Inference) -> list[Route]:
    async def healthz(_: Request) -> Response:
        return json_response({"alive": True})

    async def readyz(_: Request) -> Response:
        if not inference.ready:
            raise busy("The server is not ready yet.")
        return json_response({"ready": True})

    async def metrics(_: Request) -> Response:
        return Response(
            as_text(inference.registry), headers={"content-type": METRICS_TYPE, "cache-control": "no-store"}
        )

    endpoints = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}
    return [Route(path, endpoint, methods=["GET"]) for path, endpoint in endpoints.items()]


def _description() -> list[Route]:
    described = describe((PREDICT, MODEL))

    async def openapi(_: Request) -> Response:
        return JSONResponse(described)

    return [Route("/openapi.json", openapi, methods=["GET"])]


def _wants_heatmap(request: Request) -> bool:
    """What the option says; of several, the last.

    Raises:
        Problem: 400, neither true nor false.
    """
    said = request.query_params.get("heatmap", "false").lower()
    if said not in TRUE | FALSE:
        raise bad_request("The option 'heatmap' is neither true nor false.")
    return said in TRUE


async def _unless_gone(request: Request, work: Any) -> Any:
    """The result of `work`, or None as soon as the client has gone away; the work is then cancelled."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(request.receive())  # the body is read, so this is the end of the connection
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, leaving):
            task.cancel()


def _none_readable(said: Sequence[dict[str, Any]]) -> Problem:
    first = said[0]["error"]
    message = first["message"]
    if len(said) > 1:
        message = f"None of the {len(said)} photos can be read. The first: {message}"
    return Problem(HTTP_STATUS[PhotoError], first["error"], message, hint=first["hint"])
