"""The edit's losses, gradients and solvers against plain autograd and torch's own Adam, in float64."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.core.objective import Objective
from toolkit.core.solvers import _small_steps, _steps, adam, converge, gradient, image_weights, loss
from toolkit.core.strategies import Diagonal, FullMatrix, LowRank

D = 12


def problem(n=11, c=4, d=D, scale=30.0, seed=0, wrong=3, kept=5):
    g = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    e, texts = random(n, d), torch.nn.functional.normalize(random(c, d), dim=-1)
    ablated = e + 0.5 * random(n, d)
    rows = torch.randperm(n, generator=g)
    return Objective(e, ablated, texts, torch.arange(n) % c, rows[:wrong], rows[wrong : wrong + kept], scale)


def strategies(d=D):
    return [Diagonal(d), FullMatrix(d), LowRank(d, 3)]


def plain(o, strategy, theta):
    """The three losses as the formulas stand, with autograd."""
    d = strategy.d
    if strategy.name == "diagonal":
        matrix = torch.diag(theta)
    elif strategy.name == "full":
        matrix = theta.view(d, d)
    else:
        a, b = theta.chunk(2)
        matrix = torch.eye(d, dtype=theta.dtype) + a.view(d, -1) @ b.view(-1, d)

    def g(x):
        cosine = torch.nn.functional.normalize(x, dim=-1) @ o.texts.T
        return torch.log_softmax(o.scale * cosine, -1)

    student = g(o.embedding @ matrix)
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


def vars_of(o):
    return {name: getattr(o, name) for name in o.__dataclass_fields__}


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


@pytest.mark.parametrize("nonnegative", [False, True])
def test_single_batched_and_small_solves_agree(nonnegative):
    o, strategy = problem(20, 5, 30), Diagonal(30)
    grid = tensors(0, 1, 10, 1e3, 1e8)
    alpha, beta = grid.repeat_interleave(5), grid.repeat(5)
    together = at(o, strategy, alpha, beta, 100, nonnegative=nonnegative)
    assert together.isfinite().all()
    assert not nonnegative or (together >= 0).all()
    for i in range(25):
        alone = at(o, strategy, alpha[i : i + 1], beta[i : i + 1], 100, nonnegative=nonnegative)
        torch.testing.assert_close(together[i : i + 1], alone, rtol=0, atol=1e-9)
    weights, theta = image_weights(o, alpha[7:8], beta[7:8]), strategy.start(1, 0, o.embedding)
    paths = [make(o, strategy, theta, weights, 1e-2, nonnegative, 5) for make in (_small_steps, _steps)]
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
    o = Objective(**{**vars_of(o), "embedding": size * o.embedding, "ablated": size * o.ablated})
    for strategy in strategies(d):
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
    floor = converge(o, Diagonal(D), 2, 3, nonnegative=True)
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


@pytest.mark.parametrize("make", [_small_steps, _steps])
def test_the_first_step_knows_nothing_of_locality(make):
    o, strategy = problem(), Diagonal(D)
    theta = strategy.start(1, 0, o.embedding)
    first = [
        next(make(o, strategy, theta, image_weights(o, tensors(0), tensors(b)), 1e-2, False, 5))[0] for b in (0, 1e12)
    ]
    torch.testing.assert_close(*first, rtol=0, atol=1e-15)
