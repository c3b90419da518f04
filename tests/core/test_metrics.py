"""Group accuracies, the three averages against published numbers, paired changes, confusion, and every refusal."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import confusion_matrix

from toolkit.core.metrics import Accuracy, accuracy, change, confusion, convention_weights
from toolkit.errors import InputError

WATERBIRDS = ("LL", "LW", "WL", "WW")
TEST = np.array([2255, 2255, 642, 642])
TRAIN = {"LL": 3498, "LW": 184, "WL": 56, "WW": 1057}
PUBLISHED = {
    "RN50": ([93.44, 44.92, 59.03, 91.59], (90.768, 70.538, 72.245)),
    "ViT-L/14@336": ([99.29, 90.20, 33.96, 55.61], (88.549, 83.673, 69.765)),
}


def made_of(right: list[int], sizes: list[int], names: tuple[str, ...] = WATERBIRDS, **options: object) -> Accuracy:
    hits = np.concatenate([np.arange(n) < r for r, n in zip(right, sizes, strict=True)])
    return accuracy(hits, groups=np.repeat(names, sizes), split="test", **options)


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[int], list[int], list[str]]:
    """Predictions 0 … 3, labels −1 … 3 (at least one in the set) and groups of 1 to 40 images."""
    n = draw(st.integers(1, 40))
    labels = draw(arrays(np.int64, n, elements=st.integers(-1, 3)).filter(lambda v: v.max() >= 0))
    predictions, groups = (draw(arrays(np.int64, n, elements=st.integers(0, 3))) for _ in range(2))
    return predictions.tolist(), labels.tolist(), [f"g{k}" for k in groups]


@pytest.mark.parametrize("model", PUBLISHED)
def test_the_three_averages_reproduce_the_published_numbers(model: str) -> None:
    percent, expected = PUBLISHED[model]
    weights = {"train_weighted": TRAIN, "plain": None, "group_mean": None}
    exact = [convention_weights(c, WATERBIRDS, TEST, w) @ np.array(percent) for c, w in weights.items()]
    np.testing.assert_allclose(exact, expected, atol=6e-4)
    right = np.rint(np.array(percent) / 100 * TEST).astype(int)
    result = made_of(right.tolist(), TEST.tolist())
    counted = [100 * result.average(c, w).value for c, w in weights.items()]
    np.testing.assert_allclose(counted, expected, atol=0.02)  # the published accuracies are rounded
    assert result.worst.group == WATERBIRDS[int(np.argmin(percent))]
    assert result.worst.n == TEST[int(np.argmin(percent))]


@settings(max_examples=40)
@given(answers())
def test_groups_agree_with_a_plain_loop(data: tuple[list[int], list[int], list[str]]) -> None:
    predictions, labels, groups = data
    tally: dict[str, list[bool]] = defaultdict(list)
    for p, y, g in zip(predictions, labels, groups, strict=True):
        if y >= 0:
            tally[g].append(p == y)
    result = accuracy(predictions, labels, groups, split="val")
    assert {row.group: (row.n, row.right) for row in result.groups} == {g: (len(v), sum(v)) for g, v in tally.items()}
    assert result.left_out == labels.count(-1)
    assert result.n == len(labels) - labels.count(-1) == len(result.right) + len(result.wrong)
    shares = {g: sum(v) / len(v) for g, v in tally.items()}
    assert result.worst.value == min(shares.values()) == shares[result.worst.group]
    assert result.average("plain").value == pytest.approx(sum(map(sum, tally.values())) / result.n)
    assert result.average("group_mean").value == pytest.approx(np.mean(list(shares.values())))
    weights = {g: i + 1 for i, g in enumerate(result.names)}
    expected = sum(w * shares[g] for g, w in weights.items()) / sum(weights.values())
    assert result.average("train_weighted", weights).value == pytest.approx(expected)
    for i in result.wrong:
        assert predictions[i] != labels[i]
    for row in result.groups:
        assert row.low <= row.accuracy <= row.high


@settings(max_examples=40)
@given(answers(), st.randoms())
def test_order_of_images_and_kind_of_array_do_not_matter(
    data: tuple[list[int], list[int], list[str]], random: object
) -> None:
    predictions, labels, groups = data
    order = list(range(len(labels)))
    random.shuffle(order)  # type: ignore[attr-defined]
    first = accuracy(predictions, labels, groups, split="val")
    shuffled = [groups[i] for i in order]
    second = accuracy(
        torch.tensor(predictions)[order], np.array(labels, np.int8)[order], shuffled, split="val", ids=order
    )
    assert first.groups == second.groups
    assert first.worst == second.worst
    assert first.average("group_mean") == second.average("group_mean")
    assert sorted(first.wrong) == sorted(second.wrong)


@settings(max_examples=40)
@given(answers())
def test_bools_say_right_or_wrong(data: tuple[list[int], list[int], list[str]]) -> None:
    predictions, labels, groups = data
    hits = torch.tensor(predictions) == torch.tensor(labels)
    with_labels = accuracy(hits, labels, groups, split="val")
    assert with_labels.groups == accuracy(predictions, labels, groups, split="val").groups
    assert accuracy(hits, groups=groups, split="val").left_out == 0


def test_a_result_does_not_change_with_the_arrays_it_was_made_from() -> None:
    hits = np.array([True, False])
    result = accuracy(hits, split="test")
    hits[:] = False
    assert result.right == (0,)
    with pytest.raises(ValueError, match="read-only"):
        result.hits[0] = False


def test_intervals_follow_the_convention() -> None:
    result = made_of([90, 10], [100, 20], ("a", "b"), replicates=300, seed=7)
    assert result.average().interval.method == "Wilson"
    assert result.worst.interval.method == "stratified bootstrap (300 replicates, seed 7), minimum inside"
    assert result.average("group_mean").interval.method.endswith("mean inside")
    heavy = result.average("train_weighted", {"a": 99, "b": 1}).interval
    assert heavy.width < result.average("group_mean").interval.width
    assert made_of([90, 10], [100, 20], ("a", "b"), level=0.5).worst.interval.width < result.worst.interval.width


def test_group_order_ties_and_numbers_as_names() -> None:
    result = accuracy([True] * 3, groups=[10, 9, 2], split="test")
    assert result.names == ("2", "9", "10")
    assert result.worst.group == "2"
    assert result.worst.interval.low < 1, "three images, all right, prove little"
    chosen = accuracy([True] * 3, groups=torch.tensor([10, 9, 2]), group_names=["9", "10", "2"], split="test")
    assert chosen.names == ("9", "10", "2")
    assert chosen["10"].n == 1


def test_text_names_split_n_convention_and_method() -> None:
    result = made_of([90, 10], [100, 20], ("a", "b"))
    for words in ("split 'test'", "n = 120", "plain average", "group_mean average", "Wilson", "stratified bootstrap"):
        assert words in repr(result)
    assert "worst: b" in str(result)
    left = accuracy([0, 1], [0, -1], split="val")
    assert "1 left out" in str(left)
    assert "worst" not in str(left), "one group has no worst group"
    single = str(result.average("group_mean"))
    for words in ("group_mean average 70.00 %", "n = 120", "'test'", "95 %", "mean inside"):
        assert words in single
    assert "worst group 'b' 50.00 %" in str(result.worst)


def test_many_groups_are_shown_from_the_worst_up() -> None:
    names = tuple(f"class {i}" for i in range(200))
    result = made_of(list(range(200, 0, -1)), [200] * 200, names)
    lines = str(result).splitlines()
    assert lines[2].split()[:2] == ["class", "199"]
    assert any("180 more groups" in line for line in lines)
    assert len(lines) == 26


def test_dataframe_describes_itself() -> None:
    frame = made_of([90, 10], [100, 20], ("a", "b")).to_dataframe()
    assert frame.accuracy.tolist() == [0.9, 0.5]
    assert frame.n.tolist() == [100, 20]
    assert set(frame.split) == {"test"}
    assert set(frame.interval) == {"Wilson"}
    assert pd.DataFrame(made_of([1], [2], ("a",)).groups).columns.tolist() == list(frame.columns[:6])


@settings(max_examples=40)
@given(answers(), st.data())
def test_change_agrees_with_two_results(data: tuple[list[int], list[int], list[str]], more: st.DataObject) -> None:
    predictions, labels, groups = data
    later = more.draw(arrays(np.int64, len(labels), elements=st.integers(0, 3)))
    before = accuracy(predictions, labels, groups, split="val", replicates=100)
    after = accuracy(later, labels, groups, split="val", replicates=100)
    moved = change(before, after)
    assert set(moved.became_right) == set(before.wrong) & set(after.right)
    assert set(moved.became_wrong) == set(before.right) & set(after.wrong)
    assert moved.worst.value == pytest.approx(after.worst.value - before.worst.value)
    for convention in ("plain", "group_mean"):
        expected = after.average(convention).value - before.average(convention).value
        assert moved.average(convention).value == pytest.approx(expected)
    for row, old, new in zip(moved.groups, before.groups, after.groups, strict=True):
        assert (row.before, row.after) == (old.accuracy, new.accuracy)
        assert -1 <= row.low <= row.high <= 1
    assert moved.outcomes.sum() == before.n
    np.testing.assert_array_equal(change(after, before).outcomes, moved.outcomes[:, [0, 2, 1, 3]])


def test_change_reports_intervals_and_text() -> None:
    rng = np.random.default_rng(0)
    old = rng.random(400) < np.repeat([0.9, 0.4], 200)
    new = old | (rng.random(400) < 0.3)
    groups = np.repeat(["easy", "hard"], 200)
    moved = change(accuracy(old, groups=groups, split="test"), accuracy(new, groups=groups, split="test"))
    easy, hard = moved.groups
    assert hard.low > 0, "a clear gain excludes zero"
    assert easy.low <= easy.change <= easy.high
    assert moved.average("train_weighted", {"easy": 9, "hard": 1}).value < moved.average("group_mean").value
    for words in ("split 'test'", "n = 400", "paired bootstrap", "plain average", "worst group (hard)", "became right"):
        assert words in str(moved)
    assert "plain average" in str(moved.average())
    assert moved.to_dataframe().change.tolist() == [easy.change, hard.change]
    same = change(moved.before, moved.before)
    assert same.average().value == 0
    assert "no replicate differs" in same.average().interval.method


def test_change_names_both_worst_groups() -> None:
    before, after = made_of([1, 5], [10, 10], ("a", "b")), made_of([9, 5], [10, 10], ("a", "b"))
    assert change(before, after).worst.of == "worst group (a → b)"


@settings(max_examples=40)
@given(answers())
def test_confusion_agrees_with_sklearn(data: tuple[list[int], list[int], list[str]]) -> None:
    predictions, labels, _ = data
    kept = [i for i, y in enumerate(labels) if y >= 0]
    table = confusion(np.array(labels, np.int8), torch.tensor(predictions, dtype=torch.uint8), list("abcd"))
    expected = confusion_matrix([labels[i] for i in kept], [predictions[i] for i in kept], labels=range(4))
    np.testing.assert_array_equal(table.counts, expected)
    assert table.left_out == labels.count(-1)
    assert table.to_dataframe().loc["b", "c"] == expected[1, 2]


def test_small_integer_types_do_not_overflow_in_a_confusion() -> None:
    table = confusion(np.array([100, 3], np.int8), np.array([101, 3], np.int8), [str(i) for i in range(120)])
    assert [tuple(cell) for cell in np.argwhere(table.counts)] == [(3, 3), (100, 101)]


OK = made_of([1, 1], [2, 2], ("a", "b"))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: accuracy([], [], split="test"), "at least one image"),
        (lambda: accuracy([[0, 1]], [0, 1], split="test"), r"\[1, 2\]"),
        (lambda: accuracy([[0], [1, 2]], [0, 1], split="test"), "ragged"),
        (lambda: accuracy([0.0, float("nan")], [0, 1], split="test"), "NaN in predictions at position 1"),
        (lambda: accuracy(torch.tensor([0.0, float("nan")]).bfloat16(), [0, 1], split="test"), "NaN"),
        (lambda: accuracy([0, 1], [0, np.nan], split="test"), "NaN in labels"),
        (lambda: accuracy([0.5], [0], split="test"), "float64"),
        (lambda: accuracy([0, 1], ["a", "b"], split="test"), "classes.encode"),
        (lambda: accuracy([0, 1], split="test"), "without labels"),
        (lambda: accuracy([True, False], [True, False], split="test"), "bool labels"),
        (lambda: accuracy([0, 1], [0, 1, 1], split="test"), "b = 2"),
        (lambda: accuracy([0, 1], [0, 1], ["a"], split="test"), "1 groups for 2 images"),
        (lambda: accuracy([0, 1], [0, 1], "ab", split="test"), "groups='ab'"),
        (lambda: accuracy([0, 1], [0, 1], ["a", None], split="test"), "None in groups at position 1"),
        (lambda: accuracy([0, 1], [0, 1], ["a", np.nan], split="test"), "nan in groups"),
        (lambda: accuracy([0, 1], [0, 1], pd.array(["a", pd.NA]), split="test"), "groups at position 1"),
        (lambda: accuracy([0], [0], ["a"], group_names=["a", "b"], split="test"), "'b' with 0 images"),
        (lambda: accuracy([0], [0], ["a"], group_names=[], split="test"), "'a', not in group_names"),
        (lambda: accuracy([0], [0], ["a"], group_names=["a", "a"], split="test"), "twice"),
        (lambda: accuracy([0, 1], [0, 1], ids=["x", "x"], split="test"), "'x' twice"),
        (lambda: accuracy([0, 1], [0, 1], ids=["x", None], split="test"), "None in ids"),
        (lambda: accuracy([0, 1], [0, 1], ids=[[1], [2]], split="test"), "list as id"),
        (lambda: accuracy([0, 1], [-1, -1], split="test"), "none with a label"),
        (lambda: accuracy([0], [0], split=""), "split=''"),
        (lambda: accuracy([0], [0], split="test", level=1.5), "level=1.5"),
        (lambda: accuracy([0], [0], split="test", replicates=2.5), "replicates=2.5"),
        (lambda: OK.average("mean"), "plain group_mean train_weighted"),
        (lambda: OK.average("train_weighted"), "without weights.*training size"),
        (lambda: OK.average("plain", {"a": 1, "b": 1}), 'convention="train_weighted"'),
        (lambda: OK.average("train_weighted", {"a": 1}), "no weight for 'b'"),
        (lambda: OK.average("train_weighted", {"a": 1, "b": 1, "c": 2}), "'c', without images"),
        (lambda: OK.average("train_weighted", {"a": -1, "b": 2}), "none negative"),
        (lambda: OK.average("train_weighted", {"a": 0, "b": 0}), "not all 0"),
        (lambda: OK.average("train_weighted", {"a": float("nan"), "b": 1}), "nan"),
        (lambda: OK["c"], "one of 'a', 'b'"),
        (lambda: change(OK, accuracy([0], [0], split="test")), "4 and 1 images"),
        (lambda: change(OK, made_of([1, 1], [2, 2], ("a", "c"))), "different groups"),
        (lambda: change(OK, made_of([1, 1], [2, 2], ("a", "b"), ids=list("wxyz"))), "ids"),
        (lambda: confusion([0, 2], [0, 1], ["a", "b"]), "below 2"),
        (lambda: confusion([0, 1], [0, -1], ["a", "b"]), "-1"),
        (lambda: confusion([0, 1], [True, False], ["a", "b"]), "class indices"),
    ],
)
def test_bad_input_is_refused_in_words(call: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()  # type: ignore[operator]


def test_weights_of_zero_for_an_absent_group_are_harmless() -> None:
    assert OK.average("train_weighted", {"a": 1, "b": 1, "c": 0}).value == 0.5


@settings(max_examples=40)
@given(st.integers(1, 50), st.integers(0, 50))
def test_extremes_keep_a_width(n: int, wrong: int) -> None:
    result = made_of([n] + [0] * (wrong > 0), [n] + [wrong] * (wrong > 0), ("a", "b")[: 1 + (wrong > 0)])
    for item in (result.worst, result.average(), result.average("group_mean")):
        assert 0 < item.interval.width <= 1
        assert item.value in item.interval


def test_more_images_never_widen_a_wilson_interval() -> None:
    widths = [made_of([n // 2], [n], ("a",)).average().interval.width for n in (10, 100, 1000)]
    assert all(wide > narrow for wide, narrow in pairwise(widths))
