"""A photo tried on the page is answered as by the command line, and nothing of it is kept."""

import json
import shutil

import pytest

from tellapart.cli.main import main


@pytest.fixture(scope="module")
def garments(shared_data, tmp_path_factory):
    """Twenty hats and twenty shoes."""
    folder = tmp_path_factory.mktemp("trial") / "photos"
    for name in ("hat", "shoes"):
        (folder / name).mkdir(parents=True)
        for path in sorted((shared_data / "clothing" / "train" / name).iterdir())[:20]:
            shutil.copy(path, folder / name)
    return folder


def test_the_page_answers_as_the_command_line(garments, studio, shared_data, capsys):
    one = studio(garments)
    hat = sorted((shared_data / "clothing" / "test" / "hat").iterdir())[0]
    status, _, said = one.ask("/v1/try", hat.read_bytes())
    assert (status, "no model yet" in said["message"]) == (422, True)
    assert one.ask("/v1/write", {})[0] == 200
    assert one.ended(one.job("train"))["state"] == "done"
    before = one.state()[1]["n"]
    status, _, said = one.ask("/v1/try?whole=true", hat.read_bytes())
    assert status == 200, said
    model = garments.with_name("photos.studio") / "model"
    with pytest.raises(SystemExit):
        main(["predict", str(model), str(hat), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert said["answer"] == told["answer"]
    assert said["probs"] == pytest.approx(told["probs"], abs=1e-6)
    assert said["heatmap"].startswith("data:image/png;base64,")
    names = {identity: name for name, identity in one.ids().items()}
    assert [names[photo].split("/")[0] for photo in said["alike"]].count("hat") >= 4
    status, _, live = one.ask("/v1/try", hat.read_bytes())
    assert (live["answer"], live["alike"], live["heatmap"]) == (said["answer"], None, None)
    status, _, refused = one.ask("/v1/try", b"no photo")
    assert (status, bool(refused["message"])) == (422, True)
    assert one.state()[1]["n"] == before
    assert one.ask("/v1/jobs")[2] == []
