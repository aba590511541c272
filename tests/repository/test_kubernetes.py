"""The manifests for Kubernetes: valid by its own schemas, and true of the server and the image that they run."""

import json
import math
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from tellapart.cli.serve import serve
from tellapart.server.predict_api.app import HEALTH
from tellapart.server.shell.lifecycle import DRAIN_S
from tellapart.server.shell.limits import MAX_BODY_BYTES

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "containers" / "kubernetes"
IMAGE = (REPOSITORY / "src/tellapart/export/templates/docker/Dockerfile").read_text(encoding="utf-8")
FOUND = {
    document["kind"]: document
    for path in sorted(FOLDER.glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
}
POD = FOUND["Deployment"]["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


@pytest.mark.parametrize("kind", FOUND)
def test_kubernetes_own_schemas_take_them(kind: str) -> None:
    validator = pytest.importorskip("kubernetes_validate")
    for version in ("1.25", validator.latest_version()):  # from the oldest that README.md names
        validator.validate(FOUND[kind], version, strict=True)  # with no key that it does not know


def test_it_asks_where_the_server_answers() -> None:
    (port,) = CONTAINER["ports"]
    assert f"EXPOSE {port['containerPort']}\n" in IMAGE
    for probe, path in (("startupProbe", "/readyz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")):
        asked = CONTAINER[probe]["httpGet"]
        assert (asked["path"], asked["port"]) == (path, port["name"])
        assert path in HEALTH  # and so needs no token
    (served,) = FOUND["Service"]["spec"]["ports"]
    assert served["targetPort"] == port["name"]
    (rule,) = FOUND["Ingress"]["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {
        "name": FOUND["Service"]["metadata"]["name"],
        "port": {"name": served["name"]},
    }


def test_its_words_are_options_of_the_command() -> None:
    """The image's own words and those of the manifest, read by the command itself."""
    words = json.loads(re.search(r"^ENTRYPOINT (\[.*\])$", IMAGE, re.M)[1])
    assert words[:2] == ["tellapart", "serve"]
    (rule,) = FOUND["Ingress"]["spec"]["rules"]
    with click.Context(serve) as context:
        serve.parse_args(context, [*words[2:], *CONTAINER["args"]])
        assert context.params["allow_host"] == (rule["host"],)
        assert context.params["trust_proxy"]
    (token,) = CONTAINER["env"]
    assert token["name"] in {option.envvar for option in serve.params}


def test_there_is_time_to_drain() -> None:
    command = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    assert command[0] == "sleep"
    assert POD["terminationGracePeriodSeconds"] > int(command[1]) + DRAIN_S
    assert FOUND["Deployment"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_it_may_do_nothing_that_it_need_not() -> None:
    own = CONTAINER["securityContext"]
    assert own["readOnlyRootFilesystem"] is True
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert f"USER {POD['securityContext']['runAsUser']}\n" in IMAGE
    assert POD["automountServiceAccountToken"] is False
    assert set(CONTAINER["resources"]["limits"]) == set(CONTAINER["resources"]["requests"]) == {"cpu", "memory"}
    assert [mount["mountPath"] for mount in CONTAINER["volumeMounts"]] == ["/tmp"]


def test_all_parts_mean_the_same_pods_and_a_request_as_large_as_the_server_s_comes_through() -> None:
    labels = FOUND["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert FOUND["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert FOUND["Service"]["spec"]["selector"] == labels
    assert FOUND["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    scaled = FOUND["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (scaled["kind"], scaled["name"]) == ("Deployment", FOUND["Deployment"]["metadata"]["name"])
    size = FOUND["Ingress"]["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"]
    assert int(size.removesuffix("m")) * 2**20 >= MAX_BODY_BYTES
    assert int(size.removesuffix("m")) == math.ceil(MAX_BODY_BYTES / 10**6)


def test_the_commands_of_its_page_name_what_there_is() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    commands = [shlex.split(line) for line in re.findall(r"^\$ (.*)$", page, re.M)]
    files = {word for words in commands for word in words if word.endswith(".yaml")}
    assert {FOLDER / Path(name).name for name in files} == set(FOLDER.glob("*.yaml"))
    for words in commands:
        assert words[0] in ("tellapart", "docker", "kubectl")
        if words[:2] == ["kubectl", "rollout"]:
            assert words[3] == f"deployment/{FOUND['Deployment']['metadata']['name']}"
