"""Token maps: the literal sum, every family, every way to ask; and what stands beside a map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from families import FAMILIES, build, pictures
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from plain_attention import plain_tokens

import toolkit as tk

VITS = [f for f in FAMILIES if f not in ("resnet", "vit-custom-attention")]


def unit(seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    t = torch.randn(48, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (t / t.norm()).to(dtype)


@pytest.fixture(scope="module")
def model():
    return tk.load()


@pytest.fixture(scope="module")
def data():
    return tk.scenes("test", n=6, seed=3)


@pytest.mark.parametrize("family", VITS)
def test_every_patch_and_head_equals_the_plain_loops(family):
    clip = build(family, torch.float64)
    x, t = pictures(clip, 2, torch.float64), unit()
    found = tk.token_map(tk.wrap(clip), x, t)
    plain = plain_tokens(clip, x, t).numpy()
    np.testing.assert_allclose(found.by_head.reshape(plain[..., 1:].shape), plain[..., 1:], atol=1e-7)  # float32
    np.testing.assert_allclose(found.values.reshape(2, -1), plain[..., 1:].sum((1, 2)), atol=1e-12)
    np.testing.assert_allclose(found.part("class token"), plain[..., 0].sum((1, 2)), atol=1e-12)


@pytest.mark.parametrize("convention", ["separate", "reference"])
@pytest.mark.parametrize("family", FAMILIES)
def test_patches_and_rest_sum_to_the_cosine_and_to_the_heads(family, convention):
    for dtype, near in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        clip = build(family, dtype)
        model, x, t = tk.wrap(clip), pictures(clip, 3, dtype), unit(1, dtype)
        found = tk.token_map(model, x, t, convention=convention)
        cosine = torch.nn.functional.normalize(model.encode_image(x), dim=-1) @ t
        np.testing.assert_allclose(found.values.sum((1, 2)) + found.rest.sum(1), cosine, atol=near)
        np.testing.assert_allclose(found.total, cosine, atol=near)
        assert found.error < near
        traced = tk.trace_tokens(model, x, convention=convention)
        state = traced._states[0]
        by_head = state.toward(t).by_head.sum(-1)  # class token too
        torch.testing.assert_close(by_head, tk.decompose(model, x, convention).toward(t), atol=near, rtol=1e-4)


@pytest.mark.parametrize("family", ["vit", "clipa", "average-pool-of-normed", "vit-custom-attention", "resnet"])
def test_a_head_set_is_what_its_heads_give_and_the_others_are_in_the_rest(family):
    clip = build(family, torch.float64)
    model, x, t = tk.wrap(clip), pictures(clip, 2, torch.float64), unit(2)
    layer = model.card.layers - 1
    whole, one = tk.token_map(model, x, t), tk.token_map(model, x, t, heads=[(layer, 1)])
    others = [(a, b) for a in range(model.card.layers) for b in range(model.card.heads) if (a, b) != (layer, 1)]
    rest = tk.token_map(model, x, t, heads=others)
    np.testing.assert_allclose(one.values + rest.values, whole.values, atol=1e-12)
    np.testing.assert_allclose(one.values, whole.by_head[:, layer, 1], atol=1e-6)
    np.testing.assert_allclose(one.values.sum((1, 2)) + one.rest.sum(1), whole.total, atol=1e-12)
    np.testing.assert_allclose(tk.token_map(model, x, t, layers=[layer]).by_head, whole.by_head)


def test_contrasts_are_differences(model, data):
    a, b = tk.token_map(model, data, "a bird"), tk.token_map(model, data, "water")
    both = tk.token_map(model, data, "a bird", "water")
    np.testing.assert_allclose(both.values, a.values - b.values, atol=1e-7)
    np.testing.assert_allclose(both.total, a.total - b.total, atol=1e-6)
    mean = tk.token_map(model, data, "a bird", ["water", "land"])
    c = tk.token_map(model, data, "land")
    np.testing.assert_allclose(mean.values, a.values - (b.values + c.values) / 2, atol=1e-7)
    birds = tk.classes(["waterbird", "landbird", "cat"])
    v = birds.vectors(model)
    of = tk.token_map(model, data, "landbird", birds)
    np.testing.assert_allclose(of.values, tk.token_map(model, data, v[1] - (v[0] + v[2]) / 2).values, atol=1e-7)
    assert of.target == "“landbird” − mean of the other 2 classes"
    np.testing.assert_allclose((a - b).values, both.values, atol=1e-7)


def test_a_batch_in_pieces_is_the_same(model, data):
    whole = tk.token_map(model, data, "a bird", batch_size=6)
    parts = tk.token_map(model, data, "a bird", batch_size=4)
    np.testing.assert_allclose(whole.values, parts.values, atol=1e-7)
    one = tk.token_map(model, data[2], "a bird")
    assert one.single
    np.testing.assert_allclose(one.values, whole.values[2], atol=1e-7)
    np.testing.assert_array_equal(whole[2].values, whole.values[2])
    assert whole[2].ids == (data.ids[2],)


def test_total_ablation_is_the_folded_models_map(model, data):
    heads = "L1.H3 L2.H6"
    found = tk.token_map(model, data, "a bird", "water", ablate=heads)
    folded = tk.token_map(tk.fold_ablation(model, heads), data, "a bird", "water")
    np.testing.assert_allclose(found.values, folded.values, atol=1e-6)
    np.testing.assert_allclose(found.total, folded.total, atol=1e-6)
    base = tk.token_map(model, data, "a bird", "water")
    change = found - base
    assert change.settings["difference"] == ["without L1.H3 L2.H6", "base"]
    np.testing.assert_allclose(change.values.sum((1, 2)) + change.rest.sum(1), found.total - base.total, atol=1e-6)
    half = tk.token_map(model, data, "a bird", "water", ablate=heads, strength=1.0)
    np.testing.assert_allclose(half.values, base.values, atol=1e-6)


@pytest.mark.parametrize("strategy", ["diagonal", "full", "rank 2"])
def test_an_edited_models_map_needs_no_forward_and_equals_the_folded_models(model, data, strategy):
    few = tk.extract(model, tk.scenes("edit", n=80, kind="birds"), progress=False).draw(6)
    with pytest.MonkeyPatch.context() as patch:
        edit = tk.edit(few, tk.classes(["waterbird", "landbird"]), "L3.H7", steps=20, strategy=strategy)
        folded = tk.token_map(edit.fold(model), data, "a landbird", "a waterbird", heads="L3.H5 L3.H7")
        traced = tk.trace_tokens(model, data)
        patch.setattr(model.clip, "encode_image", lambda *_: pytest.fail("a forward"))
        found = traced.map("a landbird", "a waterbird", heads="L3.H5 L3.H7", edit=edit)
    np.testing.assert_allclose(found.values, folded.values, atol=1e-6)
    np.testing.assert_allclose(found.rest.sum(1), folded.rest.sum(1), atol=1e-5)
    np.testing.assert_allclose(found.total, folded.total, atol=1e-5)
    assert found.settings["state"] == "edited"


def test_best_and_least_text_of_a_head(model):
    acts = tk.extract(model, tk.scenes("val", n=120), progress=False)
    spans = tk.textspan(acts, tk.bank("world"), size=8)
    data = tk.scenes("test", n=3)
    with pytest.raises(tk.InputError, match="heads of another model"):
        tk.trace_tokens(tk.fold_ablation(model, "L0.H0"), data).extremes(spans, "L3.H7")
    traced = tk.trace_tokens(model, data)
    texts = spans.texts[spans.layers.index(3)][7]
    along = tk.decompose(model, data).toward(model.encode_text(texts))[:, 3, 7]
    for i in range(3):
        best, least = traced.extremes(spans, "L3.H7", i)
        assert (best.target, least.target) == tuple(
            f"“{texts[int(f(along[i]))]}”" for f in (torch.argmax, torch.argmin)
        )
        assert best.ids == least.ids == (data.ids[i],)
    with pytest.raises(tk.InputError, match="one head of layers"):
        traced.extremes(spans, "L3.H7 L3.H6")


def test_a_map_lies_where_the_image_was(model, tmp_path):
    """A marked corner of a wide picture, through resize and crop, comes back in its own pixels."""
    wide = Image.new("RGB", (300, 100), (120, 120, 120))
    found = tk.token_map(model, wide, "a bird")
    back = found.on_picture()
    assert back.shape == (100, 300)
    seen = np.flatnonzero(~np.isnan(back).all(0))
    assert abs(seen[0] - 100) <= 1
    assert abs(seen[-1] - 199) <= 1
    raw = found.on_picture(smooth=False)
    assert len(np.unique(raw[~np.isnan(raw)].round(9))) <= 64
    wide.save(tmp_path / "wide.png")
    from_path = tk.token_map(model, tmp_path / "wide.png", "a bird")
    np.testing.assert_allclose(from_path.values, found.values, atol=1e-7)
    frame = found.to_dataframe()
    assert len(frame) == 64
    assert frame["left"].min() == pytest.approx(100, abs=1)


@settings(max_examples=15)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 5))
def test_any_size_and_aspect(width, height, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    found = tk.token_map(tk.load(), Image.fromarray(pixels), "a bird")
    back = found.on_picture()
    assert back.shape == (height, width)
    left, top, right, bottom = found.frames[0].box
    side = min(width, height)  # resized by the shorter side, then the middle
    assert right - left == pytest.approx(side, abs=max(0.6, 0.04 * side))
    assert bottom - top == pytest.approx(side, abs=max(0.6, 0.04 * side))
    assert (left + right) / 2 == pytest.approx(width / 2, abs=1)
    assert (top + bottom) / 2 == pytest.approx(height / 2, abs=1)
    assert np.nanmin(back) >= found.values.min() - 1e-12
    assert np.nanmax(back) <= found.values.max() + 1e-12


def test_the_users_model_is_untouched(model, data):
    clip = model.clip
    before = {n: (p.requires_grad, p.grad, p._version) for n, p in clip.named_parameters()}
    hooks = {n: len(m._forward_hooks) for n, m in clip.named_modules()}
    training = [m.training for m in clip.modules()]
    for method in ("token map", "Grad-CAM", "LeGrad", "GAME", "attention", "rollout"):
        tk.explain(model, data, "a bird", method=method)
    assert before == {n: (p.requires_grad, p.grad, p._version) for n, p in clip.named_parameters()}
    assert hooks == {n: len(m._forward_hooks) for n, m in clip.named_modules()}
    assert training == [m.training for m in clip.modules()]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"text": ""}, "empty text"),
        ({"text": "  "}, "empty text"),
        ({"text": "bird " * 40}, "a text of 42 tokens .*at most 24"),
        ({"text": 3}, "text=int"),
        ({"text": torch.zeros(7)}, "vectors of 7"),
        ({"text": torch.zeros(96)}, "a vector of norm 0"),
        ({"text": torch.ones(96)}, "a vector of norm 9.8"),
        ({"text": "a bird", "heads": ""}, "no heads"),
        ({"text": "a bird", "heads": []}, "no heads"),
        ({"text": "a bird", "ablate": ""}, "no heads"),
        ({"text": torch.full((96,), float("nan"))}, "NaN"),
        ({"text": "a bird", "against": "a bird"}, "reads as the same"),
        ({"text": "a bird", "against": []}, "against=\\[\\]"),
        ({"text": "a dog", "against": tk.classes(["cat", "snake"])}, "dog"),
        ({"text": "a bird", "heads": "L9.H1"}, "unknown head L9.H1"),
        ({"text": "a bird", "heads": "L3.H1", "layers": -1}, "heads and layers"),
        ({"text": "a bird", "ablate": "L3.H1", "strength": -1}, "strength"),
        ({"text": "a bird", "convention": "mine"}, "convention='mine'"),
        ({"text": "a bird", "batch_size": 0}, "batch_size=0"),
        ({"text": "a bird", "edit": "mine"}, "edit='mine'"),
        ({"text": "a bird", "strength": 0.5}, "without heads"),
    ],
)
def test_bad_input_says_what_to_do(model, data, arguments, said):
    with pytest.raises(tk.ToolkitError, match=said):
        tk.token_map(model, data, **arguments)


def test_bad_images(model, tmp_path):
    (tmp_path / "no.png").write_bytes(b"not a picture")
    for given_, said in ((tmp_path / "no.png", "no readable image"), (str(tmp_path / "gone.png"), "does not exist"),
                         (7, "token_map: got a int"), ([], "empty batch")):  # fmt: skip
        with pytest.raises(tk.InputError, match=said):
            tk.token_map(model, given_, "a bird")
    with pytest.raises(tk.InputError, match="wrap it first"):
        tk.token_map(model.clip, tk.scenes("test", n=1), "a bird")


def test_a_model_of_one_patch_is_refused():
    import open_clip
    from families import TEXT, VIT

    clip = open_clip.CLIP(48, {**VIT, "patch_size": 32}, TEXT).eval()
    for verb in (tk.token_map, tk.grad_cam, tk.legrad):
        with pytest.raises(tk.UnsupportedModelError, match="grid is 1×1"):
            verb(tk.wrap(clip), pictures(clip, 1), torch.ones(48))


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory"),
                                   torch.OutOfMemoryError("CUDA out of memory"),
                                   RuntimeError("MPS backend out of memory")])  # fmt: skip
def test_exhausted_memory_is_said_and_leaves_nothing(model, data, monkeypatch, error):
    monkeypatch.setattr(type(model), "tokens", lambda *_: (_ for _ in ()).throw(error))
    with pytest.raises(tk.MemoryExhaustedError, match="pass batch_size=2"):
        tk.token_map(model, data, "a bird", batch_size=4)
    monkeypatch.undo()
    assert tk.token_map(model, data, "a bird").values.shape == (6, 8, 8)


def test_long_texts_are_found_in_real_tokenizers():
    import open_clip

    vision = {"image_size": 32, "patch_size": 16, "layers": 1, "width": 32, "head_width": 16}
    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1}
    clip = open_clip.CLIP(16, vision, text).eval()
    model = tk.wrap(clip)
    with pytest.raises(tk.InputError, match=r"a text of 102 tokens .*at most 77"):
        tk.token_map(model, torch.randn(1, 3, 32, 32), "bird " * 100)
    assert tk.token_map(model, torch.randn(1, 3, 32, 32), "bird " * 75).values.shape == (1, 2, 2)


def test_weights_written_behind_ones_back_are_seen():
    """As tk.decompose does: look again, and refuse a sum that rounding cannot explain."""
    clip = build("vit")
    model, x, t = tk.wrap(clip), pictures(clip, 2), unit(0, torch.float32)
    tk.token_map(model, x, t)
    clip.visual.transformer.resblocks[2].attn.out_proj.weight.data.mul_(0.2)
    assert tk.token_map(model, x, t).error < 1e-5
    handle = clip.visual.transformer.resblocks[2].attn.register_forward_hook(lambda m, a, out: (out[0] * 1.3, out[1]))
    with pytest.raises(tk.UnsupportedModelError, match="token_map: got a model whose parts miss"):
        tk.token_map(model, x, t)
    handle.remove()


def test_a_text_is_encoded_once(model, data, monkeypatch):
    traced = tk.trace_tokens(model, data)
    traced.map("a text nobody asked", "water")
    monkeypatch.setattr(model.clip, "encode_text", lambda *_: pytest.fail("encoded again"))
    traced.map("a text nobody asked", "water", heads="L3.H7")
    monkeypatch.undo()
    changed = tk.fold_ablation(model, "L0.H0")
    assert tk.token_map(changed, data, "a text nobody asked", "water").values.shape == (6, 8, 8)


def test_paths_slices_and_lazy_frames(model, data, tmp_path):
    for i in range(2):
        data[i].image.save(tmp_path / f"{i}.png")
    paths = [tmp_path / "0.png", str(tmp_path / "1.png")]
    found = tk.token_map(model, paths, "a bird")
    whole = tk.token_map(model, data, "a bird")
    np.testing.assert_allclose(found.values, whole.values[:2], atol=1e-7)
    some = whole[1:4]
    assert some.ids == tuple(data.ids[1:4])
    np.testing.assert_array_equal(some.values, whole.values[1:4])
    assert some.picture(0).tobytes() == data[1].image.tobytes()
    assert some[2].picture().tobytes() == data[3].image.tobytes()
    assert len(some.frames) == 3
    assert some[-1].frames[0].size == (64, 64)
    turned = Image.new("RGB", (80, 40))
    turned.putpixel((0, 0), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    assert tk.token_map(model, tmp_path / "turned.jpg", "a bird").frames[0].size == (40, 80)


def test_differences_keep_what_they_are_of(model, data):
    a, b = (tk.token_map(model, data, text) for text in ("a bird", "water"))
    np.testing.assert_allclose((a - b).direction, a.direction - b.direction)
    np.testing.assert_allclose((a - a).direction, a.direction)
    with pytest.raises(tk.InputError, match="heads differ"):
        tk.token_map(model, data, "a bird", heads="L3.H7") - tk.token_map(model, data, "a bird", heads="L3.H6")
    with pytest.raises(tk.InputError, match="scale differ"):
        tk.grad_cam(model, data, "a bird") - tk.grad_cam(model, data, "a bird", cam="LayerCAM")
    with pytest.raises(tk.InputError, match="method differ"):
        tk.grad_cam(model, data, "a bird") - tk.grad_cam(model, data, "a bird", layers=[2])


def test_what_a_map_says_of_itself(model, data):
    found = tk.token_map(model, data[0], "a bird", heads="L3.H7")
    assert repr(found).startswith("TokenAttribution(token map of “a bird”, one image, 8×8 patches, 1 heads")
    assert "together" in repr(found)
    assert found.at(2, 3).shape == (4, 8)
    with pytest.raises(tk.InputError, match="rows 0…7"):
        found.at(8, 0)
    with pytest.raises(tk.InputError, match="knows no heads"):
        tk.legrad(model, data[0], "a bird").at(0, 0)
    with pytest.raises(tk.InputError, match="scale differ"):
        found - tk.legrad(model, data[0], "a bird")
    with pytest.raises(tk.InputError, match="name one"):
        found.part("nothing")
    clipped = found.clipped()
    assert clipped.min() >= 0
    assert clipped.max() in (0.0, 1.0)
    figure = tk.maps_matplotlib([found, tk.legrad(model, data[0], "a bird")])
    assert "own units" in figure.axes[-1].get_ylabel()
    assert len(tk.maps_plotly({"a": found, "b": found}).data) == 2
    many = tk.token_map(model, tk.scenes("test", n=30), "a bird")
    assert len(tk.maps_plotly(many).data) == 30
    assert len(tk.maps_matplotlib(many, columns=6).axes) == 31
    with pytest.raises(tk.InputError, match="columns=0"):
        tk.maps_matplotlib(found, columns=0)
