"""Everything of the core on CUDA equals the CPU; reported as not run where there is no device."""

from __future__ import annotations

import copy
from itertools import islice

import families
import pytest
import torch

import toolkit as tk
from toolkit.core.class_vectors import ClassVectors
from toolkit.core.head_parts import HeadParts, PartProducts
from toolkit.core.head_strategies import HeadStrengths
from toolkit.core.objective import Objective
from toolkit.core.solvers import adam, converge, gradient, loss
from toolkit.core.strategies import Diagonal, FullMatrix, LowRank

pytestmark = pytest.mark.cuda
HEADS = "L0.H1 L2.H3"


@pytest.fixture(params=["vit", "average-pool-of-normed", "vit-layerscale"])
def pair(request):
    """The same model and images on both devices, in float64."""
    clip = families.build(request.param, torch.float64)
    images = families.pictures(clip, 6, torch.float64)
    models = tk.wrap(clip), tk.wrap(copy.deepcopy(clip).to("cuda"))
    return models, images


def same(found, expected):
    assert found.device.type == "cuda"
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("convention", ["separate", "reference"])
def test_parts(pair, convention):
    (cpu, gpu), images = pair
    expected, found = (tk.decompose(m, images, convention) for m in (cpu, gpu))
    for name in ("heads", "mlps", "biases", "constant", "embedding", "total"):
        same(getattr(found, name), getattr(expected, name))
    direction = torch.randn(48, dtype=torch.float64)
    same(found.toward(direction), expected.toward(direction))
    weights = torch.rand(expected.mixes.shape[1:3])
    same(found.of(weights), expected.of(weights))
    assert found.to_xarray().heads.shape == expected.heads.shape


@pytest.mark.parametrize("how", ["zero", "mean"])
def test_ablation(pair, how):
    (cpu, gpu), images = pair
    expected, found = (tk.ablate_direct(tk.decompose(m, images), HEADS, 0.3, how) for m in (cpu, gpu))
    same(found, expected)
    same(gpu.encode_image(images, ablate=HEADS), cpu.encode_image(images, ablate=HEADS))


def test_layer_curve(pair):
    (cpu, gpu), images = pair
    classes, labels = torch.eye(48, dtype=torch.float64)[:3], torch.tensor([0, 1, 2, 0, -1, 1])
    expected, found = (tk.layer_curve(tk.decompose(m, images), classes, labels) for m in (cpu, gpu))
    assert found == expected


def test_pixels_and_estimates(pair):
    (cpu, gpu), _ = pair
    pixels = torch.randint(0, 255, (4, 3, 32, 32), dtype=torch.uint8)
    for given in (pixels, pixels.cuda()):
        same(gpu.encode_image(given), cpu.encode_image(pixels))
    assert tk.estimate(gpu, pixels).bytes == tk.estimate(cpu, pixels).bytes
    assert gpu.card.device == "cuda:0"


def test_half_precision_on_the_device():
    model = tk.load(device="cuda", precision="bf16")
    parts = tk.decompose(model, tk.scenes("test", n=4))
    assert parts.embedding.dtype == torch.float32
    assert parts.error < 0.1


@pytest.mark.parametrize("method", ["greedy", "somp"])
def test_textspan(method):
    from toolkit.core.moments import HeadMoments
    from toolkit.core.pursuit import pursue
    from toolkit.core.spans import span_basis

    rng = torch.Generator().manual_seed(0)
    q = torch.randn(300, 6, 12, generator=rng, dtype=torch.float64) + 0.5
    maps = torch.randn(6, 12, 40, generator=rng)
    texts = torch.nn.functional.normalize(torch.randn(500, 40, generator=rng) + 1, dim=1)
    centred = (q - q.mean(0)).permute(1, 2, 0)
    found = []
    for device in ("cpu", "cuda"):
        moments = HeadMoments(300, q.mean(0).to(device), (centred @ centred.mT).to(device))
        found.append(pursue(span_basis(moments, maps.to(device)), texts.to(device), 10, method))
    assert (found[0].index == found[1].index).all()
    torch.testing.assert_close(torch.tensor(found[0].std), torch.tensor(found[1].std), rtol=1e-9, atol=0)


@pytest.mark.parametrize("similarity", ["cosine", "inner"])
def test_scores_and_sums(pair, similarity):
    from toolkit.core.effects import direct_effects, error_sets
    from toolkit.core.headspace import head_space
    from toolkit.core.moments import moment_maps
    from toolkit.core.state import state_of
    from toolkit.core.sums import class_sums, group_hits

    models, images = pair
    truth, guess = torch.tensor([0, 0, 0, 0, 1, 1]), torch.tensor([1, 0, 1, 0, 1, 1])
    texts = torch.eye(48, dtype=torch.float64)[:2]
    found = []
    for model in models:
        on = model.device
        readout = model.readout()
        state, maps = state_of(model.trace(images), readout), moment_maps(readout, "separate")
        space = head_space([state], maps, (0, 2))
        sets = error_sets(truth.to(on), guess.to(on), 0, 1)
        sums = class_sums([state], maps, texts.to(on))
        gone = torch.zeros(*sums.shape, device=on)
        gone[0, 1] = 1
        hits = group_hits(sums.without(gone, "mean"), truth.to(on), truth.to(on), 2)
        found.append((direct_effects(space, sets, texts.to(on), similarity), sums.without(gone), hits))
    for expected, other in zip(*found, strict=True):
        same(other, expected)


@pytest.mark.parametrize("how", ["zero", "mean"])
def test_total_ablation_with_replacements(pair, how):
    (cpu, gpu), images = pair
    found = []
    for model in (cpu, gpu):
        layer = model.card.layers - 1
        scale = tk.HeadSet(((layer, 1),)).scale(model.card.layers, model.card.heads, 0.2)
        instead = {} if how == "zero" else {layer: model.mixes(images, [layer])[layer].mean(0, keepdim=True)}
        found.append(model.trace(images, scale, instead or None).output)
    same(found[1], found[0])


def texts_of(n, d):
    g = torch.Generator().manual_seed(3)
    return torch.nn.functional.normalize(torch.randn(n, d, generator=g, dtype=torch.float64), dim=-1)


STRATEGIES = [
    Diagonal(12), FullMatrix(12), LowRank(12, 3), HeadStrengths("strengths", HeadParts(((0, 0), (0, 1), (1, 0))), 12),
    ClassVectors(("a", "c"), texts_of(4, 12)[[0, 2]], (0, 2)),
]  # fmt: skip


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.name)
def test_edits(strategy):
    g = torch.Generator().manual_seed(0)
    e, off = (torch.randn(11, 12, generator=g, dtype=torch.float64) for _ in range(2))
    c, texts = torch.randn(11, 3, 12, generator=g, dtype=torch.float64), texts_of(4, 12)
    parts = PartProducts(c @ texts.T, torch.einsum("nkd,nd->nk", c, e), c @ c.mT)
    rows = torch.arange(11) % 4, torch.arange(3), torch.arange(3, 9)
    cpu = Objective(e, e + 0.5 * off, texts, *rows, 30.0, parts)
    gpu = cpu.to("cuda")
    for alpha, beta in (([10.0], [10.0]), ([0.0, 1e8] * 5, [1e3, 0.0] * 5)):
        weights = [torch.tensor(x, dtype=torch.float64) for x in (alpha, beta)]
        expected = next(islice(adam(cpu, strategy, *weights), 30, None))
        found = next(islice(adam(gpu, strategy, *(w.cuda() for w in weights)), 30, None))
        assert found.device.type == "cuda"
        torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=1e-7)
        for a, b in zip(loss(gpu, strategy, expected.cuda()), loss(cpu, strategy, expected), strict=True):
            same(a, b)
        same(
            gradient(gpu, strategy, expected.cuda(), *(w.cuda() for w in weights)),
            gradient(cpu, strategy, expected, *weights),
        )
    ended = converge(gpu, strategy, 2, 3)
    assert ended.totals[-1] == pytest.approx(converge(cpu, strategy, 2, 3).totals[-1], rel=1e-4)


VERBS = ("token_map", "grad_cam", "legrad", "game", "rollout", "attention_map")


@pytest.mark.parametrize("verb", VERBS)
def test_maps(pair, verb):
    (cpu, gpu), images = pair
    direction = torch.nn.functional.normalize(torch.randn(48, dtype=torch.float64), dim=0)
    expected, found = (getattr(tk, verb)(m, images, direction, heads=HEADS) for m in (cpu, gpu))
    for name in ("values", "rest", "total"):
        torch.testing.assert_close(
            *(torch.as_tensor(getattr(m, name)) for m in (found, expected)), rtol=1e-6, atol=1e-9
        )


def test_trust(pair):
    (cpu, gpu), images = pair
    direction = torch.nn.functional.normalize(torch.randn(48, dtype=torch.float64), dim=0)
    options = {"steps": 4, "fractions": (0.3, 0.6), "draws": 1}
    expected, found = (tk.faithfulness(m, images, tk.token_map(m, images, direction), **options) for m in (cpu, gpu))
    for measure in ("deletion", "insertion", "road"):
        for name, values in getattr(expected, measure).items():
            near = torch.as_tensor(getattr(found, measure)[name])
            torch.testing.assert_close(near, torch.as_tensor(values), rtol=1e-3, atol=1e-5)
