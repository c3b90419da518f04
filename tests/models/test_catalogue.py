"""`toolkit info --models`: every name of open_clip's list is supported or refused in words, from its config alone."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import open_clip
import pytest
import torch
from click.testing import CliRunner
from open_clip import model as open_clip_model

from toolkit.cli import main
from toolkit.models.catalogue import catalogue, table
from toolkit.models.towers import tower_of

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
ALLOWED = ("convnext", "MobileCLIP", "swin", "coca")


@pytest.fixture(scope="module")
def found():
    """The catalogue, made where neither the network nor a text tower can be had."""

    def never(*_args, **_kwargs):
        raise AssertionError("the catalogue must not do this")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket.socket, "connect", never)
        patched.setattr(socket, "getaddrinfo", never)
        for name in ("_build_text_tower", "HFTextEncoder", "TextTransformer"):
            patched.setattr(open_clip_model, name, never)
        return catalogue()


def test_every_name_is_there_and_refused_only_in_words_and_where_allowed(found):
    assert [row.name for row in found] == open_clip.list_models()
    for row in found:
        if row.supported:
            assert row.layers * row.heads * row.head_dim * row.embed_dim > 0, row
            assert row.reason == ""
        else:
            assert row.name.startswith(ALLOWED), row
            assert len(row.reason.split()) >= 5, row
    refused = {row.name for row in found if not row.supported}
    assert not refused & {"MobileCLIP-B", "MobileCLIP2-L-14", "ViT-B-16-SigLIP", "EVA02-E-14", "PE-Core-L-14-336"}


def test_rows_say_what_the_model_itself_says(found):
    rows = {row.name: row for row in found}
    for name in ("ViT-B-32", "ViT-S-16-alt", "RN50", "PE-Core-T-16-384"):
        config = open_clip.get_model_config(name)
        with torch.device("meta"):
            visual = open_clip_model._build_vision_tower(config["embed_dim"], config["vision_cfg"])
        clip = torch.nn.Module()
        clip.visual, clip.encode_image = visual, visual.forward
        tower = tower_of(clip)
        row = rows[name]
        assert (len(tower.blocks), tower.heads, tower.head_dim) == (row.layers, row.heads, row.head_dim)
        assert tower.proj is None or tower.proj.shape[1] == row.embed_dim
    assert rows["PE-Core-T-16-384"].views == "pool, trunk (12 × 3)"


def test_the_page_of_models_shows_the_table(found):
    shown = PAGE.read_text(encoding="utf-8").partition("<!-- models -->")[2].partition("<!-- /models -->")[0]
    own = {path.stem for path in (Path(open_clip.__file__).parent / "model_configs").glob("*.json")}
    mine = [row for row in found if row.name in own]  # other tests add models of their own
    assert len(mine) > 100
    assert table(mine) in shown, "paste the output of `toolkit info --models` between the marks in docs/models.md"


def test_the_command_prints_it(found, monkeypatch):
    monkeypatch.setattr("toolkit.models.catalogue.catalogue", lambda: found)
    run = CliRunner().invoke(main, ["info", "--models"])
    assert run.exit_code == 0
    assert run.output.strip() == table(found)
    run = CliRunner().invoke(main, ["info", "--models", "--json"])
    assert json.loads(run.output)[0]["name"] == found[0].name
    run = CliRunner().invoke(main, ["info", "--models", "--model", "ViT-B-32"])
    assert run.exit_code == 1
    assert "leave the other out" in run.output
