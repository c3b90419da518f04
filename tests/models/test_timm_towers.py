"""timm towers and live CLIPModels: the parts are those of the formulas, and sum to the model's own embedding."""

from __future__ import annotations

import copy

import pytest
import timm
import timm_families
import torch
from timm.models.eva import Eva
from timm_families import PLAIN, POOLED, TIMM, build, literal, pictures

import toolkit as tk
from toolkit.errors import InputError, UnsupportedModelError
from toolkit.models.towers import visual_tower

EVERY = [(name, "pool") for name in TIMM] + [(name, "trunk") for name in POOLED]


def wrapped(family, view="pool", dtype=torch.float64):
    return tk.wrap(build(family, dtype)).view(view)


@pytest.mark.parametrize(("family", "view"), EVERY)
def test_parts_equal_the_formulas_and_sum(family, view):
    model, images = wrapped(family, view), pictures(3, torch.float64)
    parts = tk.decompose(model, images)
    truth = literal(model.clip, images, view)
    assert parts.error < 1e-12
    assert torch.allclose(parts.embedding * parts.norm[:, None], truth["output"], atol=1e-12)
    for name in ("heads", "mlps", "biases", "constant"):
        assert getattr(parts, name).shape == truth[name].shape, name
        assert torch.allclose(getattr(parts, name), truth[name], atol=1e-12), name


@pytest.mark.parametrize(("family", "view"), [*EVERY, ("huggingface", "pool")])
def test_the_pooled_vector_times_the_projection_is_the_embedding(family, view):
    model = wrapped(family, view)
    trace, tower = model.trace(pictures(3, torch.float64)), model.tower
    projected = trace.pooled if tower.proj is None else trace.pooled @ tower.proj
    projected = projected if tower.proj_bias is None else projected + tower.proj_bias
    assert trace.pooled.shape[1] == tower.pooled
    assert torch.allclose(projected, trace.output, atol=1e-12)


@pytest.mark.parametrize(("family", "view"), [*EVERY, ("huggingface", "pool")])
def test_single_precision_is_exact_enough_and_the_model_is_untouched(family, view):
    clip = build(family)
    before = {name: t.clone() for name, t in clip.state_dict().items()}
    model, images = tk.wrap(clip).view(view), pictures(4)
    parts = tk.decompose(model, images)
    assert parts.error < 1e-5
    plain = clip.get_image_features(images) if family == "huggingface" else clip.encode_image(images)
    plain = getattr(plain, "pooler_output", plain)
    assert torch.allclose(model.encode_image(images), plain, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(t, before[name]) for name, t in clip.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in clip.modules())


@pytest.mark.parametrize("family", [*PLAIN, "siglip", "pe", "huggingface"])
def test_reference_convention_sums_or_is_refused(family):
    model, images = tk.wrap(build(family, torch.float64)), pictures(2, torch.float64)
    if not model.card.fixed_biases:
        with pytest.raises(InputError, match="post-norm"):
            tk.decompose(model, images, convention="reference")
        return
    assert tk.decompose(model, images, convention="reference").error < 1e-12


@pytest.mark.cuda
@pytest.mark.parametrize(("family", "view"), EVERY)
def test_on_a_gpu_the_parts_are_the_same(family, view):
    model, images = wrapped(family, view), pictures(2, torch.float64)
    gpu = tk.wrap(build(family, torch.float64).to("cuda")).view(view)
    expected, found = (tk.decompose(m, images) for m in (model, gpu))
    for name in ("heads", "mlps", "biases", "constant", "embedding"):
        torch.testing.assert_close(getattr(found, name).cpu(), getattr(expected, name), rtol=1e-9, atol=1e-10)
    t = torch.nn.functional.normalize(torch.randn(model.card.embed_dim, dtype=torch.float64), dim=0)
    a, b = (tk.token_map(m, images, t) for m in (model, gpu))
    assert abs(a.values - b.values).max() < 1e-9


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("family", "view"), EVERY)
def test_half_precision_trunks_say_what_they_cost(family, view, precision):
    model, images = tk.wrap(build(family, precision)).view(view), pictures(3)
    parts = tk.decompose(model, images)
    assert parts.embedding.dtype == torch.float32
    assert 1e-5 < parts.error < 0.2
    exact = tk.wrap(build(family)).encode_image(images)
    assert torch.nn.functional.cosine_similarity(model.encode_image(images), exact).min() > 0.9


@pytest.mark.parametrize("family", POOLED)
def test_the_trunk_has_one_convention(family):
    with pytest.raises(InputError, match="frozen attention pools"):
        tk.decompose(wrapped(family, "trunk"), pictures(2, torch.float64), convention="reference")


@pytest.mark.parametrize(("family", "view"), EVERY)
def test_token_maps_sum_to_the_cosine(family, view):
    model, images = wrapped(family, view), pictures(2, torch.float64)
    t = torch.nn.functional.normalize(torch.randn(model.card.embed_dim, dtype=torch.float64), dim=0)
    found = tk.token_map(model, images, t)
    unit = torch.nn.functional.normalize(model.encode_image(images), dim=-1)
    assert torch.allclose(torch.as_tensor(found.total), unit @ t, atol=1e-9)
    total = found.values.sum((1, 2)) + found.rest.sum(-1)
    assert torch.allclose(torch.as_tensor(total), unit @ t, atol=1e-9)
    parts = tk.decompose(model, images).toward(t)
    names = list(found.rest_names)
    before = [i for i, name in enumerate(names) if name in ("class token", "mean token", "registers")]
    heads = found.values.sum((1, 2)) + found.rest[:, before].sum(-1)
    assert torch.allclose(torch.as_tensor(heads), parts.sum((1, 2)), atol=1e-9)


@pytest.mark.parametrize("family", [*TIMM, "huggingface"])
def test_total_ablation_is_what_the_model_gives_without_the_head(family):
    """Against a plain forward in which a hook takes the head out of what the output projection (or the norm before
    it) is given.
    """
    clip = build(family, torch.float64)
    model, images = tk.wrap(clip), pictures(2, torch.float64)
    layer, head = model.card.layers - 1, 1
    if family == "huggingface":
        place = clip.vision_model.encoder.layers[layer].self_attn.out_proj
    elif family in POOLED:
        place = clip.visual.trunk.attn_pool.proj
    else:
        attention = clip.visual.trunk.blocks[layer].attn
        inner = getattr(attention, "norm", None)
        place = inner if isinstance(inner, torch.nn.LayerNorm) else attention.proj
    k = model.card.head_dim

    def without(_module, given):
        x = given[0].clone()
        x[..., head * k : (head + 1) * k] = 0
        return (x,)

    handle = place.register_forward_pre_hook(without)
    truth = model.encode_image(images)
    handle.remove()
    assert torch.allclose(model.encode_image(images, ablate=f"L{layer}.H{head}"), truth, atol=1e-12)
    assert not torch.allclose(model.encode_image(images), truth, atol=1e-6)


@pytest.mark.parametrize("family", [*TIMM, "huggingface"])
def test_folded_edits_equal_the_edited_embedding(family):
    from toolkit.api.switch_off.fold import fold_matrix

    model, images = tk.wrap(build(family, torch.float64)), pictures(2, torch.float64)
    d = model.card.embed_dim
    matrix = torch.randn(d, d, dtype=torch.float64)
    if family.startswith("siglip"):
        with pytest.raises(UnsupportedModelError, match="no linear output"):
            fold_matrix(model, matrix, "edited")
        return
    folded = fold_matrix(model, matrix, "edited")
    assert torch.allclose(folded.encode_image(images), model.encode_image(images) @ matrix, atol=1e-9)
    assert folded.card.fingerprint != model.card.fingerprint


@pytest.mark.parametrize("family", [*TIMM, "huggingface"])
def test_folded_ablations_equal_the_total_effect(family):
    model, images = tk.wrap(build(family, torch.float64)), pictures(2, torch.float64)
    head = f"L{model.card.layers - 1}.H2"
    if any(block.inner is not None for block in model.tower.blocks):
        with pytest.raises(UnsupportedModelError, match="norm of all heads together"):
            tk.fold_ablation(model, head)
        return
    folded = tk.fold_ablation(model, head)
    assert torch.allclose(folded.encode_image(images), model.encode_image(images, ablate=head), atol=1e-12)


@pytest.mark.parametrize(("family", "view"), EVERY)
def test_stores_give_the_same_parts_again(family, view, tmp_path):
    from PIL import Image

    model = wrapped(family, view, torch.float32)
    for i in range(3):
        (tmp_path / "photos" / "a").mkdir(parents=True, exist_ok=True)
        noise = torch.randint(0, 255, (32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(i))
        Image.fromarray(noise.numpy()).save(tmp_path / "photos" / "a" / f"{i}.png")
    data = tk.image_folder(tmp_path / "photos")
    tk.extract(model, data, tmp_path / "parts.zarr", progress=False)
    acts = tk.open_acts(tmp_path / "parts.zarr")
    live = tk.decompose(model, data)
    assert torch.allclose(acts.heads, live.heads, atol=1e-5)
    assert torch.allclose(acts.parts().biases, live.biases, atol=1e-5)
    assert acts.parts().error < 1e-5
    acts.attach(model, data)
    if family in POOLED:
        other = wrapped(family, "pool" if view == "trunk" else "trunk", torch.float32)
        with pytest.raises(InputError, match="fingerprint"):
            acts.attach(other, data)
    spans = tk.textspan(acts, torch.randn(30, model.card.embed_dim), size=2)
    assert spans.picks.shape[-1] == 2


@pytest.mark.parametrize("family", [*TIMM, "huggingface"])
def test_gradient_and_attention_maps_run(family):
    model, images = tk.wrap(build(family)), pictures(2)
    t = torch.nn.functional.normalize(torch.randn(model.card.embed_dim), dim=0)
    for maps in (tk.grad_cam(model, images, t), tk.legrad(model, images, t), tk.game(model, images, t),
                 tk.rollout(model, images), tk.attention_map(model, images)):  # fmt: skip
        assert maps.values.shape == (2, 4, 4)
        assert abs(maps.values).max() > 0


@pytest.mark.parametrize("family", POOLED)
def test_maps_of_attention_are_refused_for_the_trunk_behind_a_frozen_pool(family):
    model = wrapped(family, "trunk", torch.float32)
    with pytest.raises(UnsupportedModelError, match="view"):
        tk.rollout(model, pictures(1))


def test_a_live_clip_model_encodes_texts_and_names_itself():
    clip = timm_families.huggingface()
    ids = [[48, 3, 4 + i, 49, 0, 0, 0, 0] for i in range(3)]
    model = tk.wrap(clip, tokenizer=lambda texts: torch.tensor([ids[len(t) % 3] for t in texts]))
    assert (model.card.layers, model.card.heads, model.card.grid, model.card.id) == (3, 4, (4, 4), "CLIPModel")
    found = clip.get_text_features(torch.tensor([[48, 3, 5, 49, 0, 0, 0, 0]]))
    found = getattr(found, "pooler_output", found)
    assert torch.allclose(model.encode_text("a"), torch.nn.functional.normalize(found, dim=-1), atol=1e-6)
    with pytest.raises(InputError, match="tokenizer"):
        tk.wrap(clip).encode_text("a")
    assert next(iter(model.clip.parameters())) is next(iter(clip.parameters()))


def test_eager_attention_still_sums_and_its_token_map_is_refused_in_words():
    clip = timm_families.huggingface(torch.float64, attn_implementation="eager")
    model, images = tk.wrap(clip), pictures(2, torch.float64)
    assert tk.decompose(model, images).error < 1e-12
    with pytest.raises(UnsupportedModelError, match="could not be seen"):
        tk.token_map(model, images, torch.ones(48, dtype=torch.float64) / 48**0.5)


def test_other_models_of_the_library_are_refused():
    import transformers

    config = transformers.SiglipVisionConfig(
        hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=16
    )
    with pytest.raises(UnsupportedModelError, match="only CLIPModel"):
        tk.wrap(transformers.SiglipVisionModel(config))


def test_the_view_of_a_tower_without_an_attention_pool_is_refused():
    with pytest.raises(UnsupportedModelError, match="attention pool"):
        tk.load().view("trunk")
    with pytest.raises(UnsupportedModelError, match="attention pool"):
        tk.wrap(build("eva02")).view("trunk")
    with pytest.raises(InputError, match="'pool' or 'trunk'"):
        tk.load().view("both")


@pytest.mark.parametrize("family", [*PLAIN, "huggingface"])
def test_what_legrad_reads_after_a_layer_is_the_embedding_of_the_tower_cut_off_there(family):
    clip = build(family, torch.float64)
    model, images = tk.wrap(clip), pictures(2, torch.float64)
    capture, output = model.explicit(images)
    found = [capture.embedding_after(layer, output) for layer in range(3)]
    for layer in range(3):
        cut = copy.deepcopy(clip)
        if family == "huggingface":
            cut.vision_model.encoder.layers = cut.vision_model.encoder.layers[: layer + 1]
        else:
            cut.visual.trunk.blocks = cut.visual.trunk.blocks[: layer + 1]
        assert torch.allclose(found[layer], tk.wrap(cut).encode_image(images), atol=1e-10), layer


@pytest.mark.parametrize("family", POOLED)
def test_copies_keep_the_view(family):
    model = wrapped(family, "trunk", torch.float32)
    for other in (tk.permuted(model), tk.fold_ablation(model, "L0.H1")):
        assert other.card.pool == "attention_trunk"
        assert other.card.layers == 3
        assert other.card.id.count("(trunk)") == 1


def test_a_saved_live_clip_model_is_an_open_clip_checkpoint(tmp_path):
    from toolkit.models.checkpoints import build as built
    from toolkit.models.checkpoints import fill, read_state
    from toolkit.models.huggingface_files import huggingface_config

    clip = timm_families.huggingface()
    model, images = tk.wrap(clip), pictures(2)
    path = tk.save_checkpoint(model, tmp_path / "x.safetensors")
    tk.save_huggingface(model, tmp_path / "folder")
    config = huggingface_config(tmp_path / "folder")
    again = built(config, "x", tmp_path)
    fill(again, read_state(path), path.name)
    assert torch.allclose(again.encode_image(images), model.encode_image(images), atol=1e-5)
    loaded = tk.load(str(tmp_path / "folder"))
    assert torch.allclose(loaded.encode_image(images), model.encode_image(images), atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_pool_whose_attention_was_not_seen_is_refused_in_every_precision(dtype):
    clip = build("siglip", dtype)
    clip.visual.trunk.attn_pool.fused_attn = False
    with pytest.raises(UnsupportedModelError, match="attention pool could not be seen"):
        tk.decompose(tk.wrap(clip).view("trunk"), pictures(2, dtype))
    assert tk.decompose(tk.wrap(clip), pictures(2, dtype)).error < 0.05


def test_layers_of_a_clip_model_with_other_numbers_of_heads_are_refused():
    clip = timm_families.huggingface()
    clip.vision_model.encoder.layers[1].self_attn.num_heads = 2
    with pytest.raises(UnsupportedModelError, match="different numbers of heads"):
        tk.wrap(clip)


def with_dropout(kind):
    if kind == "live CLIPModel":
        clip = timm_families.huggingface()
        clip.vision_model.encoder.layers[0].self_attn.dropout = 0.5
        return clip.train()
    clip = build("eva01")
    clip.visual.trunk.patch_drop = timm.layers.PatchDropoutWithIndices(0.5)
    return clip.train()


@pytest.mark.parametrize("kind", ["live CLIPModel", "patch dropout"])
def test_random_towers_are_refused_in_training_mode(kind):
    with pytest.raises(InputError, match="training mode"):
        tk.decompose(tk.wrap(with_dropout(kind)), pictures(2))


NO_SUM = {
    "vit_small_patch16_18x2_224": "only blocks of the kinds", "crossvit_9_240": "grid of patches|blocks",
    "mixer_s32_224": "grid of patches", "convit_tiny": "what follows|blocks", "samvit_base_patch16": "norm|blocks",
    "naflexvit_base_patch16_siglip": "grid of patches", "deit_tiny_distilled_patch16_224": "two outputs",
    "twins_pcpvt_small": "grid of patches", "tnt_s_patch16_224": "blocks|grid",
}  # fmt: skip


@pytest.mark.parametrize("name", NO_SUM)
def test_other_timm_towers_are_refused_in_words(name):
    tower = timm_families.around(timm.create_model, name)
    with pytest.raises(UnsupportedModelError, match=NO_SUM[name]):
        visual_tower(tower, "CLIP")


def test_blocks_that_share_weights_are_refused():
    clip = build("timm-vit")
    clip.visual.trunk.blocks[1] = clip.visual.trunk.blocks[0]
    with pytest.raises(UnsupportedModelError, match="share weights"):
        tk.wrap(clip)


def test_gradients_through_checkpointed_layers_are_refused_and_the_sum_is_not():
    clip = build("timm-vit")
    clip.visual.trunk.set_grad_checkpointing(True)
    model, t = tk.wrap(clip), torch.nn.functional.normalize(torch.ones(48), dim=0)
    assert tk.decompose(model, pictures(2)).error < 1e-5
    for verb in (tk.grad_cam, tk.legrad, tk.game):
        with pytest.raises(InputError, match="set_grad_checkpointing"):
            verb(model, pictures(2), t)


def test_autocast_around_a_call_spoils_no_sum():
    model = tk.wrap(build("timm-vit"))
    with torch.autocast("cpu", torch.bfloat16):
        assert tk.decompose(model, pictures(2)).error < 1e-5


def test_weights_written_through_data_are_seen_by_grad_cam_and_by_stores(tmp_path):
    clip = build("timm-vit")
    model, images = tk.wrap(clip), pictures(2)
    t = torch.nn.functional.normalize(torch.randn(48, generator=torch.Generator().manual_seed(0)), dim=0)
    model.readout(), model.card
    clip.visual.trunk.head.weight.data.mul_(-1)
    fresh = tk.wrap(clip)
    assert abs(tk.grad_cam(model, images, t, heads="L2.H1").values
               - tk.grad_cam(fresh, images, t, heads="L2.H1").values).max() < 1e-9  # fmt: skip
    data = tk.scenes("test", n=4)
    own = tk.wrap(copy.deepcopy(tk.load().clip))
    tk.extract(own, data, tmp_path / "x.zarr", progress=False)
    own.clip.visual.proj.data.mul_(-1)
    with pytest.raises(tk.StoreError, match="something else"):
        tk.extract(own, data, tmp_path / "x.zarr", progress=False)


def test_the_reference_convention_is_refused_before_anything_runs(monkeypatch):
    model = wrapped("siglip", "trunk", torch.float32)
    monkeypatch.setattr(type(model), "trace", lambda *_: pytest.fail("a forward was run"))
    with pytest.raises(InputError, match="'separate'"):
        tk.extract(model, tk.scenes("test", n=2), convention="reference", progress=False)


def test_layer_curves_of_a_trunk_view_are_drawn():
    from toolkit.figures.pictures import ablation_curves

    for view in ("pool", "trunk"):
        parts = tk.decompose(wrapped("siglip", view), pictures(6, torch.float64))
        curve = tk.layer_curve(parts, torch.eye(64, dtype=torch.float64)[:2], torch.tensor([0, 1, 0, 1, 0, 1]))
        assert len(curve.mlps) == (2 if view == "pool" else 6)
        ablation_curves({"x": curve})


def test_registers_without_a_class_token_are_called_registers():
    tower = timm_families.around(Eva, **{**timm_families.EVA, "class_token": False, "num_reg_tokens": 2,
                                         "global_pool": "avg", "num_classes": 48})  # fmt: skip
    clip = build("eva01")
    clip.visual = tower.eval()
    found = tk.token_map(tk.wrap(clip), pictures(1), torch.ones(48) / 48**0.5)
    assert "registers" in found.rest_names
    assert "class token" not in found.rest_names
