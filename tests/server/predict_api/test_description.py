"""The API's description is valid, names what the routes do and nothing else; options are read as it says."""

import copy
import subprocess
import sys

import anyio
import httpx2
import pytest
from jsonschema.exceptions import ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator

from tellapart.server.predict_api.app import make_model_app
from tellapart.server.predict_api.inference import Inference
from tellapart.server.shell.app import Settings

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
NEITHER = "The option 'heatmap' is neither true nor false."


@pytest.fixture
def ask(tmp_path):
    """Ask an application without a model; it refuses with 503 whatever is not refused before."""

    async def go(requests, docs):
        app = make_model_app(Inference(tmp_path, 1), Settings(docs=docs))
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as client:
            return [await client.request(method, path) for method, path in requests]

    return lambda *requests, docs=True: anyio.run(go, requests, docs)


@pytest.fixture
def described(ask):
    return ask(("GET", "/openapi.json"))[0].json()


def test_it_is_an_openapi_description(described):
    assert described["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(described).validate()


@pytest.mark.parametrize("without", ["info", "openapi"])
def test_what_is_no_description_is_noticed(described, without):
    broken = copy.deepcopy(described)
    del broken[without]
    with pytest.raises(ValidationError):
        OpenAPIV31SpecValidator(broken).validate()


def test_every_operation_has_its_route_and_no_other_method(ask, described):
    assert described["paths"]
    for path, operations in described["paths"].items():
        methods = {method.upper() for method in operations}
        for method in sorted(METHODS):
            [answer] = ask((method, path))
            assert answer.status_code == (503 if method in methods else 405), (method, path)
            assert method in methods or set(answer.headers["allow"].split(", ")) == methods


def test_every_route_of_the_api_is_described(described, tmp_path):
    app = make_model_app(Inference(tmp_path, 1), Settings())
    api = {path for path in app._routes if path.startswith("/v1/") and not path.startswith("/v1/examples/")}
    assert set(described["paths"]) == api


def test_names_of_operations_and_references_are_its_own(described):
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert all(operation["summary"] and operation["description"].endswith(".") for operation in operations)


def test_it_is_there_only_where_it_is_asked_for(ask):
    [hidden] = ask(("GET", "/openapi.json"), docs=False)
    assert (hidden.status_code, hidden.json()["error"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/v1/model/", "/v1/predict/", "/openapi.json/", "//v1/model", "/v1/MODEL", "/v1"])
def test_no_path_leads_to_another(ask, path):
    assert [answer.status_code for answer in ask(("GET", path), ("POST", path))] == [404, 404]


@pytest.mark.parametrize(
    "query",
    ["", "heatmap=maybe&heatmap=true", "Heatmap=maybe", "heat%6dap=%74rue", "heatmap[]=maybe", "heatmap=true&a=maybe"],
)
def test_what_the_option_may_say(ask, query):
    assert ask(("POST", f"/v1/predict?{query}"))[0].status_code == 503


@pytest.mark.parametrize(
    "query",
    [
        *("heatmap", "heatmap=", "heatmap=2", "heatmap=-1", "heatmap=1.0", "heatmap=00", "heatmap=none"),
        *("heatmap=true%20", "heatmap=+true", "heatmap=true%0a", "heatmap=%22true%22", "heatmap=true;heatmap=no"),
        *("heatmap=tr%C3%BCe", "heatmap=o%EF%AC%80", "heatmap=%EF%BC%91", "heatmap=%ff", "heatmap=true%00"),
        *("heatmap=true&heatmap=maybe", "a=1&" * 2000 + "heat%6dap=maybe"),
    ],
)
def test_what_it_may_not_say(ask, query):
    [refused] = ask(("POST", f"/v1/predict?{query}"))
    assert refused.status_code == 400
    assert (refused.json()["error"], refused.json()["message"]) == ("bad_request", NEITHER)


def test_the_server_loads_no_framework_for_it():
    code = "import tellapart.server.predict_api.lifecycle, sys; print({'fastapi', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
