"""Every error has a status, and every refusal the same form."""

import inspect
import json
from http import HTTPStatus

import pytest

from tellapart import errors
from tellapart.server.shell.problem import HTTP_STATUS, Problem, busy, internal, json_response, timeout

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__]


def test_every_class_of_errors_has_a_status():
    assert set(HTTP_STATUS) == set(CLASSES)
    assert set(HTTP_STATUS.values()) <= {422, 500}


@pytest.mark.parametrize("problem", [busy(), timeout(5), internal(), Problem(404, "not_found", "No.")])
def test_a_refusal_is_problem_details(problem):
    response = problem.response()
    said = json.loads(response.body)
    assert list(said) == ["type", "title", "status", "detail", "error", "message", "hint"]
    assert (said["type"], said["title"]) == ("about:blank", HTTPStatus(problem.status).phrase)
    assert response.status_code == said["status"] == problem.status
    assert said["detail"] == said["message"] == problem.message
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert "/" not in said["message"]


def test_what_is_no_json_is_never_sent():
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_response({"p": float("nan")})
