"""`tk.edit(keep="all")`: R25's ablation, in which locality holds every image."""

from __future__ import annotations

import fan
import numpy as np
import pytest
import torch

import toolkit as tk


def test_the_divergences_of_the_fan():
    few, classes = fan.acts(*fan.SHOTS), fan.classes()
    theta = torch.tensor([1, 0.5, 1, 1], dtype=torch.float64)
    losses = {}
    for keep in ("right", "all"):
        made = tk.edit(few, classes, "L0.H0", 10, 10, 5, logit_scale=20, keep=keep)
        losses[keep] = made.loss(theta).locality
        assert made.alpha == (10 if keep == "right" else 0)
        assert made.settings["keep"] == keep
        assert made.settings["sizes"]["C ∪ A"] == (2 if keep == "right" else 4)
    assert losses["right"] == pytest.approx(0.000335, abs=1e-6)
    assert losses["all"] == pytest.approx(0.411869, abs=1e-6)
    each = []
    for name in fan.SHOTS:
        e, texts = torch.from_numpy(fan.EMBEDDING[name]), torch.from_numpy(fan.TEXTS)
        y = theta * e / (theta * e).norm()
        now, then = (torch.softmax(20 * texts @ x, 0) for x in (e, y))
        each.append(float((now * (now.log() - then.log())).sum()))
    np.testing.assert_allclose(each, (0.000335, 0.823402, 0.823402, 0.000335), atol=1e-6)
    assert losses["all"] == pytest.approx(np.mean(each))


def test_it_is_saved_and_solved_again(tmp_path):
    few, classes = fan.acts(*fan.SHOTS), fan.classes()
    made = tk.edit(few, classes, "L0.H0", 10, 3, 8, logit_scale=20, keep="all")
    again = tk.load_edit(made.save(tmp_path / "kept.safetensors"), few, classes)
    assert again.problem.keep == "all"
    assert torch.equal(again.again().theta, made.theta)
    assert again.again(alpha=100).alpha == 0
    with pytest.raises(tk.InputError, match="keep='some'"):
        tk.edit(few, classes, "L0.H0", keep="some")


def test_without_heads_there_is_still_something_to_keep():
    made = tk.edit(fan.acts(*fan.SHOTS), fan.classes(), "", 10, 10, 5, logit_scale=20, keep="all")
    assert made.theta.isfinite().all()
