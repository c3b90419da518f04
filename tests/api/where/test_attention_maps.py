"""LeGrad, GAME, rollout and attention against plain loops; Grad-CAM against the library used by hand; its traps."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
import torch
from families import FAMILIES, build, pictures
from plain_attention import Plain, plain_game, plain_legrad, plain_rollout
from pytorch_grad_cam import GradCAM
from torch import nn

import toolkit as tk

VITS = [f for f in FAMILIES if f not in ("resnet", "vit-custom-attention")]
VERBS = ("grad_cam", "legrad", "game", "rollout", "attention_map")


def unit(seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    t = torch.randn(48, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (t / t.norm()).to(dtype)


def close(found, expected):
    np.testing.assert_allclose(found.values.reshape(len(expected), -1), expected[:, 1:], rtol=2e-4, atol=1e-7)


@pytest.mark.parametrize("family", VITS)
def test_the_formulas(family):
    clip = build(family, torch.float64)
    model, x, t = tk.wrap(clip), pictures(clip, 2, torch.float64), unit()
    close(tk.legrad(model, x, t), plain_legrad(clip, x, t))
    close(tk.game(model, x, t), plain_game(clip, x, t, 3))
    close(tk.game(model, x, t, layers=-1), plain_game(clip, x, t, 1))
    close(tk.rollout(model, x), plain_rollout(clip, x))
    with torch.no_grad():
        last = Plain(clip, x).attention[-1].mean(1)
    close(tk.attention_map(model, x), last[:, 0] if clip.visual.pool_type == "tok" else last[:, 1:].mean(1))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("verb", VERBS)
def test_every_family_in_every_precision(family, verb):
    clip = build(family)
    exact = getattr(tk, verb)(tk.wrap(clip), pictures(clip, 2), unit(0, torch.float32))
    assert exact.values.shape[1:] == tk.wrap(clip).card.grid
    assert np.abs(exact.values).max() > 0
    assert not exact.additive
    assert exact.rest.shape == (2, 0)
    half = build(family).bfloat16()
    found = getattr(tk, verb)(tk.wrap(half), pictures(half, 2).bfloat16(), unit(0, torch.float32))
    a, b = exact.values.ravel(), found.values.ravel()
    assert np.corrcoef(a, b)[0, 1] > (0.5 if verb == "grad_cam" else 0.9), np.corrcoef(a, b)


def test_heads_and_layers_narrow_the_mean():
    clip = build("vit", torch.float64)
    model, x, t = tk.wrap(clip), pictures(clip, 2, torch.float64), unit()
    for verb in (tk.legrad, tk.attention_map):
        each = [verb(model, x, t, heads=[(2, h)]).values for h in range(4)]
        np.testing.assert_allclose(np.mean(each, 0), verb(model, x, t, layers=[2]).values, atol=1e-12)
    signed = tk.legrad(model, x, t, signed=True)
    assert (signed.values < 0).any()
    flipped = tk.legrad(model, x, -t, signed=True)
    np.testing.assert_allclose(flipped.values, -signed.values, atol=1e-12)


class Wrapped(nn.Module):
    """How one uses the library by hand on an open_clip model that may be changed."""

    def __init__(self, clip):
        super().__init__()
        self.clip = clip

    def forward(self, x):
        return self.clip.encode_image(x)


def stretched(maps, size):
    """What the library makes of raw maps: clipped, stretched to [0, 1], enlarged, and stretched again."""
    out = []
    for table in np.maximum(maps, 0):
        low = torch.from_numpy(table - table.min())
        small = (low / (1e-7 + low.max()))[None, None]
        out.append(torch.nn.functional.interpolate(small, size[::-1], mode="bilinear")[0, 0].numpy())
    out = np.stack(out) - np.min(out, (1, 2), keepdims=True)
    return out / (1e-7 + out.max((1, 2), keepdims=True))


@pytest.mark.parametrize("family", ["vit", "vit-layerscale", "clipa", "vit-wide-image", "resnet"])
@pytest.mark.parametrize("layer", [-1, 0])
def test_grad_cam_is_the_librarys(family, layer):
    clip = build(family)
    x, t = pictures(clip, 3), unit(3, torch.float32)
    model = tk.wrap(clip)
    rows, columns = model.card.grid
    if family == "resnet":
        place, reshape = clip.visual.layer4[-1], None
    else:
        place = clip.visual.transformer.resblocks[layer].ln_1

        def reshape(z):
            return z[:, 1:].reshape(len(z), rows, columns, -1).permute(0, 3, 1, 2)

    found = tk.grad_cam(model, x, t, layers=None if family == "resnet" else [layer % 3]).values
    cam = GradCAM(Wrapped(clip), [place], reshape_transform=reshape)
    target = [lambda e: torch.nn.functional.normalize(e, dim=-1) @ t] * 3
    theirs = cam(input_tensor=x, targets=target)
    np.testing.assert_allclose(stretched(found, x.shape[:1:-1]), theirs, atol=2e-3)


def test_grad_cam_is_linear_in_its_target():
    clip = build("vit", torch.float64)
    model, x = tk.wrap(clip), pictures(clip, 2, torch.float64)
    a, b = unit(1), unit(2)
    both = tk.grad_cam(model, x, a, b).values
    np.testing.assert_allclose(both, tk.grad_cam(model, x, a).values - tk.grad_cam(model, x, b).values, atol=1e-6)
    one, two = (tk.grad_cam(model, x, a, heads=h, layers=[1]).values for h in ("L1.H0 L2.H3", "L1.H2"))
    np.testing.assert_allclose(
        tk.grad_cam(model, x, a, heads="L1.H0 L1.H2 L2.H3", layers=[1]).values, one + two, atol=1e-6
    )


def test_grad_cam_of_heads_explains_their_contribution():
    model, data = tk.load(), tk.scenes("test", n=3)
    found = tk.grad_cam(model, data, "a bird", heads="L2.H6 L3.H7")
    assert found.settings["where"] == "ln_1 of layer 2"
    along = tk.decompose(model, data).toward(model.encode_text("a bird")[0])
    np.testing.assert_allclose(found.total, along[:, 2, 6] + along[:, 3, 7], atol=1e-6)
    with pytest.raises(tk.InputError, match="do not depend on it"):
        tk.grad_cam(model, data, "a bird", heads="L2.H6 L3.H7", layers=-1)


def test_traps_of_the_library_are_closed(monkeypatch):
    model, data = tk.load(), tk.scenes("test", n=3)
    expected = tk.grad_cam(model, data, "a bird").values
    assert (expected < 0).any()
    assert (expected > 0).any()
    for p in model.clip.parameters():
        p.requires_grad_(False)
    try:
        with torch.no_grad():
            np.testing.assert_allclose(tk.grad_cam(model, data, "a bird").values, expected, atol=1e-9)
        with torch.inference_mode():
            np.testing.assert_allclose(tk.grad_cam(model, data, "a bird").values, expected, atol=1e-9)
    finally:
        for p in model.clip.parameters():
            p.requires_grad_(True)
    assert all(p.grad is None for p in model.clip.parameters())
    fresh = tk.grad_cam(model, data[1], "a bird")
    np.testing.assert_allclose(fresh.values, expected[1], atol=1e-8)  # one target an image, whatever the batch
    monkeypatch.setattr(
        "toolkit.api.where.cam.watched", lambda model, layer: (model.clip.visual.transformer.resblocks[-1], "the end")
    )
    with pytest.raises(tk.InputError, match="zero or not finite everywhere"):
        tk.grad_cam(model, data, "a bird")


def test_half_precision_gradients_do_not_vanish():
    model = tk.wrap(build("vit").half())
    x = pictures(model.clip, 2).half()
    exact = tk.grad_cam(tk.wrap(build("vit")), pictures(build("vit"), 2), unit(0, torch.float32)).values
    found = tk.grad_cam(model, x, unit(0, torch.float32)).values
    assert np.corrcoef(exact.ravel(), found.ravel())[0, 1] > 0.99
    np.testing.assert_allclose(np.abs(found).max(), np.abs(exact).max(), rtol=0.1)


@pytest.mark.parametrize("verb", ["grad_cam", "legrad", "game"])
def test_a_hundred_calls_leave_no_tensor_behind(verb):
    clip = build("vit")
    model, x, t = tk.wrap(clip), pictures(clip, 1), unit(0, torch.float32)

    def alive() -> int:
        gc.collect()
        return sum(isinstance(o, torch.Tensor) for o in gc.get_objects())

    for _ in range(3):
        getattr(tk, verb)(model, x, t)
    before = alive()
    for _ in range(100):
        getattr(tk, verb)(model, x, t)
    assert alive() <= before + 2


def test_another_threads_forward_is_not_disturbed():
    model, data = tk.load(), tk.scenes("test", n=2)
    expected = model.encode_image(data)
    found: list[torch.Tensor] = []
    stop = threading.Event()

    def others() -> None:
        while not stop.is_set():
            found.append(model.encode_image(data))

    thread = threading.Thread(target=others)
    thread.start()
    maps = [tk.grad_cam(model, data, "a bird").values for _ in range(8)]
    stop.set()
    thread.join()
    assert len(found) > 2
    assert all(torch.equal(e, expected) and not e.requires_grad for e in found)
    assert all(np.allclose(m, maps[0], atol=1e-8) for m in maps)


@pytest.mark.parametrize("verb", VERBS)
def test_bad_input(verb):
    model, data = tk.load(), tk.scenes("test", n=2)
    ask = getattr(tk, verb)
    with pytest.raises(tk.InputError, match="empty text"):
        ask(model, data, " ")
    with pytest.raises(tk.InputError, match="no heads"):
        ask(model, data, "a bird", heads="")
    with pytest.raises(tk.InputError, match="unknown head"):
        ask(model, data, "a bird", heads="L7.H0")
    with pytest.raises(tk.InputError, match="wrap it first"):
        ask(model.clip, data, "a bird")
    with pytest.raises(tk.InputError, match="42 tokens"):
        ask(model, data, "bird " * 40)


def test_unknown_names_are_answered_with_known_ones():
    model, data = tk.load(), tk.scenes("test", n=1)
    with pytest.raises(tk.InputError, match="did you mean 'Grad-CAM'"):
        tk.explain(model, data, "a bird", method="gradcam")
    with pytest.raises(tk.InputError, match=r"'ScoreCAM'.*'LayerCAM'"):
        tk.grad_cam(model, data, "a bird", cam="ScoreCAM")
    with pytest.raises(tk.InputError, match="layers=\\[9\\]"):
        tk.grad_cam(model, data, "a bird", layers=[9])
    with pytest.raises(tk.InputError, match="which are 2"):
        tk.grad_cam(model, data, "a bird", layers=-2)
    with pytest.raises(tk.InputError, match="heads and layers"):
        tk.attention_map(model, data, heads="L1.H1", layers=-1)
    with pytest.raises(tk.InputError, match=r"unknown option 'layer' of Grad-CAM.*'layers'"):
        tk.explain(model, data, "a bird", method="Grad-CAM", layer=1)
    found = tk.explain(model, data, "a bird", method="Grad-CAM", cam="HiResCAM", layers=[2])
    assert found.method == "HiResCAM (ln_1 of layer 2)"


@pytest.mark.parametrize("cam", ["GradCAM", "HiResCAM", "XGradCAM", "GradCAMPlusPlus", "LayerCAM"])
def test_every_cam_in_half_precision_and_with_its_sign(cam):
    a, b, x = unit(1, torch.float32), unit(2, torch.float32), pictures(build("vit"), 2)
    exact = tk.grad_cam(tk.wrap(build("vit")), x, a, b, cam=cam)
    half = tk.grad_cam(tk.wrap(build("vit").half()), x.half(), a, b, cam=cam).values
    assert np.corrcoef(exact.values.ravel(), half.ravel())[0, 1] > 0.98
    turned = tk.grad_cam(tk.wrap(build("vit")), x, b, a, cam=cam).values
    signed = np.corrcoef(exact.values.ravel(), -turned.ravel())[0, 1] > 0.999
    assert signed == ("sign kept" in exact.scale)


@pytest.mark.parametrize("verb", VERBS)
def test_whatever_mode_the_caller_is_in(verb):
    clip = build("vit")
    model, x, t = tk.wrap(clip), pictures(clip, 2), unit(0, torch.float32)
    expected = getattr(tk, verb)(model, x, t).values
    for mode in (torch.no_grad, torch.inference_mode, torch.enable_grad):
        with mode():
            np.testing.assert_allclose(getattr(tk, verb)(model, x.clone(), t.clone()).values, expected, atol=1e-7)
        assert torch.is_grad_enabled()
    tracked, vector = x.clone().requires_grad_(), t.clone().requires_grad_()
    np.testing.assert_allclose(getattr(tk, verb)(model, tracked, vector).values, expected, atol=1e-7)
    assert tracked.grad is None
    assert vector.grad is None


def test_texts_in_every_mode():
    model, data = tk.load(), tk.scenes("test", n=1)
    with torch.inference_mode():
        first = tk.legrad(model, data, "a red cat").values
    np.testing.assert_allclose(tk.legrad(model, data, "a red cat").values, first, atol=1e-8)
