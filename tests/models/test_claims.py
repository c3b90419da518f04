"""What lies beside the weights is put to use, contradictions are told, and what cannot be used is named."""

from __future__ import annotations

import copy
import json
import warnings

import families
import open_clip
import pytest
import timm
import torch
from open_clip import pretrained as table
from safetensors.torch import save_file
from timm.models import register_model
from timm.models.vision_transformer import VisionTransformer

import toolkit as tk
from toolkit.errors import InputError, MissingWeightsError, UnsupportedModelError
from toolkit.models import huggingface, loading
from toolkit.models.checkpoints import written_facts
from toolkit.models.claims import claims_of_download, claims_of_tag, claims_of_written
from toolkit.models.configs import check_config
from toolkit.models.huggingface_files import huggingface_preprocess
from toolkit.models.torchscript import differences
from toolkit.models.words import ModelWarning

HF_CONFIG = {
    "model_type": "clip", "projection_dim": 48,
    "vision_config": {
        "image_size": 32, "patch_size": 8, "num_hidden_layers": 3, "hidden_size": 64, "num_attention_heads": 4,
        "intermediate_size": 256,
    },
    "text_config": {
        "max_position_embeddings": 12, "vocab_size": 49408, "hidden_size": 32, "num_attention_heads": 2,
        "num_hidden_layers": 1, "intermediate_size": 128,
    },
}  # fmt: skip
HALF = (0.5, 0.5, 0.5)
CONFIG = {
    "embed_dim": 48,
    "vision_cfg": families.VIT,
    "text_cfg": {**families.TEXT, "vocab_size": 49408, "context_length": 12},
}


@pytest.fixture(scope="module")
def name(tmp_path_factory):
    """A tiny architecture under open_clip names of its own, with and without QuickGELU."""
    folder = tmp_path_factory.mktemp("configs")
    (folder / "tiny-claims.json").write_text(json.dumps(CONFIG))
    (folder / "tiny-claims-quickgelu.json").write_text(json.dumps({**CONFIG, "quick_gelu": True}))
    open_clip.add_model_config(folder)
    return "tiny-claims"


@pytest.fixture
def tags(monkeypatch, name):
    """Entries of open_clip's pretrained table for the tiny architecture."""
    quick = table._pcfg(url="https://host/a/tiny-quick.pt", hf_hub="org/tiny-quick/", quick_gelu=True)
    half = table._pcfg(hf_hub="org/Tiny-Half/", mean=HALF, std=HALF, interpolation="bilinear", resize_mode="squash")
    monkeypatch.setitem(table._PRETRAINED, name, {"quick": quick, "half": half})
    monkeypatch.setitem(table._PRETRAINED, f"{name}-quickgelu", {"quick": quick})


@pytest.fixture(scope="module")
def clip(name):
    torch.manual_seed(7)
    return open_clip.create_model(name).eval()


def is_quick(model):
    kinds = {type(b.mlp.gelu).__name__ for t in (model.clip.visual, model.clip) for b in t.transformer.resblocks}
    assert len(kinds) == 1
    return kinds == {"QuickGELU"}


def silent(*arguments, **named):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ModelWarning)
        return tk.load(*arguments, **named)


def saved(clip, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    (save_file if path.suffix == ".safetensors" else torch.save)(clip.state_dict(), path)
    return path


def test_a_known_download_brings_its_activation(name, tags, clip, tmp_path):
    path = saved(clip, tmp_path / "tiny-quick.pt")
    message = rf"{name} has GELU, but tiny-quick\.pt was trained with QuickGELU.*QuickGELU is used"
    with pytest.warns(ModelWarning, match=message) as told:
        assert is_quick(tk.load(name, checkpoint=path))
    assert told[0].filename == __file__
    assert is_quick(silent(f"{name}-quickgelu", checkpoint=path))
    path = saved(clip, tmp_path / "Tiny-Half.pt")
    with pytest.warns(ModelWarning, match=rf"{name}-quickgelu has QuickGELU, but Tiny-Half.pt.*: GELU is used"):
        assert not is_quick(tk.load(f"{name}-quickgelu", checkpoint=path))


@pytest.mark.parametrize(
    "place",
    ["Tiny-Half.bin", "Tiny-Half/open_clip_model.safetensors", "models--org--Tiny-Half/snapshots/ab/w.safetensors"],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_known_download_brings_its_normalisation(name, tags, clip, tmp_path, place, named):
    path = saved(clip, tmp_path / place)
    model = silent(name if named else None, checkpoint=path)
    assert (model.card.mean, model.card.std) == (HALF, HALF)
    prepared = model.clip.visual.preprocess_cfg
    assert (prepared["interpolation"], prepared["resize_mode"], prepared["size"]) == ("bilinear", "squash", (32, 32))
    assert model.clip.visual.image_mean == HALF
    assert not is_quick(model)


def test_the_large_laion_model_is_normalised_by_halves():
    found = claims_of_tag("ViT-L-14", "laion2b_s32b_b82k")
    assert found.preprocess["mean"] == found.preprocess["std"] == HALF
    assert found.quick_gelu is False
    assert claims_of_tag("ViT-L-14", "openai").quick_gelu is True
    assert claims_of_tag("roberta-ViT-B-32", "laion2b_s12b_b32k").quick_gelu is True  # said by its model alone


def test_every_download_is_known_by_its_file_or_folder(tmp_path):
    for model, tag in open_clip.list_pretrained():
        config = open_clip.get_pretrained_cfg(model, tag)
        if config.get("url"):
            path = tmp_path / config["url"].rpartition("/")[2]
        else:
            path = tmp_path / config["hf_hub"].split("/")[1] / "open_clip_pytorch_model.bin"
        found = claims_of_download(path, model)
        assert found.name == model
        assert found.preprocess["mean"] == claims_of_tag(model, tag).preprocess["mean"]
        assert found.quick_gelu == claims_of_tag(model, tag).quick_gelu
    assert claims_of_download(tmp_path / "epoch_9.pt", None) is None


def test_a_name_that_the_shapes_deny_is_ignored(name, clip, tmp_path):
    path = saved(clip, tmp_path / "ViT-B-32.pt")
    torch.manual_seed(0)
    wide = open_clip.CLIP(**{**CONFIG, "text_cfg": {**CONFIG["text_cfg"], "width": 64}}).eval()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        tk.load(saved(wide, path))
    first, second = (str(w.message) for w in told if w.category is ModelWarning)
    assert "named like the weights ViT-B-32:openai, but its tensors are not of ViT-B-32: the name is ignored" in first
    assert "nothing says which activation" in second


def test_a_file_without_claims_is_silent(name, clip, tmp_path):
    model = silent(name, checkpoint=saved(clip, tmp_path / "epoch_9.pt"))
    assert not is_quick(model)
    assert model.card.mean == pytest.approx((0.48145466, 0.4578275, 0.40821073))


def beside(tmp_path, model=CONFIG, preprocess=None):
    content = {"model_cfg": model, "preprocess_cfg": preprocess or {"mean": HALF, "std": HALF}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(content))


@pytest.mark.parametrize("named", [True, False])
def test_a_config_beside_the_file_is_used(name, clip, tmp_path, named):
    beside(tmp_path, {**CONFIG, "quick_gelu": True})
    path = saved(clip, tmp_path / "w.pt")
    if named:
        with pytest.warns(ModelWarning, match=r"has GELU, but w\.pt.*the open_clip_config\.json beside it"):
            model = tk.load(name, checkpoint=path)
    else:
        model = silent(path)
    assert is_quick(model)
    assert model.card.mean == HALF


def test_settings_that_no_shape_shows_are_told(name, clip, tmp_path):
    beside(tmp_path, {**CONFIG, "vision_cfg": {**families.VIT, "head_width": 32}})
    path = saved(clip, tmp_path / "w.pt")
    with pytest.warns(ModelWarning, match=r"vision_cfg\.head_width 16, there 32.*the values there are used"):
        assert tk.load(name, checkpoint=path).card.heads == 2


def test_an_image_size_that_the_weights_deny_is_an_error(name, clip, tmp_path):
    beside(tmp_path, {**CONFIG, "vision_cfg": {**families.VIT, "image_size": 64}})
    path = saved(clip, tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"positional_embedding .* another size"), pytest.warns(ModelWarning):
        tk.load(name, checkpoint=path)


def test_an_image_size_of_the_preprocessing_alone_is_told(name, clip, tmp_path):
    beside(tmp_path, preprocess={"size": 64})
    path = saved(clip, tmp_path / "w.pt")
    with pytest.warns(ModelWarning, match=r"makes images of 64×64, but the model takes 32×32"):
        assert tk.load(name, checkpoint=path).card.image_size == (32, 32)


def test_a_saved_checkpoint_remembers_the_weights_it_came_from(name, tags, clip, tmp_path):
    path = saved(clip, tmp_path / "tiny-quick.pt")
    model = silent(f"{name}-quickgelu", checkpoint=path)
    written = tk.save_checkpoint(model, tmp_path / "mine.safetensors")
    with pytest.warns(ModelWarning, match="QuickGELU is used"):
        assert is_quick(tk.load(name, checkpoint=written))


def offline(monkeypatch, path):
    monkeypatch.setattr(loading, "cached_file", lambda *_: str(path))
    monkeypatch.setattr(open_clip.factory, "download_pretrained", lambda *_, **__: str(path))


def test_a_tag_brings_its_activation(name, tags, clip, tmp_path, monkeypatch):
    offline(monkeypatch, saved(clip, tmp_path / "any.safetensors"))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = tk.load(name, "quick")
    assert is_quick(model)
    assert [str(w.message) for w in told if "GELU" in str(w.message)] == [
        f"load: {name} has GELU, but quick was trained with QuickGELU (by open_clip's table): QuickGELU is used"
    ]
    assert is_quick(silent(f"{name}-quickgelu", "quick"))
    assert not is_quick(silent(name, "half"))
    assert silent(name, "half").card.mean == HALF


def test_a_file_in_the_cache_of_openai_is_read_without_the_hub(name, tags, clip, tmp_path, monkeypatch):
    path = saved(clip, tmp_path / "clip" / "tiny-quick.pt")
    monkeypatch.setattr(loading, "_url_cache", lambda: path.parent)
    monkeypatch.setattr(open_clip, "create_model", lambda *_, **__: pytest.fail("asked the hub"))
    assert is_quick(silent(f"{name}-quickgelu", "quick"))


# Hugging Face image processors


def processor(tmp_path, settings, file="preprocessor_config.json"):
    (tmp_path / file).write_text(json.dumps(settings))
    return huggingface_preprocess(tmp_path)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"size": 64}, {"resize_mode": "shortest", "size": (64, 64)}),
        ({"size": {"shortest_edge": 64}, "crop_size": 64}, {"resize_mode": "shortest", "size": (64, 64)}),
        ({"size": {"height": 32, "width": 48}, "do_center_crop": False}, {"resize_mode": "squash", "size": (32, 48)}),
        ({"size": {"height": 32, "width": 32}, "image_processor_type": "SiglipImageProcessor"}, {"size": (32, 32)}),
        ({"size": {"height": 64, "width": 64}, "crop_size": 64}, {"resize_mode": "squash", "size": (64, 64)}),
        ({"resample": 2}, {"interpolation": "bilinear"}),
        ({"resample": 3}, {"interpolation": "bicubic"}),
        ({"do_normalize": False}, {"mean": (0.0,) * 3, "std": (1.0,) * 3}),
        ({"rescale_factor": 0.00392156862745098, "image_mean": [0.5] * 3}, {"mean": HALF}),
    ],
)
def test_image_processors_that_open_clip_can_follow(tmp_path, recwarn, settings, expected):
    found = processor(tmp_path, settings)
    assert {key: found[key] for key in expected} == expected
    assert not recwarn.list


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"do_resize": False, "size": 64}, "does not resize.*all the same"),
        ({"size": 80, "crop_size": 64}, r"resizes to \(80, 80\) and then crops to \(64, 64\)"),
        ({"size": {"shortest_edge": 64}, "do_center_crop": False}, "pictures are squashed"),
        ({"resample": 1}, "lanczos, which open_clip has not: bicubic is used"),
        ({"do_rescale": False}, r"multiplies pixels of 0 … 255 by 1, not by 1/255"),
    ],
)
def test_image_processors_that_are_followed_in_part_are_told(tmp_path, settings, message):
    with pytest.warns(ModelWarning, match=message):
        processor(tmp_path, settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resample": 9}, "resample=9"),
        ({"resample": "bicubic"}, "resample='bicubic'"),
        ({"size": {"longest_edge": 3}}, "size={'longest_edge': 3}"),
        ({"size": -3}, "size=-3"),
        ({"crop_size": [3, 3]}, "crop_size="),
        ({"image_mean": 0.5}, "image_mean=0.5.*three numbers"),
        ({"image_std": [0, 1, 1]}, "image_std=.*above 0"),
        ({"image_mean": ["a", 1, 1]}, "image_mean="),
        ({"rescale_factor": 0}, "rescale_factor=0"),
        ({"rescale_factor": "1/255"}, "rescale_factor='1/255'"),
    ],
)
def test_image_processors_that_make_no_image_are_refused(tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        processor(tmp_path, settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"do_rescale": False, "image_mean": [120.0] * 3, "image_std": [60.0] * 3},
        {"rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3, "image_std": [1.0] * 3},
        {"do_normalize": False, "rescale_factor": 0.5},
    ],
)
def test_a_rescale_factor_gives_what_transformers_gives(tmp_path, settings):
    transformers = pytest.importorskip("transformers")
    pixels = torch.randint(0, 256, (3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    with pytest.warns(ModelWarning):
        found = processor(tmp_path, settings)
    kept = {"do_resize": False, "do_center_crop": False, **settings}
    theirs = transformers.CLIPImageProcessor(**kept)(pixels, return_tensors="pt").pixel_values[0]
    mean, std = (torch.tensor(found[key])[:, None, None] for key in ("mean", "std"))
    assert torch.allclose((pixels / 255 - mean) / std, theirs.float(), rtol=1e-4, atol=1e-4)


def test_the_joint_file_of_newer_transformers_is_read(tmp_path):
    found = processor(tmp_path, {"image_processor": {"image_mean": [0.5] * 3}}, "processor_config.json")
    assert found["mean"] == HALF


# folders


def huggingface_folder(tmp_path, clip, config=HF_CONFIG):
    (tmp_path / "config.json").write_text(json.dumps(config))
    return huggingface.to_huggingface(clip.state_dict())


def sharded(state, tmp_path, kind="safetensors", parts=3):
    stem = "model" if kind == "safetensors" else "pytorch_model"
    names, places = sorted(state), {}
    for i in range(parts):
        file = f"{stem}-{i + 1:05}-of-{parts:05}.{kind}"
        part = {n: state[n] for n in names[i::parts]}
        (save_file if kind == "safetensors" else torch.save)(part, tmp_path / file)
        places |= dict.fromkeys(part, file)
    index = tmp_path / f"{stem}.{kind}.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return index


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_shards_are_put_together(clip, tmp_path, kind):
    sharded(huggingface_folder(tmp_path, clip), tmp_path, kind)
    model = silent(tmp_path)
    assert model.clip.visual.proj.equal(clip.visual.proj)
    assert is_quick(model)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda i: i["weight_map"].update(x="model-00004-of-00004.safetensors"), MissingWeightsError, "model-00004"),
        (lambda i: i["weight_map"].update(x="../../secret.safetensors"), InputError, "names '../../secret"),
        (lambda i: i["weight_map"].update(x="model-00001-of-00003.safetensors"), InputError, "files lack x"),
        (lambda i: i.update(weight_map=["a"]), InputError, "without a weight_map"),
        (lambda i: i.update(weight_map={"a": 3}), InputError, "without a weight_map"),
    ],
)
def test_indices_that_do_not_hold(clip, tmp_path, change, error, message):
    index = sharded(huggingface_folder(tmp_path, clip), tmp_path)
    content = json.loads(index.read_text())
    change(content)
    index.write_text(json.dumps(content))
    with pytest.raises(error, match=message):
        tk.load(tmp_path)


def test_missing_and_truncated_shards_are_named(clip, tmp_path):
    index = sharded(huggingface_folder(tmp_path, clip), tmp_path)
    second = tmp_path / "model-00002-of-00003.safetensors"
    second.write_bytes(second.read_bytes()[:100])
    with pytest.raises(InputError, match=r"model-00002-of-00003\.safetensors, which cannot be read"):
        tk.load(tmp_path)
    second.unlink()
    with pytest.raises(MissingWeightsError, match=r"of whose 3 files model-00002-of-00003\.safetensors is missing"):
        tk.load(tmp_path)
    index.unlink()
    with pytest.raises(MissingWeightsError, match=r"and no index.*model\.safetensors\.index\.json"):
        tk.load(tmp_path)


def test_a_folder_with_two_configs_is_open_clips(clip, tmp_path):
    save_file(huggingface_folder(tmp_path, clip), tmp_path / "model.safetensors")
    beside(tmp_path)
    saved(clip, tmp_path / "open_clip_pytorch_model.bin")
    with pytest.warns(ModelWarning, match=r"open_clip_config\.json and config\.json: open_clip_config\.json is used"):
        model = tk.load(tmp_path)
    assert not is_quick(model)
    (tmp_path / "open_clip_pytorch_model.bin").unlink()
    with pytest.warns(ModelWarning):
        assert tk.load(tmp_path).clip.visual.proj.equal(clip.visual.proj)  # CLIPModel's names under open_clip's config


def test_a_folder_as_open_clip_saves_it(clip, name, tmp_path):
    from open_clip.push_to_hf_hub import save_for_hf

    class Tokenizer:
        def save_pretrained(self, folder):
            (folder / "tokenizer_config.json").write_text("{}")

    save_for_hf(clip, Tokenizer(), open_clip.get_model_config(name), tmp_path / "saved")
    model = silent(tmp_path / "saved")
    assert model.card.id == "saved"
    assert model.encode_text("a bird").shape == (1, 48)


def test_of_several_weight_files_the_one_used_is_told(clip, tmp_path):
    beside(tmp_path)
    saved(clip, tmp_path / "a.pt")
    saved(clip, tmp_path / "b.pt")
    with pytest.warns(ModelWarning, match=r"holds a\.pt, b\.pt: a\.pt is used"):
        tk.load(tmp_path)


@register_model
def vit_tiny_claims(pretrained=False, **options):
    assert not pretrained, "would have fetched weights"
    kept = {k: v for k, v in options.items() if k in ("num_classes", "global_pool")}
    made = VisionTransformer(
        img_size=32, patch_size=8, embed_dim=48, depth=2, num_heads=3, class_token=False, **kept
    )  # fmt: skip
    made.pretrained_cfg = made.default_cfg = {"input_size": (3, 32, 32)}
    return made


SIGLIP = {
    "embed_dim": 48, "init_logit_bias": -10, "custom_text": True,
    "vision_cfg": {
        "image_size": 32, "timm_model_name": "vit_tiny_claims", "timm_model_pretrained": True, "timm_pool": "map",
        "timm_proj": "none",
    },
    "text_cfg": {
        **families.TEXT, "hf_tokenizer_name": "org/none", "tokenizer_kwargs": {"clean": "canonicalize"},
        "no_causal_mask": True, "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6},
    },
}  # fmt: skip


def test_a_folder_of_a_timm_tower_is_built_without_the_network(tmp_path):
    torch.manual_seed(1)
    assert timm.is_model("vit_tiny_claims")
    config = json.loads(json.dumps(SIGLIP))
    config["vision_cfg"]["timm_model_pretrained"] = False
    settings = {k: v for k, v in config.items() if k != "custom_text"}
    clip = open_clip.CustomTextCLIP(**settings).eval()
    beside(tmp_path, SIGLIP, {"mean": HALF, "std": HALF, "resize_mode": "squash"})
    saved(clip, tmp_path / "open_clip_model.safetensors")
    with pytest.warns(ModelWarning, match="no tokenizer beside its config"):
        model = tk.load(tmp_path)
    images = families.pictures(clip, 2)
    with torch.no_grad():
        assert torch.equal(model.clip.encode_image(images), clip.encode_image(images))
    assert model.card.mean == HALF


ROBERTA = {
    "model_type": "roberta", "vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 20, "pad_token_id": 1,
}  # fmt: skip


@pytest.mark.parametrize("place", ["", "org/roberta-tiny", None])
def test_a_hugging_face_text_tower_needs_its_config_here(tmp_path, monkeypatch, place):
    pytest.importorskip("transformers")
    text = {"hf_model_name": "org/roberta-tiny", "hf_pooler_type": "mean_pooler", "hf_proj_type": "mlp"}
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.json").write_text(json.dumps(ROBERTA))
    local = {**text, "hf_model_name": str(source), "hf_model_pretrained": False}
    clip = open_clip.CustomTextCLIP(48, families.VIT, local).eval()
    folder = tmp_path / "folder"
    saved(clip, folder / "open_clip_model.safetensors")
    beside(folder, {"embed_dim": 48, "vision_cfg": families.VIT, "text_cfg": text})
    if place is None:
        with pytest.raises(
            MissingWeightsError, match=r"text tower is 'org/roberta-tiny' of Hugging Face, with no conf"
        ):
            tk.load(folder)
        return
    (folder / place).mkdir(parents=True, exist_ok=True)
    (folder / place / "config.json").write_text(json.dumps(ROBERTA))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)
        model = tk.load(folder)
    ids = torch.randint(2, 60, (2, 7))
    with torch.no_grad():
        assert torch.equal(model.clip.encode_text(ids), clip.encode_text(ids))


def test_a_named_model_with_a_hugging_face_text_tower_fetches_nothing(clip, tmp_path):
    with pytest.raises(MissingWeightsError, match="nothing is fetched while a local file is loaded"):
        tk.load("roberta-ViT-B-32", checkpoint=saved(clip, tmp_path / "w.pt"))


# bad input


def changed(part=None, **settings):
    content = json.loads(json.dumps(CONFIG))
    (content[part] if part else content).update(settings)
    return content


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            changed("vision_cfg", layers="12"),
            r"vision_cfg\.layers='12'.*4 whole numbers or a whole number, all above 0",
        ),
        (changed("vision_cfg", layers=True), r"vision_cfg\.layers=True"),
        (changed("vision_cfg", image_size=-224), r"vision_cfg\.image_size=-224"),
        (changed("vision_cfg", image_size=[32, 0]), r"vision_cfg\.image_size=\[32, 0\]"),
        (changed("vision_cfg", mlp_ratio="4"), r"vision_cfg\.mlp_ratio='4'.*a number, all above 0"),
        (changed("vision_cfg", layrs=3, other=1), r"vision_cfg\.layrs, other, which open_clip.*did you mean 'layers'"),
        (changed("text_cfg", vocab_size=0), r"text_cfg\.vocab_size=0"),
        (changed("text_cfg", heads=None), r"text_cfg\.heads=None"),
        (changed("text_cfg", heads=5), r"text_cfg\.width=32 and text_cfg\.heads=5"),
        (changed(vision_cfg=[]), r"vision_cfg=\[\]"),
        (changed(embed_dim="48"), "embed_dim='48'"),
        (changed(quick_gelu="yes"), "quick_gelu='yes'"),
        (changed(visual_cfg={}), "visual_cfg, which open_clip does not know"),
        (changed("vision_cfg", timm_model_name="no_such_model"), "timm_model_name='no_such_model'"),
        (changed(multimodal_cfg={}), "a CoCa model"),
        ([], "without a model_cfg"),
    ],
)
def test_configs_that_build_nothing_name_the_setting(clip, tmp_path, config, message):
    beside(tmp_path, config)
    saved(clip, tmp_path / "open_clip_model.safetensors")
    with pytest.raises(InputError, match=message):
        tk.load(tmp_path)


def test_every_config_of_open_clip_is_accepted():
    for model in open_clip.list_models():
        config = open_clip.get_model_config(model)
        assert check_config(config, model) is config
        assert differences(config, config) == []


@pytest.mark.parametrize(
    ("preprocess", "message"),
    [
        ({"mean": [0.5]}, "mean="),
        ({"std": [0.5, 0.5, 0]}, "std=.*above 0"),
        ({"interpolation": "area"}, "interpolation='area'.*bicubic, bilinear"),
        ({"resize_mode": "crop"}, "resize_mode='crop'"),
        ({"mode": "L"}, "mode='L'"),
        ({"size": "224"}, "size='224'"),
        ([0.5], "preprocess_cfg="),
    ],
)
def test_preprocessing_that_cannot_be_used_is_named(clip, tmp_path, preprocess, message):
    beside(tmp_path, preprocess=preprocess)
    saved(clip, tmp_path / "open_clip_model.safetensors")
    with pytest.raises(InputError, match=message):
        tk.load(tmp_path)


@pytest.mark.parametrize(
    ("part", "settings", "message"),
    [
        ("vision_config", {"num_hidden_layers": "3"}, r"vision_config\.num_hidden_layers='3'.*a whole number above 0"),
        ("vision_config", {"hidden_size": -64}, r"vision_config\.hidden_size=-64"),
        ("vision_config", {"num_attention_heads": 5}, r"hidden_size=64 for 5 heads"),
        ("text_config", {"layer_norm_eps": None}, r"text_config\.layer_norm_eps=None"),
        ("text_config", {"hidden_act": ["gelu"]}, r"text_config\.hidden_act=\['gelu'\]"),
        ("text_config", {"hidden_act": "gelu"}, "activations gelu, quick_gelu"),
        (None, {"vision_config": [1]}, r"vision_config=\[1\]"),
        (None, {"projection_dim": 4.5}, "projection_dim=4.5"),
        (None, {"model_type": "siglip"}, "of type 'siglip'"),
    ],
)
def test_hugging_face_configs_that_build_nothing_name_the_setting(clip, tmp_path, part, settings, message):
    config = json.loads(json.dumps(HF_CONFIG))
    (config[part] if part else config).update(settings)
    save_file(huggingface_folder(tmp_path, clip, config), tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=message):
        tk.load(tmp_path)


def test_a_hugging_face_folder_with_other_weights(clip, tmp_path):
    huggingface_folder(tmp_path, clip)
    saved(clip, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"weights lack visual_projection\.weight, text_projection\.weight"):
        tk.load(tmp_path)


@pytest.mark.parametrize(
    ("state", "looks"),
    [
        ("wide", "it looks like a CLIP of width 64, 3 layers, 32 px, patches of 8, 48 dimensions"),
        ("huggingface", "it looks like a Hugging Face CLIPModel"),
        ("timm", "it looks like an open_clip model with a timm image tower"),
        ("text", "it looks like no CLIP: it has no image tower"),
        ("ViT-B-32", "it looks like ViT-B-32 or ViT-B-32-quickgelu"),
    ],
)
def test_a_checkpoint_of_another_architecture_says_what_it_looks_like(name, clip, tmp_path, state, looks):
    wide = {**CONFIG, "text_cfg": {**CONFIG["text_cfg"], "width": 64}}
    made = {
        "wide": lambda: open_clip.CLIP(**wide).state_dict(),
        "huggingface": lambda: huggingface.to_huggingface(clip.state_dict()),
        "timm": lambda: {"visual.trunk.x": torch.zeros(1)},
        "text": lambda: {"embeddings.x": torch.zeros(1)},
        "ViT-B-32": lambda: open_clip.create_model("ViT-B-32").state_dict(),
    }[state]()
    torch.save(made, tmp_path / "w.pt")
    with pytest.raises(InputError, match=looks):
        tk.load(name, checkpoint=tmp_path / "w.pt")


def test_files_alone_that_tell_no_architecture(clip, tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"w\.pt alone.*no image tower.*name it"):
        tk.load(checkpoint=tmp_path / "w.pt")
    with torch.device("meta"):
        state = open_clip.CLIP(**open_clip.get_model_config("ViT-H-14")).state_dict()
    state = {name: torch.zeros(()).expand(t.shape) for name, t in state.items()}
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"shapes of ViT-H-14, which is not OpenAI's \(vision_cfg.head_width\)"):
        tk.load(checkpoint=tmp_path / "w.pt")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_folders_empty_files_and_names_of_no_file(name, tmp_path, suffix):
    with pytest.raises(InputError, match=r"which is a folder.*write tk\.load"):
        tk.load(name, checkpoint=tmp_path)
    (tmp_path / f"empty{suffix}").touch()
    with pytest.raises(InputError, match=f"empty{suffix}, which is empty"):
        tk.load(name, checkpoint=tmp_path / f"empty{suffix}")
    with pytest.raises(MissingWeightsError, match="not a file"):
        tk.load(tmp_path / f"nowhere{suffix}")
    with pytest.raises(InputError, match="a file alone"):
        tk.load(tmp_path / f"empty{suffix}", checkpoint="x.pt")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_told(name, clip, tmp_path, value):
    state = {n: t.clone() for n, t in clip.state_dict().items()}
    for key in ("visual.proj", "ln_final.bias"):
        state[key].view(-1)[0] = value
    torch.save(state, tmp_path / "w.pt")
    with pytest.warns(ModelWarning, match=r"w\.pt holds NaN or infinite weights, in .*(visual\.proj|ln_final)"):
        tk.load(name, checkpoint=tmp_path / "w.pt")


def test_a_saved_checkpoint_keeps_activation_and_normalisation(tmp_path):
    clip = families.build("vit-quickgelu")
    clip.visual.preprocess_cfg = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.1), "resize_mode": "squash"}
    model = tk.wrap(clip, name="mine")
    path = tk.save_checkpoint(model, tmp_path / "mine.safetensors")
    facts = written_facts(path)
    assert facts["quick_gelu"] is True
    claims = claims_of_written(facts)
    assert claims.preprocess == {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.1), "resize_mode": "squash"}
    assert (
        written_facts(tk.save_checkpoint(tk.wrap(families.build("vit")), tmp_path / "b.safetensors"))["quick_gelu"]
        is False
    )


def test_a_saved_model_comes_back_from_its_file_alone(tmp_path):
    model = tk.load()  # heads of 16, which no shape tells, and words of its own
    edited = model.clip.visual.proj.detach() * torch.linspace(0.5, 1.5, model.card.embed_dim)
    clip = copy.deepcopy(model.clip)
    clip.visual.proj = torch.nn.Parameter(edited)
    path = tk.save_checkpoint(
        tk.wrap(clip, tokenizer=model.tokenizer, name=f"{model.card.id}, edited"), tmp_path / "x.safetensors"
    )
    again = silent(path)
    assert (again.card.heads, again.card.head_dim) == (8, 16)
    images = tk.scenes("val", n=2)
    assert torch.equal(again.encode_image(images), tk.wrap(clip, model.preprocess).encode_image(images))
    assert torch.equal(again.encode_text(["water"]), model.encode_text(["water"]))


@pytest.mark.parametrize("heads", [[7, 4], [8, 5]])
def test_heads_that_do_not_divide_the_width_are_refused(tmp_path, heads):
    model = tk.load()
    facts = written_facts(tk.save_checkpoint(model, tmp_path / "x.safetensors")) | {"heads": heads}
    save_file(dict(model.clip.state_dict()), tmp_path / "y.safetensors", {"toolkit": json.dumps(facts)})
    with pytest.raises(tk.InputError, match="a number that divides it"):
        tk.load(tmp_path / "y.safetensors")


def test_a_saved_quick_model_loads_as_one_under_the_plain_name(tmp_path, monkeypatch):
    text = {**families.TEXT, "vocab_size": 49408, "context_length": 77}
    config = {"embed_dim": 48, "vision_cfg": families.VIT, "text_cfg": text}
    monkeypatch.setattr(open_clip, "list_models", lambda: ["tiny"])
    monkeypatch.setattr(open_clip, "get_model_config", lambda _name: dict(config))
    clip = open_clip.CLIP(**config, quick_gelu=True).eval()
    clip.visual.preprocess_cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    path = tk.save_checkpoint(tk.wrap(clip, name="quick"), tmp_path / "quick.safetensors")
    with pytest.warns(ModelWarning, match="QuickGELU is used"):
        again = tk.load("tiny", checkpoint=path)
    images = torch.randn(2, 3, 32, 32)
    assert torch.allclose(again.encode_image(images), clip.encode_image(images), atol=1e-5)
    assert again.card.mean == (0.5, 0.5, 0.5)


EVIL = "import pathlib\n\npathlib.Path({mark!r}).touch()\n\n\nclass Evil:\n    pass\n"


@pytest.mark.parametrize("route", ["kwargs", "auto_map alone"])
@pytest.mark.parametrize("given", ["folder", "file"])
def test_a_tokenizer_with_code_of_its_own_is_refused_and_not_run(tmp_path, monkeypatch, route, given):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("the user was asked"))
    folder, mark = tmp_path / "evil", tmp_path / "ran"
    folder.mkdir()
    text = {**families.TEXT, "hf_tokenizer_name": "x/y"}
    if route == "kwargs":
        text["tokenizer_kwargs"] = {"trust_remote_code": True}
    config = {"embed_dim": 48, "vision_cfg": families.VIT, "text_cfg": text}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}))
    (folder / "evil.py").write_text(EVIL.format(mark=str(mark)))
    clip = open_clip.CLIP(48, families.VIT, families.TEXT)
    save_file(clip.state_dict(), folder / "open_clip_model.safetensors")
    with pytest.raises(InputError, match=r"trust_remote_code|auto_map"):
        tk.load(str(folder if given == "folder" else folder / "open_clip_model.safetensors"))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("vision_cfg", "timm_model_name", "hf-hub:evil/repo", "timm_model_name='hf-hub:evil/repo'"),
        ("vision_cfg", "timm_model_name", "local-dir:/etc", "timm_model_name='local-dir:/etc'"),
        ("text_cfg", "hf_model_name", "/etc", "leads out of the folder"),
        ("text_cfg", "hf_model_name", "../outside", "leads out of the folder"),
    ],
)
def test_configs_reach_neither_the_network_nor_other_folders(tmp_path, part, key, value, message):
    config = {"embed_dim": 48, "vision_cfg": dict(families.VIT), "text_cfg": dict(families.TEXT)}
    config[part][key] = value
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    save_file({"x": torch.zeros(1)}, tmp_path / "open_clip_model.safetensors")
    with pytest.raises(InputError, match=message):
        tk.load(str(tmp_path))


def test_what_a_saved_file_says_of_itself_counts_more_than_a_config_beside_it(tmp_path):
    text = {**families.TEXT, "vocab_size": 49408, "context_length": 77}
    config = {"embed_dim": 48, "vision_cfg": families.VIT, "text_cfg": text}
    clip = open_clip.CLIP(**config, quick_gelu=True).eval()
    clip.visual.preprocess_cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    path = tk.save_checkpoint(tk.wrap(clip, name="quick"), tmp_path / "quick.safetensors")
    beside = {"model_cfg": config, "preprocess_cfg": {"mean": [0, 0, 0], "std": [1, 1, 1]}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(beside))
    with pytest.warns(ModelWarning, match="the first is used"):
        again = tk.load(path)
    images = torch.randn(2, 3, 32, 32)
    assert torch.allclose(again.encode_image(images), clip.encode_image(images), atol=1e-5)
    assert again.card.mean == (0.5, 0.5, 0.5)


def test_a_saved_folder_keeps_how_pictures_are_resized(tmp_path):
    clip = families.build("vit")
    clip.visual.preprocess_cfg = {"interpolation": "bilinear", "resize_mode": "squash", "mean": (0.5, 0.5, 0.5)}
    tk.save_huggingface(tk.wrap(clip), tmp_path)
    found = huggingface_preprocess(tmp_path)
    assert (found["interpolation"], found["resize_mode"], found["size"]) == ("bilinear", "squash", (32, 32))


def test_a_name_that_cannot_be_taken_apart_is_refused_before_a_download(monkeypatch):
    monkeypatch.setattr(loading, "_reachable", lambda *_: pytest.fail("the network was asked"))
    monkeypatch.setattr(loading, "cached_file", lambda *_: None)
    with pytest.raises(UnsupportedModelError, match="no attention heads"):
        tk.load("convnext_base", pretrained="laion400m_s13b_b51k")
