"""Shares of variance: equal to the definition written out, planted shares come back, bad input is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import toolkit as tk
from toolkit.errors import InputError


@pytest.fixture(scope="module")
def data():
    return tk.scenes("val", n=60, kind="factorial")


@pytest.fixture(scope="module")
def parts(data):
    return tk.decompose(tk.load(), data)


def literal(c, values):
    """η² of contributions c [n, d], a sum of squares at a time."""
    kept = [i for i, v in enumerate(values) if not pd.isna(v)]
    mean = np.mean([c[i] for i in kept], axis=0)
    total = sum(((c[i] - mean) ** 2).sum() for i in kept)
    between = 0.0
    for value in {values[i] for i in kept}:
        group = [c[i] for i in kept if values[i] == value]
        between += len(group) * ((np.mean(group, axis=0) - mean) ** 2).sum()
    return between / total


@pytest.mark.parametrize("convention", ["separate", "reference"])
def test_equals_the_definition(data, convention):
    parts = tk.decompose(tk.load(), data, convention=convention)
    roles = tk.head_roles(parts, data.factors[["background", "colour", "neck"]])
    heads = parts.heads.double().numpy()
    for factor in ("background", "colour", "neck"):
        for layer, head in ((0, 0), (2, 5), (3, 7)):
            expected = literal(heads[:, layer, head], list(data.factors[factor]))
            assert roles.of(factor)[layer, head] == pytest.approx(expected, rel=1e-5)
    assert roles.n[2] == data.factors["neck"].notna().sum() < 60
    np.testing.assert_allclose(roles.variance, heads.var(0).sum(-1), rtol=1e-5)


def test_one_layer_of_the_parts_is_that_layer_of_all_heads(parts):
    for layer in range(4):
        torch.testing.assert_close(parts.layer(layer), parts.heads[:, layer])


def test_a_planted_share_comes_back(parts):
    """One head writes a factor alone, another the factor and an equal share of something else."""
    rng = np.random.default_rng(0)
    factor, noise = rng.permutation(np.repeat([-1.0, 1.0], 30)), rng.permutation(np.repeat([-1.0, 1.0], 30))
    mixes = torch.zeros_like(parts.mixes)
    unit = (parts.sigma * parts.norm)[:, None]
    one = torch.ones(1, mixes.shape[-1])
    mixes[:, 1, 2] = unit * torch.from_numpy(factor).float()[:, None] * one
    mixes[:, 3, 4] = unit * torch.from_numpy(factor + noise).float()[:, None] * one
    roles = tk.head_roles(replace(parts, mixes=mixes), {"planted": factor > 0})
    assert roles.shares[0, 1, 2] == pytest.approx(1.0, abs=1e-6)
    assert roles.shares[0, 3, 4] == pytest.approx(literal((factor + noise)[:, None], list(factor)), abs=1e-6)
    assert np.isnan(roles.shares[0, 0, 0])
    assert [head for head, _, _ in roles.leading()] == ["L1.H2", "L3.H4"]


def test_values_may_be_missing_in_every_way(parts):
    words = ["a", "b", None] * 20
    numbers = [0.0, 1.0, float("nan")] * 20
    codes = [0, 1, -1] * 20
    found = tk.head_roles(parts, {"words": words, "numbers": numbers, "codes": np.array(codes)})
    assert found.n == (40, 40, 40)
    np.testing.assert_allclose(found.of("words"), found.of("numbers"))
    np.testing.assert_allclose(found.of("words"), found.of("codes"))


def test_table_and_order(parts, data):
    roles = tk.head_roles(parts, data.factors[["light", "style"]])
    table = roles.to_dataframe()
    assert list(table.columns) == ["variance", "light", "style"]
    assert table.loc["L3.H1", "light"] == roles.of("light")[3, 1]
    shares = [share for _, _, share in roles.leading()]
    assert shares == sorted(shares, reverse=True)
    assert len(shares) == 32


def test_refused(parts):
    with pytest.raises(InputError, match="5 values"):
        tk.head_roles(parts, {"a": [1, 2, 3, 4, 5]})
    with pytest.raises(InputError, match="at least two values"):
        tk.head_roles(parts, pd.DataFrame({"a": ["x"] * 60}))
    with pytest.raises(InputError, match="'b'"):
        tk.head_roles(parts, {"a": [0, 1] * 30}).of("b")
