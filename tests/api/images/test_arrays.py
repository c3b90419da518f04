"""Arrays of every make: what holds the same numbers is the same, what holds none is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import toolkit as tk

HEADS = np.random.default_rng(0).normal(size=(12, 2, 3, 16))


@pytest.mark.parametrize("kind", [">f8", ">f4", "<f4", np.longdouble])
def test_the_order_of_bytes_changes_nothing(kind):
    wide = np.dtype(kind).itemsize >= 8
    own = tk.from_arrays(HEADS.astype(np.float64 if wide else np.float32), scale="raw")
    other = tk.from_arrays(HEADS.astype(kind), scale="raw")
    assert other.head_maps.dtype == own.head_maps.dtype == (torch.float64 if wide else torch.float32)
    torch.testing.assert_close(other.head_maps, own.head_maps)


@pytest.mark.parametrize("change", [
    lambda t: t.to_sparse(), lambda t: torch._neg_view(-t), lambda t: t.requires_grad_(),
    lambda t: t.mT.contiguous().mT,
])  # fmt: skip
def test_tensors_of_any_layout(change):
    expected = tk.from_arrays(HEADS, scale="raw")
    found = tk.from_arrays(change(torch.from_numpy(HEADS)), scale="raw")
    torch.testing.assert_close(found.heads, expected.heads)  # their bases may differ in sign


def test_what_holds_no_numbers_is_refused():
    with pytest.raises(tk.InputError, match="heads on the meta device"):
        tk.from_arrays(torch.empty(12, 2, 3, 16, device="meta"))
    with pytest.raises(tk.InputError, match="numbers of which are masked"):
        tk.from_arrays(np.ma.masked_array(HEADS, mask=HEADS > 1))
    tk.from_arrays(np.ma.masked_array(HEADS), scale="raw")


@pytest.mark.parametrize("what", ["heads", "mlps"])
def test_numbers_whose_squares_overflow_are_refused(what):
    parts = {"heads": HEADS, "mlps": np.ones((12, 3, 16))}
    parts[what] = parts[what] * 1e300
    with pytest.raises(tk.InputError, match=f"{what}.* as large as .*e\\+300.*divide all parts by one number"):
        tk.from_arrays(**parts, scale="raw")


def test_labels_of_any_make():
    for labels in (torch.tensor([0, 1] * 6), np.array([0, 1] * 6), [b"0", b"1"] * 6, [0.0, 1.0] * 6):
        assert tk.from_arrays(HEADS, scale="raw", labels=labels).labels.tolist() == ["0", "1"] * 6
    with pytest.raises(tk.InputError, match=r"labels of several values an image.*argmax"):
        tk.from_arrays(HEADS, scale="raw", labels=np.eye(2)[[0, 1] * 6])
