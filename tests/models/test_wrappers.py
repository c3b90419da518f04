"""What others put around a model or into it: seen through where that is exact, else refused with the way out."""

from __future__ import annotations

import copy

import families
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import toolkit as tk
from toolkit.models.checkpoints import fill, read_state
from toolkit.models.wrappers import plain_name, without_wrappers


@pytest.fixture(scope="module")
def clip():
    return families.build("vit")


def whole(clip):
    return torch.compile(clip)


def tower_in_place(clip):
    clip.visual.compile()
    return clip


def tower(clip):
    clip.visual = torch.compile(clip.visual)
    return clip


def blocks(clip):
    layers = clip.visual.transformer.resblocks
    for i, block in enumerate(layers):
        layers[i] = torch.compile(block)
    return clip


def method(clip):
    clip.visual.forward = torch.compile(clip.visual.forward, backend="eager")
    return clip


@pytest.mark.parametrize("compiled", [whole, tower_in_place, tower, blocks, method])
def test_a_compiled_model_gives_the_numbers_of_the_plain_one_and_saves_as_it(compiled, clip, tmp_path):
    plain, model = tk.wrap(clip), tk.wrap(compiled(copy.deepcopy(clip)))
    images = families.pictures(clip, 2)
    direction = nn.functional.normalize(torch.ones(plain.card.embed_dim), dim=0)
    assert tk.decompose(model, images).error < 1e-5
    assert model.card.fingerprint == plain.card.fingerprint
    torch.testing.assert_close(model.encode_image(images), plain.encode_image(images))
    for verb in (tk.token_map, tk.legrad, tk.grad_cam):
        ours, theirs = (verb(one, images, direction).values for one in (model, plain))
        assert abs(ours - theirs).max() < 1e-5
    path = tk.save_checkpoint(model, tmp_path / "own.safetensors")
    from safetensors.torch import load_file

    assert set(load_file(path)) == set(clip.state_dict())


def test_tokens_before_images_are_refused_with_the_way_out(clip):
    other = copy.deepcopy(clip)
    other.visual.transformer.batch_first = False
    for block in other.visual.transformer.resblocks:
        block.attn.batch_first = False
    images = families.pictures(clip, 2)
    assert torch.allclose(other.encode_image(images), clip.encode_image(images), atol=1e-6), "the same model"
    with pytest.raises(tk.UnsupportedModelError, match=r"tokens before images.*set visual.transformer.batch_first"):
        tk.wrap(other)
    other.visual.transformer.batch_first = True  # half of it is no better
    with pytest.raises(tk.UnsupportedModelError, match="batch_first=False"):
        tk.wrap(other)


class Lora(nn.Module):
    """As adapters stand in the place of a layer."""

    def __init__(self, layer):
        super().__init__()
        self.base_layer, self.lora_A = layer, nn.ModuleDict()

    def forward(self, x):
        return self.base_layer(x)


class PeftModel(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.base_model = model


def adapted(clip):
    block = clip.visual.transformer.resblocks[0]
    block.mlp.c_fc = Lora(block.mlp.c_fc)
    return clip


def partly_away(clip):
    clip.visual.transformer.resblocks[1].mlp.c_fc.to("meta")
    return clip


def of_openai(clip):
    kind = type("CLIP", (type(clip),), {"__module__": "clip.model"})
    clip.__class__ = kind
    return clip


def parallel_tower(clip):
    clip.visual = nn.DataParallel(clip.visual)
    return clip


class Averaged(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.module = model


def strange(clip):
    clip.visual.transformer.resblocks[1] = nn.Identity()
    return clip


def inside(clip):
    clip.visual.transformer = nn.DataParallel(clip.visual.transformer)
    return clip


REFUSED = {
    "parallel tower": (parallel_tower, r"clip\.visual = clip\.visual\.module"),
    "averaged": (Averaged, r"tk\.wrap\(model\.module\)"),
    "a layer that is none": (strange, "it has no ln_1|its first norm|not built as the known ones"),
    "parallel layers": (inside, "not built as the known ones are"),
    "parallel": (nn.DataParallel, r"pass the model inside: clip\.module"),
    "peft": (PeftModel, r"clip\.merge_and_unload\(\)"),
    "adapter inside": (adapted, r"mlp\.c_fc is an adapter \(Lora\).*merge_and_unload\(\)"),
    "meta": (lambda clip: clip.to("meta"), "on the meta device.*without device_map"),
    "off-loaded in part": (partly_away, r"resblocks\.1\.mlp\.c_fc\.weight is on the meta device"),
    "OpenAI's package": (of_openai, r"tk\.load\('own\.pt'\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_whole_model_is_refused_with_the_way_out(case, clip):
    change, words = REFUSED[case]
    with pytest.raises(tk.UnsupportedModelError, match=f"(?s){words}"):
        tk.wrap(change(copy.deepcopy(clip)))


def test_names_that_no_architecture_has_are_not_written(clip, tmp_path):
    other = copy.deepcopy(clip)
    model = tk.wrap(other)
    prune.random_unstructured(other.transformer.resblocks[0].mlp.c_fc, "weight", 0.5)
    with pytest.raises(tk.InputError, match=r"weight_orig.*prune\.remove"):
        tk.save_checkpoint(model, tmp_path / "own.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.model.", "net.clip."])
def test_what_wrappers_put_before_all_names_is_taken_off(prefix):
    own = {"visual.proj": torch.ones(1), "logit_scale": torch.ones(()), "transformer.x": torch.ones(1)}
    assert set(without_wrappers({prefix + name: t for name, t in own.items()}, "a file")) == set(own)


@pytest.mark.parametrize("tower", ["visual.conv1.weight", "vision_model.embeddings.class_embedding"])
def test_a_tower_alone_keeps_its_names(tower):
    assert set(without_wrappers({tower: torch.ones(1)}, "a file")) == {tower}
    assert set(without_wrappers({f"module.{tower}": torch.ones(1)}, "a file")) == {tower}


@pytest.mark.parametrize("names", [["w"], ["a.w"], ["a.b.c"], ["a.w", "a.v"], []])
def test_what_is_no_clip_keeps_its_names(names):
    assert list(without_wrappers({name: torch.ones(1) for name in names}, "a file")) == names


def test_what_wrappers_put_between_names_is_taken_off():
    name = "visual._fsdp_wrapped_module.transformer.resblocks.0._checkpoint_wrapped_module.ln_1.weight"
    assert plain_name(name) == "visual.transformer.resblocks.0.ln_1.weight"


def test_a_model_beside_other_things_is_taken_and_they_are_told():
    state = {"model.visual.proj": torch.ones(1), "model.logit_scale": torch.ones(()), "loss.w": torch.ones(1)}
    with pytest.warns(tk.ModelWarning, match=r"under 'model\.'.*left out: loss\.w"):
        assert set(without_wrappers(state, "a file")) == {"visual.proj", "logit_scale"}


def test_two_models_in_a_file_are_named():
    state = {f"{p}.{n}": torch.ones(()) for p in ("model", "ema") for n in ("logit_scale", "visual.proj")}
    with pytest.raises(tk.InputError, match=r"several models, under 'ema\.', 'model\.'"):
        without_wrappers(state, "a file")


def test_of_several_sets_of_weights_one_is_used_and_the_others_are_told(clip, tmp_path):
    own = clip.state_dict()
    torch.save({"state_dict": own, "state_dict_ema": own, "optimizer": {"x": torch.ones(1)}}, tmp_path / "a.pt")
    with pytest.warns(tk.ModelWarning, match=r"'state_dict' is used, 'state_dict_ema' is not"):
        assert set(read_state(tmp_path / "a.pt")) == set(own)
    torch.save({"module": own, "epoch": 3}, tmp_path / "b.pt")
    assert set(read_state(tmp_path / "b.pt")) == set(own)
    torch.save({"state": {"model": {"state_dict": own}}, "epoch": 3, "args": {}}, tmp_path / "d.pt")
    assert set(read_state(tmp_path / "d.pt")) == set(own)
    torch.save({"teacher": own, "student": own}, tmp_path / "c.pt")
    with pytest.raises(tk.InputError, match="several sets of weights, 'teacher', 'student'"):
        read_state(tmp_path / "c.pt")


def test_files_under_other_names_and_pointers(clip, tmp_path):
    tk.save_checkpoint(tk.wrap(clip), tmp_path / "own.safetensors").rename(tmp_path / "own.pt")
    assert set(read_state(tmp_path / "own.pt")) == set(clip.state_dict())
    (tmp_path / "x.pt").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n")
    with pytest.raises(tk.InputError, match=r"a pointer of git-lfs.*git lfs pull"):
        read_state(tmp_path / "x.pt")


@pytest.mark.parametrize(("change", "words"), [
    (lambda t: (t * 100).to(torch.int8), "int8 for floats"), (lambda t: t.to("meta"), "on the meta device"),
])  # fmt: skip
def test_weights_that_are_no_floats_are_not_taken_for_some(change, words, clip):
    with pytest.raises(tk.InputError, match=words):
        fill(copy.deepcopy(clip), {name: change(t) for name, t in clip.state_dict().items()}, "a file")


@pytest.mark.parametrize(("given", "words"), [
    ("https://example.org/a.pt", "the address 'https://example.org/a.pt'"),
    ("openai/clip-vit-base-patch32", r"create_model_from_pretrained\('hf-hub:openai/clip-vit-base-patch32'\)"),
    ("hf-hub:laion/CLIP-ViT-B-32", "get_tokenizer"),
])  # fmt: skip
def test_names_of_places_that_are_not_here_say_the_way(given, words):
    with pytest.raises(tk.InputError, match=words):
        tk.load(given)


def test_a_state_dict_is_no_checkpoint_file(clip):
    with pytest.raises(tk.InputError, match="checkpoint of type OrderedDict"):
        tk.load("ViT-B-32", checkpoint=clip.state_dict())
