"""Loading: by name, from files and folders in every format written here; nothing is ever unpickled; errors in words."""

from __future__ import annotations

import contextlib
import json
import pickle

import families
import open_clip
import pytest
import torch
from safetensors.torch import save_file

import toolkit as tk
from toolkit.errors import InputError, MissingWeightsError
from toolkit.models import loading
from toolkit.models.checkpoints import from_huggingface, read_state
from toolkit.models.huggingface_files import huggingface_config, huggingface_preprocess
from toolkit.models.words import ModelWarning

CONFIG = {
    "embed_dim": 48,
    "vision_cfg": families.VIT,
    "text_cfg": {**families.TEXT, "vocab_size": 49408, "context_length": 12},
}


@pytest.fixture(scope="module")
def name(tmp_path_factory):
    """A tiny architecture under an open_clip name of its own."""
    folder = tmp_path_factory.mktemp("configs")
    (folder / "ViT-tiny-test.json").write_text(json.dumps(CONFIG))
    open_clip.add_model_config(folder)
    return "ViT-tiny-test"


@pytest.fixture(scope="module")
def clip(name):
    torch.manual_seed(7)
    return open_clip.create_model(name).eval()


def encode(clip):
    with torch.no_grad():
        return clip.encode_image(families.pictures(clip, 2))


def write(kind, clip, path):
    state = clip.state_dict()
    if kind == "safetensors":
        save_file(state, path := path / "w.safetensors")
        return path
    content = {
        "pt": state,
        "pth": {"state_dict": state, "epoch": 3},
        "bin": {f"module.{k}": v for k, v in state.items()},
        "openai": (
            state
            | {
                "input_resolution": torch.tensor(32),
                "context_length": torch.tensor(12),
                "vocab_size": torch.tensor(49408),
            }
        ),
    }[kind]
    torch.save(content, path := path / f"w.{kind if kind != 'openai' else 'pt'}")
    return path


@pytest.mark.parametrize("kind", ["pt", "pth", "bin", "safetensors", "openai"])
@pytest.mark.parametrize("argument", ["checkpoint", "pretrained"])
def test_local_files(name, clip, tmp_path, kind, argument):
    path = write(kind, clip, tmp_path)
    with pytest.warns(ModelWarning, match="GELU, but") if kind == "openai" else contextlib.nullcontext():
        model = tk.load(name, **{argument: str(path)})
    twin = open_clip.CLIP(**CONFIG, quick_gelu=kind == "openai").eval()
    twin.load_state_dict(clip.state_dict())
    assert torch.equal(encode(model.clip), encode(twin))
    assert model.card.id == f"{name}:{path.name}"
    assert model.encode_text(["a photo of a bird"]).shape == (1, 48)


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16), ("fp64", torch.float64)],
)
def test_precisions(name, clip, tmp_path, precision, dtype):
    model = tk.load(name, checkpoint=write("pt", clip, tmp_path), precision=precision)
    assert model.dtype == dtype
    assert tk.decompose(model, families.pictures(clip, 2)).error < (0.1 if precision in ("bf16", "fp16") else 1e-5)


@pytest.mark.parametrize("weights", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_open_clip_folder_with_its_normalisation(clip, tmp_path, weights):
    preprocess = {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG, "preprocess_cfg": preprocess}))
    save = save_file if weights.endswith("safetensors") else torch.save
    save(clip.state_dict(), tmp_path / weights)
    model = tk.load(str(tmp_path))
    assert torch.equal(encode(model.clip), encode(clip))
    assert (model.card.mean, model.card.std) == ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))


@pytest.mark.parametrize(("content", "mark"), [({"model_cfg": CONFIG}, b"\xef\xbb\xbf"), (CONFIG, b"")])
def test_a_config_with_a_byte_order_mark_and_one_that_is_a_model_cfg_alone(clip, tmp_path, content, mark):
    (tmp_path / "open_clip_config.json").write_bytes(mark + json.dumps(content).encode())
    save_file(clip.state_dict(), tmp_path / "open_clip_model.safetensors")
    for place in (tmp_path, tmp_path / "open_clip_model.safetensors"):
        assert torch.equal(encode(tk.load(str(place)).clip), encode(clip))


def huggingface_state(clip):
    """The same weights under the names of a Hugging Face CLIPModel."""
    out = {
        "logit_scale": clip.logit_scale,
        "visual_projection.weight": clip.visual.proj.T,
        "text_projection.weight": clip.text_projection.T,
    }
    v = "vision_model."
    out |= {
        v + "embeddings.class_embedding": clip.visual.class_embedding,
        v + "embeddings.patch_embedding.weight": clip.visual.conv1.weight,
    }
    out[v + "embeddings.position_embedding.weight"] = clip.visual.positional_embedding
    out[v + "embeddings.position_ids"] = torch.arange(17)[None]
    out["text_model.embeddings.token_embedding.weight"] = clip.token_embedding.weight
    out["text_model.embeddings.position_embedding.weight"] = clip.positional_embedding
    for new, norm in (
        (v + "pre_layrnorm", clip.visual.ln_pre),
        (v + "post_layernorm", clip.visual.ln_post),
        ("text_model.final_layer_norm", clip.ln_final),
    ):
        out |= {f"{new}.weight": norm.weight, f"{new}.bias": norm.bias}
    for prefix, transformer in ((v, clip.visual.transformer), ("text_model.", clip.transformer)):
        for i, block in enumerate(transformer.resblocks):
            at = f"{prefix}encoder.layers.{i}."
            for which, w, b in zip(
                "qkv", block.attn.in_proj_weight.chunk(3), block.attn.in_proj_bias.chunk(3), strict=True
            ):
                out |= {f"{at}self_attn.{which}_proj.weight": w, f"{at}self_attn.{which}_proj.bias": b}
            pairs = {
                "self_attn.out_proj": block.attn.out_proj,
                "layer_norm1": block.ln_1,
                "layer_norm2": block.ln_2,
                "mlp.fc1": block.mlp.c_fc,
                "mlp.fc2": block.mlp.c_proj,
            }
            for new, module in pairs.items():
                out |= {f"{at}{new}.weight": module.weight, f"{at}{new}.bias": module.bias}
    return {k: t.detach().clone().contiguous() for k, t in out.items()}


HF_CONFIG = {
    "model_type": "clip",
    "projection_dim": 48,
    "vision_config": {
        "image_size": 32,
        "patch_size": 8,
        "num_hidden_layers": 3,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "intermediate_size": 256,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
    },
    "text_config": {
        "max_position_embeddings": 12,
        "vocab_size": 49408,
        "hidden_size": 32,
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "intermediate_size": 128,
    },
}


def test_huggingface_folder(clip, tmp_path):
    save_file(huggingface_state(clip), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(HF_CONFIG))
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.4, 0.4, 0.4], "image_std": [0.2, 0.2, 0.2]})
    )
    model = tk.load(str(tmp_path))
    twin = open_clip.CLIP(**CONFIG, quick_gelu=True).eval()
    twin.load_state_dict(clip.state_dict())
    assert torch.equal(encode(model.clip), encode(twin))
    assert model.card.mean == (0.4, 0.4, 0.4)
    assert huggingface_config(tmp_path)["quick_gelu"] is True


def test_huggingface_names_cover_every_tensor(clip):
    assert from_huggingface(huggingface_state(clip)).keys() == clip.state_dict().keys()


def test_huggingface_config_that_leaves_defaults_out(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip", "vision_config": {"patch_size": 16}}))
    found = huggingface_config(tmp_path)
    assert found["vision_cfg"]["image_size"] == 224
    assert found["vision_cfg"]["patch_size"] == 16
    assert found["text_cfg"]["vocab_size"] == 49408


def test_huggingface_preprocess_is_carried_over(tmp_path):
    assert huggingface_preprocess(tmp_path) == {}
    settings = {"image_mean": [0.1] * 3, "image_std": [0.2] * 3, "resample": 2, "do_center_crop": False}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    expected = {"mean": (0.1,) * 3, "std": (0.2,) * 3, "interpolation": "bilinear", "resize_mode": "squash"}
    assert huggingface_preprocess(tmp_path) == expected


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "no JSON"),
        ("[]", "no JSON object"),
        ("{}", "without a model_cfg"),
        ('{"model_cfg": {}}', "without a model_cfg"),
    ],
)
def test_damaged_configs(tmp_path, config, message):
    (tmp_path / "open_clip_config.json").write_text(config)
    with pytest.raises(InputError, match=message):
        tk.load(str(tmp_path))


@pytest.mark.parametrize("seed", range(12))
def test_fuzzed_pickles_are_damaged_files_never_a_crash(tmp_path, seed):
    import random

    noise = random.Random(seed)
    path = tmp_path / "x.pt"
    torch.save({"a": torch.zeros(3)}, path)
    content = bytearray(path.read_bytes())
    for _ in range(40):
        content[noise.randrange(len(content))] = noise.randrange(256)
    path.write_bytes(bytes(content))
    with contextlib.suppress(InputError):  # whatever is left of the file may also be read
        read_state(path)


def test_loading_leaves_the_random_state(name, clip, tmp_path):
    path = write("pt", clip, tmp_path)
    before = torch.get_rng_state()
    tk.load()
    tk.load(name, checkpoint=path)
    assert torch.equal(torch.get_rng_state(), before)


class Bomb:
    """Unpickling this would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_code_in_a_checkpoint_is_never_run(name, tmp_path, writer):
    target, path = tmp_path / "was-run", tmp_path / "evil.pt"
    if writer == "torch":
        torch.save({"state_dict": {"a": Bomb(target)}}, path)
    else:
        path.write_bytes(pickle.dumps({"a": Bomb(target)}))
    with pytest.raises(InputError, match=r"evil\.pt.*would run code"):
        tk.load(name, checkpoint=path)
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_damaged_files(name, tmp_path, content, suffix):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"broken{suffix}"):
        read_state(path)


def test_truncated_file_leaves_no_half_loaded_model(name, clip, tmp_path):
    path = write("safetensors", clip, tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cannot be read"):
        tk.load(name, checkpoint=path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("visual.proj"), "missing: visual.proj"),
        (lambda s: s.update(extra=torch.zeros(1)), "too many: extra"),
        (lambda s: s.update({"visual.proj": torch.zeros(3, 4)}), r"another shape: visual.proj \(3, 4\) for \(64, 48\)"),
        (lambda s: s.clear(), "no state dict"),
    ],
)
def test_checkpoints_of_another_model_are_named(name, clip, tmp_path, change, message):
    state = dict(clip.state_dict())
    change(state)
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(InputError, match=message):
        tk.load(name, checkpoint=tmp_path / "w.pt")


def test_missing_file_and_empty_folder(name, tmp_path):
    with pytest.raises(MissingWeightsError, match="not a file"):
        tk.load(name, checkpoint=tmp_path / "nowhere.pt")
    with pytest.raises(InputError, match="without a config"):
        tk.load(str(tmp_path))
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG}))
    with pytest.raises(MissingWeightsError, match="without a weight file"):
        tk.load(str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "ViT-B-33"}, "did you mean"),
        ({"name": "ViT-B-32"}, "without weights.*laion2b_s34b_b79k"),
        ({"name": "ViT-B-32", "pretrained": "laion2b_s34b_b79"}, "did you mean 'laion2b_s34b_b79k'"),
        ({"name": "ViT-B-32", "precision": "int4"}, "precision='int4'"),
        ({"name": "ViT-B-32", "pretrained": "openai", "checkpoint": "x.pt"}, "one of them"),
        ({"pretrained": "openai"}, "without a model name"),
        ({"name": "built-in", "pretrained": "openai"}, "weights for 'built-in', which has its own"),
        ({"name": "built-in:tails"}, '"built-in:home", "built-in:mlps"'),
        ({"precision": "int4"}, "precision='int4'"),
        ({"name": 3}, "name=3"),
        ({"device": None}, "device=None"),
    ],
)
def test_wrong_arguments_say_what_exists(arguments, message):
    with pytest.raises(InputError, match=message):
        tk.load(**arguments)


@pytest.mark.parametrize(("name", "said"), [("built-in", "seed 0"), ("built-in:mlps", "variant mlps, seed 0")])
def test_the_built_in_model_and_its_variants_have_names(name, said):
    model = tk.load(name)
    assert model.card.id == f"built-in world model, {said}"
    assert model.encode_text(["a cat"]).shape == (1, 96)
    assert (model.card.fingerprint == tk.load().card.fingerprint) == (name == "built-in")


@pytest.mark.parametrize("how", ["no name service", "broken download"])
def test_without_network_one_error_names_what_is_cached_and_the_built_in_model(monkeypatch, how):
    def offline(*_, **__):
        raise OSError("no route to the hub")

    monkeypatch.setattr(loading, "getproxies", dict)
    if how == "no name service":
        monkeypatch.setattr(loading.socket, "getaddrinfo", offline)
        monkeypatch.setattr(open_clip, "create_model", lambda *_, **__: pytest.fail("tried to download"))
    else:
        monkeypatch.setattr(loading.socket, "getaddrinfo", lambda *_: ["found"])
        monkeypatch.setattr(open_clip, "create_model", offline)
    with pytest.raises(MissingWeightsError) as caught:
        tk.load("RN50", pretrained="openai")
    message = str(caught.value)
    assert "RN50:openai" in message
    assert "cached here:" in message
    assert "tk.load()" in message
    assert "checkpoint=" in message


def test_cached_weights_are_named(monkeypatch):
    monkeypatch.setattr(loading, "cached", lambda: [("ViT-B-32", "openai")])
    monkeypatch.setattr(loading, "_reachable", lambda *_: False)
    with pytest.raises(MissingWeightsError, match="cached here: ViT-B-32:openai"):
        tk.load("ViT-B-16", pretrained="openai")
