"""The API's description in OpenAPI's terms: what it does, and the shapes of what it answers.

Source: OpenAPI Specification 3.1.0, 2021.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tellapart.server.predict_api.schema import Problem
from tellapart.server.shell.problem import MEDIA_TYPE

API_VERSION: Final = "0.1.0"  # of the API; it says nothing of the package that runs here


@dataclass(frozen=True)
class Operation:
    """One thing that the API does: described and routed from the same words.

    Args:
        method: of HTTP.
        path: literal, such as `/v1/model`.
        name: what programs may call it.
        meaning: one sentence.
        answer: the shape of an answer that is no refusal.
        takes: OpenAPI's `parameters` and `requestBody`, where it takes any.
    """

    method: str
    path: str
    name: str
    meaning: str
    answer: type[msgspec.Struct]
    takes: Mapping[str, Any] = field(default_factory=dict)

    def route(self, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
        """`endpoint` at the operation's path, for its method alone."""
        route = Route(self.path, endpoint, methods=[self.method])
        route.methods = {self.method}  # Starlette adds HEAD to GET, which the description does not name
        return route


def describe(operations: Iterable[Operation]) -> dict[str, Any]:
    """OpenAPI's description of `operations`."""
    operations = list(operations)
    answers, schemas = msgspec.json.schema_components(
        [operation.answer for operation in operations], ref_template="#/components/schemas/{name}"
    )
    problem = msgspec.json.schema_components([Problem])[1][Problem.__name__]
    paths: dict[str, Any] = {}
    for operation, answer in zip(operations, answers, strict=True):
        paths.setdefault(operation.path, {})[operation.method.lower()] = {
            "summary": operation.name.capitalize(),
            "description": operation.meaning,
            "operationId": operation.name,
            **operation.takes,
            "responses": {
                "200": _response("Answered", "application/json", answer),
                "4XX": _response("Refused", MEDIA_TYPE, problem),
                "5XX": _response("Refused", MEDIA_TYPE, problem),
            },
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "tellapart", "version": API_VERSION},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _response(meaning: str, media_type: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": meaning, "content": {media_type: {"schema": schema}}}
