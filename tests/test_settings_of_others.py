"""Settings that a caller has made for his own code change no number of ours: autocast, default types and devices …"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import toolkit as tk
from toolkit.store import texts as store_texts


@contextlib.contextmanager
def autocast() -> Iterator[None]:
    with torch.autocast("cpu", torch.bfloat16):
        yield


@contextlib.contextmanager
def default_type() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def default_device() -> Iterator[None]:
    with torch.device("meta"):
        yield


@contextlib.contextmanager
def strict() -> Iterator[None]:
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


SETTINGS = {
    "autocast": autocast,
    "default type": default_type,
    "default device": default_device,
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "gradients": torch.enable_grad,
    "errors of numpy": strict,
}


def numbers(value: Any) -> Any:
    """A result as plain arrays."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().double().numpy()
    if isinstance(value, tuple | list):
        return [numbers(one) for one in value]
    return value


def table(result: Any) -> Any:
    """The numbers of a result's table."""
    return result.to_dataframe().select_dtypes("number").to_numpy()


def same(found: Any, expected: Any) -> None:
    """Equal up to the rounding of float32: torch runs attention by another kernel while a device or a function mode is
    active, and an element that is small beside the others is rounded like them.
    """
    if isinstance(expected, list):
        for one, other in zip(found, expected, strict=True):
            same(one, other)
        return
    size = np.abs(np.nan_to_num(expected)).max(initial=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * max(1.0, float(size)))


class World:
    """A model of one's own and what the verbs take, made under a setting."""

    def __init__(self) -> None:
        self.model = tk.load()
        self.data = tk.scenes("edit", n=48, kind="birds")
        self.classes = tk.classes(["waterbird", "landbird"])
        self.acts = tk.extract(self.model, self.data, batch_size=16)
        self.picture = Image.fromarray(np.arange(96 * 96 * 3, dtype=np.uint8).reshape(96, 96, 3))


def of_maps(verb: Callable[..., Any]) -> Callable[[World], Any]:
    """The values of a map of two images."""
    return lambda w: verb(w.model, w.data[:2], "waterbird", w.classes).values


VERBS: dict[str, Callable[[World], Any]] = {
    "scenes": lambda w: w.data.pixels(range(4)),
    "encode_image": lambda w: w.model.encode_image(w.data[:4]),
    "encode_image of a picture": lambda w: w.model.encode_image(w.picture),
    "encode_image without a head": lambda w: w.model.encode_image(w.data[:4], ablate="L3.H1"),
    "encode_text": lambda w: w.model.encode_text(["a bird", "the sea"]),
    "class vectors": lambda w: w.classes.vectors(w.model),
    "class scores": lambda w: w.classes.scores(w.acts.embedding, w.model),
    "extract": lambda w: w.acts.embedding,
    "decompose": lambda w: tk.decompose(w.model, w.data[:4]).heads,
    "locate": lambda w: [tk.locate(w.acts, w.classes).map(kind) for kind in "ABCD"],
    "ablate": lambda w: [tk.ablate(w.acts, w.classes, "L3.H1", how=how).embedding for how in ("zero", "mean")],
    "total effect": lambda w: tk.ablate(w.acts, w.classes, "L3.H1", effect="total").embedding,
    "head_effects": lambda w: table(tk.head_effects(w.acts, w.classes)),
    "textspan": lambda w: tk.textspan(w.acts, "world", size=4).explained,
    "search": lambda w: table(tk.search(w.acts, "a bird at sea")),
    "heads_for": lambda w: table(tk.heads_for(["the sea", "a lake"], w.acts, "world", draws=20)),
    "head_pca": lambda w: tk.head_pca(w.acts, "world").share,
    "token_map": of_maps(tk.token_map),
    "legrad": of_maps(tk.legrad),
    "game": of_maps(tk.game),
    "rollout": of_maps(tk.rollout),
    "attention_map": of_maps(tk.attention_map),
    "grad_cam": of_maps(tk.grad_cam),
    "faithfulness": lambda w: table(
        tk.faithfulness(w.model, w.data[:2], tk.token_map(w.model, w.data[:2], "a bird"), steps=2, progress=False)
    ),
    "edit": lambda w: tk.edit(w.acts, w.classes, "L3.H1", true="waterbird", predicted="landbird").theta,
    "frontier": lambda w: table(
        tk.frontier(w.acts, w.classes, "L3.H1", [1, 10], [1, 10], true="waterbird", predicted="landbird")
    ),
    "ltc_correct": lambda w: tk.ltc_correct(w.acts, w.classes, "L3.H1").embedding,
    "fold_ablation": lambda w: tk.fold_ablation(w.model, "L3.H1").encode_image(w.data[:2]),
    "layer_curve": lambda w: (
        tk.layer_curve(
            tk.decompose(w.model, w.data[:8]), w.classes.vectors(w.model), w.classes.encode(w.data.labels[:8])
        ).attention
    ),
    "maps_matplotlib": lambda w: len(tk.maps_matplotlib(tk.token_map(w.model, w.data[:2], "a bird")).axes),
}


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    world = World()
    return {name: numbers(verb(world)) for name, verb in VERBS.items()}


WIDE = [pytest.param(name, marks=pytest.mark.wide) for name in SETTINGS if name not in ("autocast", "default type")]


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["autocast", "default type", *WIDE])
def test_what_a_caller_switched_on_changes_no_number(setting, plain, tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))  # what another setting left there would hide a fault
    store_texts._held.clear()
    wrong = []
    with SETTINGS[setting]():
        world = World()
        for name, verb in VERBS.items():
            try:
                found = numbers(verb(world))
                same(found, plain[name])
            except Exception as error:  # noqa: BLE001 – all of them are told
                wrong.append(f"{name}: {type(error).__name__}: {str(error).strip()[:160]!r}")
    assert not wrong, "\n".join(wrong)
