"""Every number that compare.md gives for the cures, worked out there by scripts of its own."""

from __future__ import annotations

import fan
import numpy as np
import pytest
import torch

from toolkit.core.methods.cache import cache_distance, tip_scores
from toolkit.core.methods.dimensions import clipped, explained_share, mutual_information, ranked_dimensions
from toolkit.core.methods.perception import class_log_probabilities, contexts_alone, contexts_by_class
from toolkit.core.methods.probes import ProbeProblem, anchors, balanced_weights, group_dro, group_weights
from toolkit.core.methods.projections import (
    calibrated,
    roboshot,
    roboshot_basis,
    roboshot_matrix,
    roboshot_products,
    roboshot_scores,
    spurious_basis,
)
from toolkit.core.methods.prompts import best_of, ensemble, towards

TEXTS = torch.from_numpy(fan.TEXTS)
LW2 = torch.from_numpy(fan.embeddings("LW2"))
SHOTS = torch.from_numpy(fan.embeddings(*fan.SHOTS))
LABELS = torch.tensor([0, 0, 1, 1])
NOTHING = torch.zeros(0, 4, dtype=torch.float64)


def tensor(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def near(found, expected, digits=6):
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=0, atol=0.6 * 10**-digits)


def problem(*names, labels=None):
    labels = torch.tensor([fan.NAMES.index(fan.LABEL[name]) for name in names])
    return ProbeProblem(torch.from_numpy(fan.embeddings(*names)), labels, TEXTS, fan.SCALE)


# ── Tip-Adapter ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_tip_adapter_on_a_circle():
    def u(angle):
        return [np.cos(angle), np.sin(angle)]

    z, w, keys = tensor(u(0.6)), tensor(u(0), u(1)), tensor(u(0.1), u(0.2), u(0.9), u(1.1))
    values = torch.eye(2, dtype=torch.float64)[[0, 0, 1, 1]]
    far = cache_distance(z, keys)
    near(tip_scores(z @ w.T, far, values, 0, 5.5)[0], (82.533561, 92.106099))
    near(tip_scores(z @ w.T, far, values, 1, 5.5)[0], (83.691392, 93.398321))


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [
        (1, (72.567874, 86.246078, 50.709255)),
        (10, (80.916768, 90.163474, 50.709255)),
        (100, (164.405708, 129.337426, 50.709255)),
    ],
)
def test_tip_adapter_on_the_fan(alpha, expected):
    values = torch.eye(3, dtype=torch.float64)[LABELS]
    near(tip_scores(LW2 @ TEXTS.T, cache_distance(LW2, SHOTS), values, alpha, 5.5)[0], expected)


def test_a_shot_beside_itself_counts_exactly_alpha_and_order_counts_nothing():
    values = torch.eye(3, dtype=torch.float64)[LABELS]
    gained = tip_scores(SHOTS @ TEXTS.T, cache_distance(SHOTS, SHOTS), values, 3, 1e6) - 100 * SHOTS @ TEXTS.T
    near(gained, 3 * values)
    turned = [2, 0, 3, 1]
    one, other = (
        tip_scores(LW2 @ TEXTS.T, cache_distance(LW2, SHOTS[rows]), values[rows], 5, 5.5)
        for rows in ([0, 1, 2, 3], turned)
    )
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


# ── RoboShot and orthogonal calibration ───────────────────────────────────────────────────────────────────────────


def test_roboshot_by_hand():
    z = torch.nn.functional.normalize(tensor((0.1, 0.3, 0.5, 0.8)), dim=1)
    reject, accept = tensor((1, 0, 0, 0), (1, 1, 0, 0)), tensor((0, 0, 1, 1))
    near(roboshot(z, roboshot_basis(reject, accept), 1, 1)[0], (0, 0, 0.621395, 0.783498))
    near(roboshot(z, roboshot_basis(reject, NOTHING), 1, 1)[0], (0, 0, 0.529999, 0.847998))
    near(roboshot(z, roboshot_basis(NOTHING, accept), 1, 1)[0], (0.053262, 0.159787, 0.612517, 0.772304))


def test_roboshot_on_the_fan():
    places = torch.from_numpy(fan.WATER - fan.LAND)[None]
    basis = roboshot_basis(places, NOTHING)
    near(roboshot(LW2, basis, 0.5, 0)[0], (-0.188144, 0.282216, 0.940721, 0))
    near(roboshot(LW2, basis, 1, 0)[0], (-0.196116, 0, 0.980581, 0))
    near((roboshot(LW2, basis, 1, 0) @ TEXTS.T)[0], (0.968208, 0.858600, 0.588348))
    bird = torch.from_numpy(fan.unit([1, 0, 1, 0]) - fan.unit([-1, 0, 1, 0]))[None]
    near(roboshot(LW2, roboshot_basis(places, bird), 1, 1)[0], (-0.371391, 0, 0.928477, 0))
    leak = torch.nn.functional.normalize(places, dim=1) @ torch.nn.functional.normalize(TEXTS[1] - TEXTS[0], dim=0)
    near(leak, [0.640184])


def test_what_is_rejected_comes_back_with_what_is_accepted():
    z = torch.nn.functional.normalize(tensor((0.6, 0.5, 0.6)), dim=1)
    basis = roboshot_basis(tensor((1, 0, 0)), tensor((1, 1, 0)) / 2**0.5)
    near(roboshot(z, basis, 1, 1)[0], (0.251896, 0.755689, 0.604551))


def test_roboshot_by_rank_update_by_matrix_and_step_by_step_is_one():
    rng = torch.Generator().manual_seed(0)
    make = lambda *shape: torch.randn(*shape, generator=rng, dtype=torch.float64)  # noqa: E731
    z, texts = (torch.nn.functional.normalize(make(n, 12), dim=1) for n in (30, 5))
    reject, accept = make(3, 12), make(2, 12)
    basis = roboshot_basis(torch.cat([reject, reject[:1]]), accept)  # a doubled pair changes nothing
    assert len(basis.reject) == 3
    for rho, kappa in ((0, 0), (0.3, 0), (1, 0.5), (1, 1)):
        slow = roboshot(z, basis, rho, kappa) @ texts.T
        fast = roboshot_scores(roboshot_products(z, texts, basis), rho, kappa)
        torch.testing.assert_close(fast, slow, rtol=0, atol=1e-12)
        moved = torch.nn.functional.normalize(z @ roboshot_matrix(basis, rho, kappa, 12), dim=1)
        torch.testing.assert_close(moved @ texts.T, slow, rtol=0, atol=1e-12)
    assert (roboshot(z, basis._replace(accept=basis.accept[:0]), 1, 0) @ basis.reject.T).abs().max() < 1e-14
    torch.testing.assert_close(roboshot(z, roboshot_basis(make(0, 12), make(0, 12)), 1, 1), z, rtol=0, atol=1e-15)


def test_orthogonal_calibration_by_hand():
    basis, w = spurious_basis(tensor((1, 0, 0))), tensor((0.48, 0.64, 0.6))
    pair = tensor((0.6, 0.8 - 0.6, -0.8))
    near(calibrated(w, basis, pair, 1, 0)[0], (0, 0.729537, 0.683941))
    near(calibrated(w, basis, pair, 1, 1)[0], (0, 0.747159, 0.664645))
    near(calibrated(w, basis, pair, 1, 1000)[0], (0, 0.764036, 0.645173))
    near(calibrated(w, basis, pair, 1, 1000, ltc=True)[0], (0.251555, 0.877392, 0.408538))


def test_orthogonal_calibration_on_the_fan():
    basis = spurious_basis(torch.from_numpy(np.array([fan.LAND, fan.WATER])))
    for rho, expected in (
        (0.25, (-0.361773, -0.226108, 0.904431, 0)),
        (0.5, (-0.503066, -0.209611, 0.838444, 0)),
        (1, (-1, 0, 0, 0)),
    ):
        near(calibrated(TEXTS, basis, NOTHING, rho, 0)[0], expected)
    kept = (TEXTS - (TEXTS @ basis.T) @ basis).norm(dim=1)
    near(kept, (0.279448, 0.279448, 0.8))
    pairs = torch.from_numpy(fan.IN_PLACES[:2, 1] - fan.IN_PLACES[:2, 0])  # the birds, on water and on land
    near(calibrated(TEXTS, basis, pairs, 0, 1)[0], (-0.284343, -0.117108, 0.951543, 0))
    near(calibrated(TEXTS, basis, pairs, 0, 1000)[0], (-0.258764, -0.029383, 0.965493, 0))
    differences = spurious_basis(torch.from_numpy(fan.WATER - fan.LAND)[None])
    near(calibrated(TEXTS, differences, NOTHING, 1, 0)[0], (-0.287348, 0, 0.957826, 0))
    near((TEXTS - (TEXTS @ differences.T) @ differences).norm(dim=1)[0], 0.972507)


def test_orthogonal_calibration_equals_the_dense_inverse():
    rng = torch.Generator().manual_seed(1)
    make = lambda *shape: torch.randn(*shape, generator=rng, dtype=torch.float64)  # noqa: E731
    spurious, pairs, w = make(3, 10), make(7, 10), make(4, 10)
    basis = spurious_basis(spurious)
    m = pairs.T @ pairs / len(pairs)
    p0 = torch.eye(10, dtype=torch.float64) - basis.T @ basis
    torch.testing.assert_close(p0 @ p0, p0)
    dense = torch.nn.functional.normalize((p0 @ torch.linalg.inv(50 * m + torch.eye(10)) @ w.T).T, dim=1)
    found = calibrated(w, basis, pairs, 1, 50)
    torch.testing.assert_close(found, dense, rtol=0, atol=1e-12)
    assert (found @ spurious.T).abs().max() < 1e-12


# ── MI-clip ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_dimensions_that_tell_the_background():
    e = torch.from_numpy(fan.embeddings(*fan.BIRDS))
    background = torch.tensor([0, 0, 1, 1, 0, 0, 1, 1])
    near(explained_share(e, background), (0.000157, 0.969356, 0.005461, 0.333312))
    near(mutual_information(e, background), (0, 0.693147, 0, 0.215762))
    order = ranked_dimensions(explained_share(e, background))
    assert order.tolist() == [1, 3, 2, 0]
    assert clipped(e, order, 0) is e
    assert (clipped(e, order, 2)[:, [1, 3]] == 0).all()


# ── prompts ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_prompts_at_the_start_are_the_class_vectors_to_the_bit():
    places = torch.from_numpy(fan.IN_PLACES)
    assert torch.equal(towards(TEXTS, ensemble(places), 0), TEXTS)
    torch.testing.assert_close(towards(TEXTS, ensemble(places), 1), ensemble(places))
    assert best_of(LW2, places).shape == (1, 3)


# ── PerceptionCLIP ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        (0.5, (0.199420, 0.800580)),
        (1, (0.307110, 0.692890)),
        (3, (0.393520, 0.606480)),
        (np.inf, (0.425131, 0.574869)),
    ],
)
def test_perception_by_hand(temperature, expected):
    f = tensor(((2, 1), (1, 3)))
    near(class_log_probabilities(f, contexts_by_class(f, temperature)).exp()[0], expected)
    if temperature == 1:  # the marginal of the joint softmax
        near(torch.softmax(f.flatten(), 0).unflatten(0, (2, 2)).sum(1), expected)


def test_contexts_alone():
    contexts = torch.from_numpy(fan.unit([(0, 0, 1, 0), (0, -0.8, 1, 0), (0, 0.7, 1, 0)]))
    near(contexts_alone(LW2, contexts, 100, 10).exp()[0], (0.200708, 0.001326, 0.797966))


# ── probes ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_erm_on_the_fan():
    here, even = problem(*fan.SHOTS), np.full(4, 0.25)
    near(here.each(here.origin), (0.000215, 1.110391, 1.110391, 0.000215))
    near(even @ here.each(here.origin), 0.555303)
    slope, _ = here.slope(here.origin, even)
    whole = torch.from_numpy(slope) @ here._basis
    near(
        whole,
        [[2.536673, -3.549475, -0.011927, 0], [-2.536673, 3.549475, -0.011927, 0], [0, 0, 0.023854, 0]],
    )
    for lam, objective, moved in (
        (10, 0.170061, 0.134467), (1, 0.041444, 0.236426), (0.1, 0.008125, 0.344703), (0.01, 0.001460, 0.470920),
    ):  # fmt: skip
        b = here.solve(even, np.full(3, lam))
        near(here.losses(b, even, np.full(3, lam)).objective, objective)
        near(np.linalg.norm(b), moved)
    w = here.vectors(here.solve(even, np.ones(3)))
    near(w[0], (-0.378678, -0.098479, 0.935154, 0))
    near((LW2 @ w.T)[0], (0.804419, 0.776279, 0.500905))


def member(*names):
    groups = [fan.GROUP[name] for name in names]
    return np.unique(groups, return_inverse=True)[1]


def test_balanced_and_erm_from_unbalanced_shots():
    here, of = problem(*fan.UNBALANCED), member(*fan.UNBALANCED)
    pull = np.full(3, 0.1)
    for weights, objective, losses in (
        (np.full(6, 1 / 6), 0.007651, (0.000636, 0.005604, 0.005671, 0.000562)),
        (balanced_weights(of), 0.008326, (0.000744, 0.003950, 0.003988, 0.000663)),
    ):
        b = here.solve(weights, pull)
        found = here.losses(b, weights, pull)
        near(found.objective, objective)
        near([found.each[of == g].mean() for g in range(4)], losses)
        near(found.objective, here.losses(here.solve(5 * weights / 5, pull), weights, pull).objective)


def test_group_dro_step_by_step():
    here, of = problem(*fan.UNBALANCED), member(*fan.UNBALANCED)
    first = here.each(here.origin)
    losses = np.array([first[of == g].mean() for g in range(4)])
    near(losses, (0.000502, 1.110391, 1.110391, 0.000377))
    q = group_weights(np.full(4, 0.25), losses, 0.01)
    near(q, (0.248613, 0.251387, 0.251387, 0.248612))
    near(q @ losses, 0.558495)
    near(group_weights(np.full(4, 0.25), np.array([0.2, 1, 2, 0.5]), 0.01), (0.248188, 0.250182, 0.252696, 0.248934))
    one = group_dro(here, of, lam=0.1, steps=1)
    near(one.losses, (0.000529, 0.928280, 0.928305, 0.000400))
    near(here.vectors(one.b)[0], (-0.285826, -0.223952, 0.931524, 0))
    many = group_dro(here, of, lam=0.1)
    near(many.q, (0.227455, 0.272662, 0.272816, 0.227068))
    near(many.losses, (0.001223, 0.004506, 0.004560, 0.001076))
    hard = group_dro(here, of, lam=0.1, eta=1)
    near(hard.q, (0.000023, 0.499977, 0.499980, 0.000019))
    near(hard.losses, (0.001751, 0.002530, 0.002530, 0.001546))
    sizes = np.bincount(of)
    adjusted = losses + 1 / np.sqrt(sizes)
    near(adjusted, (0.707609, 2.110391, 2.110391, 0.707484))
    near(group_weights(np.full(4, 0.25), adjusted, 0.01) @ adjusted, 1.413889)


def test_without_eta_group_dro_is_the_balanced_probe():
    here, of = problem(*fan.UNBALANCED), member(*fan.UNBALANCED)
    slow = group_dro(here, of, lam=0.1, eta=0, steps=3000)
    best = here.each(here.solve(balanced_weights(of), np.full(3, 0.1)))
    assert np.abs(slow.losses - [best[of == g].mean() for g in range(4)]).max() < 2e-4


def test_anchors():
    here = problem(*fan.SHOTS)
    found = anchors(torch.from_numpy(np.exp(here._log_probabilities(here.origin))), LABELS, 3)
    near(found, (0.664608, 0.664608, 1))
    b = here.solve(np.full(4, 0.25), np.zeros(3) + 1e9)
    near(here.vectors(b), TEXTS)
    moved = torch.from_numpy(fan.TEXTS) + 0.01
    near(0.5 * (2 / 3 * found * (0.01**2 * 4)).sum(), 0.000311)
    assert moved.shape == TEXTS.shape
