"""The edit's losses, gradients and solvers against plain autograd and torch's own Adam, in float64."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.core.class_vectors import ClassVectors
from toolkit.core.head_parts import HeadParts, PartProducts
from toolkit.core.head_strategies import HeadStrengths
from toolkit.core.objective import Objective
from toolkit.core.small_solver import small_edit, small_steps
from toolkit.core.solvers import Pull, _steps, adam, converge, gradient, image_weights, loss
from toolkit.core.strategies import Diagonal, FullMatrix, LowRank

D, PARTS = 12, 3
FLOOR = (0.0, float("inf"))


def vars_of(o):
    return {name: getattr(o, name) for name in o.__dataclass_fields__}


def contributions(n, d=D):
    """c [n, k, d]: parts of heads, of no embedding in particular."""
    return torch.randn(n, PARTS, d, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def with_parts(o):
    c = contributions(*o.embedding.shape)
    products = PartProducts(c @ o.texts.T, torch.einsum("nkd,nd->nk", c, o.embedding), c @ c.mT)
    return Objective(**{**vars_of(o), "parts": products})


def problem(n=11, c=4, d=D, scale=30.0, seed=0, wrong=3, kept=5):
    g = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    e, texts = random(n, d), torch.nn.functional.normalize(random(c, d), dim=-1)
    ablated = e + 0.5 * random(n, d)
    rows = torch.randperm(n, generator=g)
    made = Objective(e, ablated, texts, torch.arange(n) % c, rows[:wrong], rows[wrong : wrong + kept], scale)
    return with_parts(made)


def strategies(o=None):
    o = problem() if o is None else o
    d = o.embedding.shape[1]
    heads = HeadParts(tuple((0, i) for i in range(PARTS)))
    moved = ClassVectors(("first", "last"), o.texts[[0, -1]], (0, len(o.texts) - 1))
    return [Diagonal(d), FullMatrix(d), LowRank(d, 3), HeadStrengths("strengths", heads, d), moved]


def plain(o, strategy, theta):
    """The three losses as the formulas stand, with autograd."""
    d, texts, matrix = strategy.d, o.texts, torch.eye(strategy.d, dtype=theta.dtype)
    added = torch.zeros_like(o.embedding)
    if strategy.name == "strengths":
        c = contributions(*o.embedding.shape)
        added = sum((g - 1) * c[:, i] for i, g in enumerate(theta))
    elif strategy.name == "class vectors":
        new = torch.nn.functional.normalize(theta.view(-1, d), dim=-1)
        texts = torch.cat([new[:1], texts[1:-1], new[1:]])
    elif strategy.name == "diagonal":
        matrix = torch.diag(theta)
    elif strategy.name == "full":
        matrix = theta.view(d, d)
    else:
        a, b = theta.chunk(2)
        matrix = torch.eye(d, dtype=theta.dtype) + a.view(d, -1) @ b.view(-1, d)

    def g(x, texts=o.texts):
        cosine = torch.nn.functional.normalize(x, dim=-1) @ texts.T
        return torch.log_softmax(o.scale * cosine, -1)

    student = g(o.embedding @ matrix + added, texts)
    ce = torch.nn.functional.nll_loss(student, o.truth)

    def kl(teacher, rows):
        if not len(rows):
            return torch.zeros((), dtype=theta.dtype)
        return torch.nn.functional.kl_div(student[rows], teacher[rows], log_target=True, reduction="batchmean")

    return ce, kl(g(o.ablated), o.wrong), kl(g(o.embedding), o.kept)


def tensors(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("strategy", strategies(), ids=lambda s: s.name)
@pytest.mark.parametrize(("wrong", "kept"), [(3, 5), (0, 5), (3, 0), (0, 0)])
def test_loss_and_gradient_equal_autograd(strategy, wrong, kept):
    o = problem(wrong=wrong, kept=kept)
    start = strategy.start(9, 0, o.embedding)  # from eight edits on, other products are used
    theta = start + 0.2 * torch.randn(start.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    alpha, beta = tensors(0, 1, 10, 0, 1e4, 3, 1e8, 0, 7), tensors(0, 0, 10, 5, 1e3, 0, 1e8, 1e6, 2)
    for some in (slice(0, 9), slice(2, 3), slice(3, 6)):
        terms = loss(o, strategy, theta[some])
        slopes = gradient(o, strategy, theta[some], alpha[some], beta[some])
        for i, (at, a, b) in enumerate(zip(theta[some], alpha[some], beta[some], strict=True)):
            free = at.clone().requires_grad_()
            ce, success, locality = plain(o, strategy, free)
            total = ce + a * success + b * locality
            (expected,) = torch.autograd.grad(total, free)
            size = expected.abs().max()
            torch.testing.assert_close(slopes[i], expected, rtol=0, atol=float(1e-10 * size))
            for found, value, rows in zip(terms[:3], (ce, success, locality), (o.truth, o.wrong, o.kept), strict=True):
                assert torch.isnan(found[i]) if not len(rows) else abs(found[i] - value) < 1e-10
            assert abs(terms.total(a, b).nan_to_num()[i] - total) <= 1e-10 * max(1, abs(total))


@pytest.mark.parametrize("strategy", strategies(), ids=lambda s: s.name)
def test_at_the_identity_locality_and_its_gradient_are_exactly_zero(strategy):
    o = problem()
    theta = strategy.start(1, 0, o.embedding)
    assert loss(o, strategy, theta).locality.item() == 0
    zero = tensors(0)
    alone = Objective(**{**vars_of(o), "truth": o.truth})
    ce = gradient(alone, strategy, theta, zero, zero)
    assert torch.equal(gradient(o, strategy, theta, zero, tensors(1e12)), ce)
    assert loss(o, strategy, theta).success.item() > 0


@pytest.mark.parametrize("strategy", strategies(), ids=lambda s: s.name)
def test_steps_equal_torchs_adam(strategy):
    o = problem()
    theta = strategy.start(1, 4, o.embedding)[0].clone().requires_grad_()
    optimiser = torch.optim.Adam([theta], lr=1e-2)
    path = adam(o, strategy, tensors(5), tensors(2), seed=4)
    for step, found in enumerate(islice(path, 23)):
        torch.testing.assert_close(found[0], theta.detach(), rtol=0, atol=1e-9, msg=f"step {step}")
        optimiser.zero_grad()
        ce, success, locality = plain(o, strategy, theta)
        (ce + 5 * success + 2 * locality).backward()
        optimiser.step()


def at(o, strategy, alpha, beta, steps, **more):
    return next(islice(adam(o, strategy, alpha, beta, **more), steps, None))


def alone(o, strategy, weights, bounds=None, ridge=0.0):
    """The two ways to solve a single edit."""
    theta = strategy.start(1, 0, o.embedding)
    pull = Pull(ridge, theta[0]) if ridge else None
    return [
        small_steps(o, small_edit(o, strategy), theta, weights, 1e-2, bounds, ridge, 5),
        _steps(o, strategy, theta, weights, 1e-2, bounds, pull, 5),
    ]


@pytest.mark.parametrize("at_one", [0, 3, 4])
@pytest.mark.parametrize("nonnegative", [False, True])
def test_single_batched_and_small_solves_agree(nonnegative, at_one):
    o = problem(20, 5, 30)
    strategy = strategies(o)[at_one]
    grid = tensors(0, 1, 10, 1e3, 1e8)
    alpha, beta = grid.repeat_interleave(5), grid.repeat(5)
    together = at(o, strategy, alpha, beta, 100, bounds=FLOOR if nonnegative else None)
    assert together.isfinite().all()
    assert not nonnegative or (together >= 0).all()
    for i in range(25):
        single = at(o, strategy, alpha[i : i + 1], beta[i : i + 1], 100, bounds=FLOOR if nonnegative else None)
        torch.testing.assert_close(together[i : i + 1], single, rtol=0, atol=1e-9)
    for ridge in (0.0, 0.3):
        paths = alone(o, strategy, image_weights(o, alpha[7:8], beta[7:8]), FLOOR if nonnegative else None, ridge)
        for _ in range(4):
            for a, b in zip(*map(next, paths), strict=True):
                torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(1, 9), c=st.integers(2, 6), d=st.integers(1, 9), wrong=st.integers(0, 4), kept=st.integers(0, 4),
    alpha=st.sampled_from([0, 1e-3, 1.0, 1e8, 1e12]), beta=st.sampled_from([0, 1.0, 1e8, 1e12]),
    scale=st.sampled_from([1e-3, 1.0, 100.0, 1e6]), size=st.sampled_from([1e-20, 1.0, 1e20]),
)  # fmt: skip
def test_whatever_the_numbers_theta_stays_finite(n, c, d, wrong, kept, alpha, beta, scale, size):
    o = problem(n, c, d, scale, wrong=min(wrong, n), kept=min(kept, max(0, n - wrong)))
    o = with_parts(Objective(**{**vars_of(o), "embedding": size * o.embedding, "ablated": size * o.ablated}))
    for strategy in strategies(o):
        theta = at(o, strategy, tensors(alpha), tensors(beta), 12)
        assert theta.isfinite().all()
        assert loss(o, strategy, theta).ce.isfinite().all()


def test_trajectories_begin_alike_and_depend_on_nothing_else():
    o, strategy = problem(), Diagonal(D)
    long = list(islice(adam(o, strategy, tensors(3), tensors(4)), 51))
    short = list(islice(adam(o, strategy, tensors(3), tensors(4)), 8))
    assert all(torch.equal(a, b) for a, b in zip(long, short, strict=False))
    other = adam(o, strategy, tensors(300), tensors(0))
    next(islice(other, 30, None))  # a drag that came from elsewhere
    assert torch.equal(at(o, strategy, tensors(3), tensors(4), 50), long[50])


@pytest.mark.parametrize("strategy", strategies(), ids=lambda s: s.name)
def test_convergence_goes_below_steps_and_stays_above_the_bound(strategy):
    o = problem()
    a, b = tensors(2), tensors(3)
    found = converge(o, strategy, 2, 3)
    stepped = loss(o, strategy, at(o, strategy, a, b, 100)).total(a, b).item()
    assert found.done
    assert found.totals[-1] <= stepped + 1e-6
    assert found.totals[-1] >= o.bound(2, 3)
    assert found.totals[-1] == pytest.approx(loss(o, strategy, found.theta[None]).total(a, b).item(), abs=1e-9)
    assert np.all(np.diff(found.totals) <= 1e-12)
    floor = converge(o, Diagonal(D), 2, 3, bounds=FLOOR)
    assert (floor.theta >= 0).all()
    with pytest.raises(StopAsyncIteration):
        converge(o, strategy, 2, 3, check=lambda total: (_ for _ in ()).throw(StopAsyncIteration))


def test_the_bound_is_reached_where_every_image_gets_its_own_target():
    """With one class vector per dimension and a large scale, each image's distribution is free."""
    o = problem(2, 2, 2, scale=4.0, wrong=1, kept=1)
    eye = torch.eye(2, dtype=torch.float64)
    o = Objective(**{**vars_of(o), "texts": eye, "embedding": eye + 0.1, "ablated": 1.1 - eye})
    found = converge(o, FullMatrix(2), 2, 3, tolerance=0)
    assert found.totals[-1] == pytest.approx(o.bound(2, 3), abs=2e-3)


def test_moving_to_a_device_keeps_everything(recwarn):
    o = problem()
    again = o.to("cpu")
    assert all(torch.equal(getattr(o, n), getattr(again, n)) for n in ("embedding", "texts", "wrong"))
    assert again.scale == o.scale


@pytest.mark.parametrize("way", [0, 1], ids=["small", "plain"])
@pytest.mark.parametrize("at_one", [0, 3, 4])
def test_the_first_step_knows_nothing_of_locality(way, at_one):
    o = problem()
    strategy = strategies(o)[at_one]
    first = [next(alone(o, strategy, image_weights(o, tensors(0), tensors(b)))[way])[0] for b in (0, 1e12)]
    torch.testing.assert_close(*first, rtol=0, atol=1e-15)


@pytest.mark.parametrize("strategy", strategies(), ids=lambda s: s.name)
def test_gradients_are_finite_differences(strategy):
    o, eps = problem(), 1e-6
    start = strategy.start(1, 0, o.embedding)
    theta = start + 0.1 * torch.randn(start.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    a, b, pull = tensors(3), tensors(2), Pull(0.7, start[0])

    def total(at):
        return float(loss(o, strategy, at).total(3, 2) + pull.of(at))

    slope = gradient(o, strategy, theta, a, b, pull)[0]
    for i in range(0, strategy.size, max(1, strategy.size // 7)):
        step = torch.zeros_like(theta)
        step[0, i] = eps
        differs = (total(theta + step) - total(theta - step)) / (2 * eps)
        assert float(slope[i]) == pytest.approx(differs, abs=1e-6 * float(slope.abs().max()))


@pytest.mark.parametrize("strategy", strategies(), ids=lambda s: s.name)
def test_a_ridge_draws_to_the_identity_and_bounds_hold(strategy):
    o = problem()
    start = strategy.start(1, 0, o.embedding)[0]
    far = [float((at(o, strategy, tensors(5), tensors(1), 60, ridge=r)[0] - start).norm()) for r in (0, 1, 1e4)]
    assert far[0] > far[1] > far[2]
    assert far[2] < 0.2 * far[0]
    ended = converge(o, strategy, 5, 1, ridge=0.5)
    slope = gradient(o, strategy, ended.theta[None], tensors(5), tensors(1), Pull(0.5, start))
    assert float(slope.abs().max()) < 0.05
    tight = at(o, strategy, tensors(5), tensors(1), 60, bounds=(-0.3, 1.1))
    assert float(tight.min()) >= -0.3
    assert float(tight.max()) <= 1.1


@pytest.mark.parametrize("bounds", [None, (0.0, 2.0)])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_what_is_held_stays_and_the_others_are_solved_as_if_it_were_part_of_the_model(bounds, ridge):
    """Of a single solve, of a batch and at convergence; a plain loop over the free strengths agrees."""
    o = problem()
    way = HeadStrengths("strengths", HeadParts(tuple((0, i) for i in range(PARTS))), D)
    a, b = torch.tensor([2.0], dtype=torch.float64), torch.tensor([3.0], dtype=torch.float64)
    how = {"bounds": bounds, "ridge": ridge, "hold": {1: 0.25}}
    single = [theta[0] for theta in islice(adam(o, way, a, b, **how), 31)]
    batch = list(islice(adam(o, way, a.repeat(2), b.repeat(2), **how), 31))
    free = [0, 2]

    at = torch.ones(PARTS, dtype=torch.float64)
    at[1] = 0.25
    mean, square = torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    pull = Pull(ridge, torch.ones(PARTS, dtype=torch.float64)) if ridge else None
    for step in range(31):
        assert torch.allclose(single[step], at, atol=1e-10)
        assert torch.allclose(batch[step][1], at, atol=1e-10)
        slope = gradient(o, way, at[None], a, b, pull)[0][free]
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        rate = 1e-2 / (1 - 0.9 ** (step + 1))
        at = at.clone()
        at[free] -= rate * mean / ((square / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
        if bounds is not None:
            at = at.clamp(*bounds)
    ended = converge(o, way, 2.0, 3.0, **how).theta
    assert ended[1] == 0.25
    slope = gradient(o, way, ended[None], a, b, pull)[0][free]
    inside = torch.ones(2, dtype=torch.bool) if bounds is None else (ended[free] > 1e-6) & (ended[free] < 2 - 1e-6)
    assert slope[inside].abs().max() < 0.05 if inside.any() else True


def test_holding_nothing_changes_nothing():
    o = problem()
    way = HeadStrengths("strengths", HeadParts(tuple((0, i) for i in range(PARTS))), D)
    weights = torch.tensor([2.0], dtype=torch.float64), torch.tensor([3.0], dtype=torch.float64)
    for plain, held in islice(zip(adam(o, way, *weights), adam(o, way, *weights, hold={}), strict=False), 12):
        assert torch.equal(plain, held)
