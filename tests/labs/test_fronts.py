"""The fronts of strategies: each is `tk.frontier` of the draws, coarse ones come first, what is sent is its band."""

from __future__ import annotations

import numpy as np
import pytest

import toolkit as tk
from toolkit.labs.edit import EditSession, Settings
from toolkit.labs.fronts import FRONTED, LEVELS, any_strategy, front_weights, fronts, in_background, sent

SETTINGS = Settings(10.0, 10.0, 5, "strengths", None, False, ((3, 7), (3, 5)), None)


def drawn(seed):
    return tk.extract(tk.load(), tk.scenes("edit", 60, seed, kind="birds"), progress=False).draw(per_class=6)


@pytest.fixture(scope="module")
def draws():
    return [drawn(5), drawn(6), drawn(7)]


@pytest.fixture(scope="module")
def val():
    return tk.extract(tk.load(), tk.scenes("val", 120, 5), progress=False)


@pytest.fixture(scope="module")
def every(val):
    return tk.classes(sorted(set(val.labels)))


@pytest.fixture(scope="module")
def session(draws, every, val):
    return EditSession(draws[0], every, val, draws=draws[1:])


@pytest.fixture(scope="module")
def made(session):
    told = []
    found, left = fronts(
        session, SETTINGS, lambda some: told.append({name: one.success.size for name, one in some.items()})
    )
    return found, left, told


def test_each_is_the_frontier_of_all_draws(made, draws, every, val):
    found, left, _ = made
    assert set(found) == set(FRONTED)
    assert left == 0
    weights = front_weights(val.card.logit_scale)
    assert len(weights) == 9
    same = tk.frontier(draws, every, "L3.H7 L3.H5", weights, weights, held_out=val, steps=5, strategy="directions 2")
    np.testing.assert_array_equal(found["directions 2"].success, same.success)
    np.testing.assert_array_equal(found["directions 2"].locality, same.locality)
    assert found["strengths"].success.shape == (3, 9, 9)


def test_coarse_ones_come_first_and_the_strategy_looked_at_before_the_others(made):
    told = made[2]
    assert list(told[0]) == ["strengths"]
    assert told[len(FRONTED) - 1] == dict.fromkeys(FRONTED, 3 * 3 * 3)
    assert told[-1] == dict.fromkeys(FRONTED, 3 * 9 * 9)


def test_what_is_sent_is_the_band_over_draws(made):
    found = made[0]
    told = sent(found, SETTINGS, 2)
    assert told["of"] == any_strategy(SETTINGS).told
    assert (told["draws"], told["left"]) == (3, 2)
    assert {band["strategy"] for band in told["bands"]} == set(FRONTED)
    assert len(told["bands"]) == 3 * 2 * len(FRONTED)
    band = next(b for b in told["bands"] if (b["strategy"], b["across"], b["up"]) == ("strengths", "worst", "locality"))
    assert 0 < len(band["x"]) <= LEVELS
    one = found["strengths"]
    for level, y, low, high in zip(band["x"], band["y"], band["low"], band["high"], strict=True):
        best = [one.locality[i][one.worst[i] >= level - 1e-4].max() for i in range(3)]
        assert (y, low, high) == pytest.approx((np.mean(best), min(best), max(best)), abs=1e-4)


def test_draws_in_which_nobody_is_wrong_so_are_left_out(every, val, draws):
    guess = every.predict(draws[1].embedding, draws[1].live).numpy()
    right = draws[1].take(np.flatnonzero(guess == every.encode(draws[1].labels)).tolist())
    session = EditSession(draws[0], every, val, draws=[right])
    found, left = fronts(session, SETTINGS, lambda some: None)
    assert left == 1
    assert found["diagonal"].success.shape == (1, 9, 9)


def test_where_there_is_nothing_to_learn_from_there_are_none(session):
    nothing = SETTINGS._replace(heads=())
    found, left = fronts(session, nothing, lambda some: None)
    assert (found, left) == ({}, 3)
    assert sent(found, nothing, left)["bands"] == []


def test_strengths_that_are_held_stay_in_the_fronts(session):
    held = SETTINGS._replace(hold=(((3, 7), 1.0), ((3, 5), 1.0)))
    front = fronts(session, held, lambda some: None)[0]["strengths"]
    assert np.ptp(front.success.reshape(3, -1), axis=1).max() == 0, "with both held every cell is the model as it is"


def test_what_nobody_asked_for_can_be_switched_off(monkeypatch):
    monkeypatch.delenv("TOOLKIT_BACKGROUND", raising=False)
    assert in_background()
    monkeypatch.setenv("TOOLKIT_BACKGROUND", "0")
    assert not in_background()
