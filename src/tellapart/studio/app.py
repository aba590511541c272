"""The routes of the studio: literal paths, and a token for all but the page's own files."""

import asyncio
import base64
import json
from importlib.resources import files
from typing import Any, Final

from prometheus_client import CollectorRegistry
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from tellapart.data.preprocess import Preprocess
from tellapart.sandbox.decoder_pool import DecoderPool
from tellapart.server.shell.app import Settings, make_app
from tellapart.server.shell.limits import Budget, Reservation, read_body
from tellapart.server.shell.pages import read_pages, routes
from tellapart.server.shell.problem import Problem, bad_request, json_response, sent
from tellapart.studio.collected import take_zip
from tellapart.studio.events import Events
from tellapart.studio.handed import Batch
from tellapart.studio.heap import Photo
from tellapart.studio.jobs import Job, Jobs
from tellapart.studio.scoring import Scoring
from tellapart.studio.session import Session
from tellapart.studio.sharing import Sharing
from tellapart.studio.thumbnails import SIDE_PX, Thumbnails
from tellapart.studio.writing.proposed import proposed

GONE: Final = Response(status_code=499)  # nobody reads it
# Asked for all the time: the log is silent about them while all is well.
QUIET: Final = frozenset({"/v1/thumbnail", "/v1/changes", "/v1/job", "/v1/jobs", "/v1/events", "/v1/try", "/v1/score"})
SHARED: Final = ("/elements.js", "/icon.svg", "/probe.js")  # of the files of `serve`
# A report has its style inside, its pictures too, and no script.
OF_REPORT: Final = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}
# A thumbnail is asked for by its photo's content, so it never changes; nobody between may keep it.
IMMUTABLE: Final = {"cache-control": "private, max-age=31536000, immutable", "vary": "Authorization"}


def make_studio_app(
    session: Session,
    thumbnails: Thumbnails,
    jobs: Jobs,
    sharing: Sharing,
    scoring: Scoring,
    events: Events,
    decoders: DecoderPool,
    settings: Settings,
) -> ASGIApp:
    """The application around one studio."""
    pages = read_pages(files("tellapart") / "studio" / "page")
    for page in pages:
        if policy := page.headers.get("content-security-policy"):
            page.headers["content-security-policy"] = f"{policy}; media-src blob:"  # videos that are handed over
    pages += [page for page in read_pages() if page.path in SHARED]
    paths = {page.path for page in pages}
    room = Budget()
    every = [
        *_photos(session, scoring, events, room),
        *_pictures(session, thumbnails),
        *_work(jobs, sharing, events, room),
        *_shared(sharing),
        _trial(jobs, sharing, decoders, room),
        *_collected(session, scoring, events, decoders, room),
        *_scored(scoring),
        *routes(pages),
    ]
    return make_app(every, settings, CollectorRegistry(), parts=paths | QUIET, free=paths | {"/report"})


def _collected(session: Session, scoring: Scoring, events: Events, decoders: DecoderPool, room: Budget) -> list[Route]:
    """Photos that the page hands over: each is stored as it is, once it is known that it can be read."""

    def came(n: int) -> None:
        events.publish({"looked": n})
        events.publish({"n": session.n_lines})
        scoring.touched()

    async def photo(request: Request) -> Response:
        with Reservation(room, Budget()) as reservation:
            try:
                body = bytes(await read_body(request, reservation))
            except ClientDisconnect:
                return GONE
            await decoders.decode(body, Preprocess(SIDE_PX))
            name = request.query_params.get("name", "photo.jpg")
            return json_response(await asyncio.to_thread(session.keep, body, name))

    async def zipped(request: Request) -> Response:
        try:
            return json_response({"zip": await take_zip(session.folder, request.stream())})
        except ClientDisconnect:
            return GONE

    async def demo(_: Request) -> Response:
        n = await asyncio.to_thread(session.keep_demo)
        came(n)
        return json_response({"photos": n})

    async def add(request: Request) -> Response:
        asked = await _asked(request, room)
        if asked is None:
            return GONE
        told = await asyncio.to_thread(session.add, Batch.from_json(asked))
        came(told["n_new"])
        return json_response({**session.whole(), "added": told})

    return [
        Route("/v1/photos", photo, methods=["POST"]),
        Route("/v1/zip", zipped, methods=["POST"]),
        Route("/v1/demo", demo, methods=["POST"]),
        Route("/v1/add", add, methods=["POST"]),
    ]


def _trial(jobs: Jobs, sharing: Sharing, decoders: DecoderPool, room: Budget) -> Route:
    """A photo that is tried: the body, answered and forgotten."""

    async def answer(request: Request) -> Response:
        with Reservation(room, Budget()) as reservation:
            try:
                body = await read_body(request, reservation)
            except ClientDisconnect:
                return GONE
            preprocessing = await asyncio.to_thread(sharing.preprocessing)
            pixels = await decoders.decode(bytes(body), preprocessing)
        asked = {
            "pixels": base64.b64encode(pixels.tobytes()).decode(),
            "whole": request.query_params.get("whole") == "true",
            "model": str(sharing.model),
        }
        return json_response(await jobs.wait(jobs.start("try", asked, quiet=True)))

    return Route("/v1/try", answer, methods=["POST"])


def _shared(sharing: Sharing) -> list[Route]:
    """The model: where it is, its report, and its server."""

    async def told(_: Request) -> Response:
        return json_response(sharing.told())

    async def ticket(_: Request) -> Response:
        return json_response({"ticket": sharing.ticket()})

    async def report(request: Request) -> Response:
        content = await asyncio.to_thread(sharing.report, request.query_params.get("ticket", ""))
        if content is None:
            raise Problem(
                404, "not_found", "This address of the report has been used.", hint="Open it from the studio."
            )
        return Response(content, media_type="text/html; charset=utf-8", headers=OF_REPORT)

    async def serve(_: Request) -> Response:
        return json_response({"address": await sharing.serve()})

    async def end(_: Request) -> Response:
        await sharing.end()
        return json_response(sharing.told())

    return [
        Route("/v1/share", told, methods=["GET"]),
        Route("/v1/ticket", ticket, methods=["POST"]),
        Route("/report", report, methods=["GET"]),
        Route("/v1/serve", serve, methods=["POST"]),
        Route("/v1/serve-end", end, methods=["POST"]),
    ]


def _work(jobs: Jobs, sharing: Sharing, events: Events, room: Budget) -> list[Route]:
    """What takes its time: begun, watched, asked for and cancelled."""

    async def listen(_: Request) -> Response:
        return StreamingResponse(events.listen(), media_type="text/event-stream", headers={"cache-control": "no-store"})

    async def begin(request: Request) -> Response:
        asked = await _asked(request, room)
        if asked is None:
            return GONE
        do = asked.pop("do", None)
        if not isinstance(do, str):
            raise bad_request("The request does not say what to do.")
        return json_response(jobs.start(do, {**asked, "model": str(sharing.model)}).told())

    async def look_at(request: Request) -> Response:
        job = _job(jobs, request.query_params.get("number"))
        return json_response({**job.told(), "result": job.result})

    async def unended(_: Request) -> Response:
        return json_response([job.told() for job in jobs.unended()])

    async def cancel(request: Request) -> Response:
        asked = await _asked(request, room)
        if asked is None:
            return GONE
        job = _job(jobs, asked.get("number"))
        await jobs.cancel(job)
        return json_response(job.told())

    return [
        Route("/v1/events", listen, methods=["GET"]),
        Route("/v1/jobs", unended, methods=["GET"]),
        Route("/v1/jobs", begin, methods=["POST"]),
        Route("/v1/job", look_at, methods=["GET"]),
        Route("/v1/cancel", cancel, methods=["POST"]),
    ]


def _job(jobs: Jobs, number: Any) -> Job:
    job = jobs.find(_since(number))
    if job is None:
        raise Problem(404, "not_found", "There is no such job any more.", hint="Begin it again.")
    return job


def _photos(session: Session, scoring: Scoring, events: Events, room: Budget) -> list[Route]:
    """What is known of the photos, and what a person says of them."""

    async def state(_: Request) -> Response:
        return sent(session.whole_as_sent())

    async def changes(request: Request) -> Response:
        return json_response(session.changes(_since(request.query_params.get("since"))))

    async def do(request: Request) -> Response:
        asked = await _asked(request, room)
        if asked is None:
            return GONE
        before = session.heap
        n_left = await asyncio.to_thread(session.do, asked)
        if session.heap is not before:
            events.publish({"looked": 0})
        events.publish({"n": session.n_lines})
        scoring.touched()
        return json_response({**session.changes(_since(asked.get("since"))), "left": n_left})

    async def look(_: Request) -> Response:
        n_new = await asyncio.to_thread(session.look)
        events.publish({"looked": n_new})
        scoring.touched()
        return json_response({**session.whole(), "n_new": n_new})

    async def write(request: Request) -> Response:
        lines = request.query_params.get("lines")
        return json_response(await asyncio.to_thread(session.write, None if lines is None else _since(lines)))

    async def places(_: Request) -> Response:
        return json_response(await asyncio.to_thread(proposed, session.source, session.folder))

    async def labels(request: Request) -> Response:
        content = await _file(request, room)
        if content is None:
            return GONE
        name, how = (request.query_params.get(key, "") for key in ("name", "how"))
        told = await asyncio.to_thread(session.labels, content, name or "the file", how)
        events.publish({"n": session.n_lines})
        return json_response(told)

    return [
        Route("/v1/state", state, methods=["GET"]),
        Route("/v1/changes", changes, methods=["GET"]),
        Route("/v1/do", do, methods=["POST"]),
        Route("/v1/look", look, methods=["POST"]),
        Route("/v1/write", write, methods=["POST"]),
        Route("/v1/places", places, methods=["GET"]),
        Route("/v1/labels", labels, methods=["POST"]),
    ]


def _pictures(session: Session, thumbnails: Thumbnails) -> list[Route]:
    """Photos as the page shows them: never their own bytes."""

    async def thumbnail(request: Request) -> Response:
        photo = _photo(session, request)
        jpeg = await thumbnails.get(photo.id, photo.place, request.is_disconnected)
        return GONE if jpeg is None else Response(jpeg, media_type="image/jpeg", headers=IMMUTABLE)

    async def large(request: Request) -> Response:
        photo = _photo(session, request)
        jpeg = await thumbnails.large(photo.id, photo.place)
        return Response(jpeg, media_type="image/jpeg", headers=IMMUTABLE)

    return [
        Route("/v1/photo", large, methods=["GET"]),
        Route("/v1/thumbnail", thumbnail, methods=["GET"]),
    ]


def _scored(scoring: Scoring) -> list[Route]:
    """The score, and what the network says of every photo."""

    async def score(_: Request) -> Response:
        return json_response(scoring.told())

    async def answers(_: Request) -> Response:
        return json_response(scoring.answers())

    return [
        Route("/v1/score", score, methods=["GET"]),
        Route("/v1/answers", answers, methods=["GET"]),
    ]


def _photo(session: Session, request: Request) -> Photo:
    photo = session.by_id.get(request.query_params.get("photo", ""))
    if photo is None:
        raise Problem(404, "not_found", "There is no such photo.", hint="Press Look again.")
    return photo


async def _asked(request: Request, room: Budget) -> dict[str, Any] | None:
    """The JSON object that was sent; None where whoever sent it is gone.

    Raises:
        Problem: it is no such thing, or too much.
    """
    body = await _body(request, room, "application/json")
    if body is None:
        return None
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_request("The request is no JSON.") from error
    if not isinstance(asked, dict):
        raise bad_request("The request is no JSON object.")
    return asked


async def _file(request: Request, room: Budget) -> bytes | None:
    """The bytes of a file that was sent, whatever they are; None where whoever sent it is gone.

    Raises:
        Problem: it is sent as something else, or too much.
    """
    body = await _body(request, room, "application/octet-stream")
    return None if body is None else bytes(body)


async def _body(request: Request, room: Budget, kind: str) -> bytearray | None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
        raise Problem(415, "wrong_type", f"The request is no {kind}.", hint=f"Send {kind}.")
    with Reservation(room, Budget()) as reservation:
        try:
            return await read_body(request, reservation)
        except ClientDisconnect:
            return None


def _since(value: Any) -> int:
    """The number of lines that a page knows; 0, from the beginning, for what is none."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
