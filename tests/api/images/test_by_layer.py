"""Verbs read the layers they are about, and no others: counted in bytes of files."""

from __future__ import annotations

import pytest
import torch
from zarr.storage import LocalStore

import toolkit as tk
from toolkit.api.switch_off.class_sums import ReadNumbers
from toolkit.labs.ablation import AblationSession
from toolkit.labs.words import WordsSession

BIRDS = ("landbird", "waterbird")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("by layer") / "s.zarr"
    tk.extract(tk.load(), tk.scenes("test", n=300, kind="birds"), place, progress=False)
    return place


@pytest.fixture
def read(monkeypatch):
    """Bytes that were read since it was last asked, by array."""
    seen, get = [], LocalStore.get

    async def counted(self, key, *rest, **more):
        found = await get(self, key, *rest, **more)
        if found is not None and not key.endswith("zarr.json"):
            seen.append((key.split("/")[0], len(found)))
        return found

    monkeypatch.setattr(LocalStore, "get", counted)

    def since():
        found = list(seen)
        seen.clear()
        return found

    return since


def size(found, *names):
    return sum(n for name, n in found if name in (names or {name for name, _ in found}))


def opened(place):
    acts = tk.open_acts(place)
    return acts.attach(tk.load()), tk.classes(list(BIRDS))


def test_what_a_click_reads_is_one_layer(place, read):
    acts, birds = opened(place)
    acts.parts()
    every = size(read(), "mixes", "mlps", "output", "sigma", "mu", "means")
    layers = acts.shape[1]

    words = WordsSession(acts, "world")
    words.images(3, 7, None)
    read()
    words.images(2, 1, None)
    assert 0 < size(read()) <= 1.1 / layers * every

    lab = AblationSession(acts, birds)
    lab.sums  # noqa: B018 – the logits of all images, once
    read()
    lab.outcome([{"head": [3, 7], "strength": 0.0}], "zero", "direct")
    assert 0 < size(read()) <= 1.1 / layers * every
    lab.outcome([{"head": [3, 2], "strength": 0.0}], "mean", "direct")
    assert size(read()) == 0, "the layer is there"


@pytest.mark.parametrize(
    ("ask", "layers"),
    [
        (lambda acts, birds: tk.locate(acts, birds, layers=[1]), 1),
        (lambda acts, birds: tk.ablate(acts, birds, "L3.H7"), 1),
        (lambda acts, birds: tk.ablate(acts, birds, "L3.H7 L1.H0", how="mean"), 4),
        (lambda acts, birds: tk.head_effects(acts, birds, ["L2.H0", "L2.H1"]), 1),
        (lambda acts, birds: tk.edit(acts, birds, heads="L3.H7", steps=2), 1),
    ],
)
def test_a_verb_reads_its_layers(place, read, ask, layers):
    acts, birds = opened(place)
    whole = size_of_mixes(acts)
    read()
    ask(acts, birds)
    found = read()
    assert size(found, "mlps") == 0, "no MLP term is looked at"
    assert size(found, "mixes") <= 1.01 * layers / acts.shape[1] * whole


def size_of_mixes(acts):
    return 4 * acts.mixes.numel()


def test_sums_of_heads_are_those_of_the_parts(place):
    acts, _ = opened(place)
    for convention in ("separate", "reference"):
        some = acts.using(convention)
        weights = torch.zeros(some.shape[1:3])
        weights[1, 2], weights[3, 5] = 1, -0.5
        found = torch.cat(list(some.sums(weights)))
        torch.testing.assert_close(found, some.parts().of(weights), rtol=1e-4, atol=1e-6)
    assert float(torch.cat(list(acts.sums(torch.zeros(acts.shape[1:3])))).abs().max()) == 0


def test_layers_are_kept_while_they_fit(place, monkeypatch):
    import toolkit.api.switch_off.class_sums as module
    from toolkit.api.images.judged import judged

    acts, birds = opened(place)
    monkeypatch.setattr(module, "KEPT", 2.5 * 8 * 16 * 4 * len(acts))
    numbers = ReadNumbers(judged(acts, birds, "test"))
    for layer in (0, 1, 0, 2, 0, 3):
        numbers.some(layer, torch.tensor([1]))
    assert list(numbers._kept) == [0, 3], "the one used last stays"
