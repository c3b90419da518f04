"""Edits of strengths, of directions and of class vectors: what they do, their words, files and maps; what is
refused."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch

import toolkit as tk

HEADS = "L3.H7 L3.H5 L2.H2"
STRATEGIES = ("strengths", "strengths all", "directions 2", "class vectors")


@pytest.fixture(scope="module")
def few(pool):
    return pool.draw(per_class=10)


@pytest.fixture(scope="module", params=STRATEGIES)
def made(request, few, every, val):
    return tk.edit(few, every, HEADS, strategy=request.param, held_out=val)


def literal(edit, acts):
    """y [b, d], one head at a time, from the parts."""
    heads, y = acts.heads.double(), acts.embedding.double().clone()
    if edit.strategy.name == "class vectors":
        return y
    if edit.strategy.name == "directions 2":
        change = edit.strategy.change(edit.theta)
        for i, (layer, head) in enumerate(change.heads):
            k = acts.mixes.shape[-1]
            own = torch.linalg.lstsq(acts.head_maps[layer, head, :k].double().T, heads[:, layer, head].T).solution.T
            y += own @ change.matrices[i, :k, :k] @ acts.head_maps[layer, head, :k].double()
        return y
    for name, g in edit.strengths.items():
        ((layer, head),) = tk.HeadSet.of(name).heads
        y += (g - 1) * heads[:, layer, head]
    return y


def test_what_it_does_is_the_formula(made, few, every, val):
    expected = literal(made, val)
    torch.testing.assert_close(made.apply(val).double(), expected, rtol=0, atol=2e-6)
    torch.testing.assert_close(made.apply(val.parts()).double(), expected, rtol=0, atol=2e-6)
    texts = made.classes.vectors(val.live).double()
    guess = (expected @ texts.T).argmax(1)
    right = (guess == torch.from_numpy(every.encode(val.labels))).numpy()
    birds = np.isin(val.labels, ["landbird", "waterbird"])
    assert made.success.average.value == pytest.approx(right[birds].mean(), abs=0.01)
    assert made.locality.value == pytest.approx(right[~birds].mean(), abs=0.01)
    logits = made.logits(val, every)
    assert (logits.argmax(1) == guess).double().mean() > 0.995
    # the loss is that of the formula as well
    e = literal(made, few)
    student = torch.log_softmax(few.card.logit_scale * torch.nn.functional.normalize(e, dim=-1) @ texts.T, -1)
    truth = torch.from_numpy(every.encode(few.labels))
    assert made.loss().ce == pytest.approx(float(-student[torch.arange(len(e)), truth].mean()), abs=1e-5)


def test_theta_is_a_function_of_its_arguments(made, few, every):
    kept = made.settings["rate"], made.settings["bounds"]
    again = tk.edit(few, every, HEADS, strategy=made.strategy.name)
    assert torch.equal(again.theta, made.theta)
    assert torch.equal(made.again(alpha=1).again(alpha=10).theta, made.theta)
    assert (again.settings["rate"], again.settings["bounds"]) == kept
    assert torch.equal(made.at(40).theta, made.again(steps=40).theta)
    other = made.again(strategy="diagonal")
    assert torch.equal(other.theta, tk.edit(few, every, HEADS).theta), "with the diagonal's own rate, and no bounds"
    curve = made.curve(4)
    assert curve["worst"].iloc[-1] == pytest.approx(made.success.worst.value)
    assert curve["locality"].iloc[-1] == pytest.approx(made.locality.value)
    assert made.history.total[-1] == pytest.approx(made.loss().total)


def test_bounds_hold_and_zero_steps_are_the_model_as_it_is(made, few, every, val):
    none = made.again(steps=0)
    assert none.success.average.value == none.success.change.before.average("plain").value
    assert none.locality.agreement.value == 1
    if made.strategy.name == "class vectors":
        return
    assert (made.theta >= 0).all()
    assert (made.theta <= 2).all()
    tight = made.again(bounds=(0.9, 1.05))
    assert float(tight.theta.min()) >= 0.9
    assert float(tight.theta.max()) <= 1.05
    assert torch.equal(tight.again().theta, tight.theta)


def test_the_frontier_is_the_single_edits(made, few, every, val):
    name = made.strategy.name
    plane = tk.frontier(few, every, HEADS, [0, 10], [1, 10], held_out=val, steps=30, strategy=name)
    for (i, a), (j, b) in itertools.product(enumerate((0, 10)), enumerate((1, 10))):
        one = tk.edit(few, every, HEADS, a, b, 30, name, held_out=val)
        assert plane.success[0, i, j] == pytest.approx(one.success.average.value)
        assert plane.worst[0, i, j] == pytest.approx(one.success.worst.value)
        assert plane.locality[0, i, j] == pytest.approx(one.locality.value)
    assert torch.equal(plane.edit(10, 10).theta, made.again(steps=30).theta)
    assert plane.settings["rate"] == made.settings["rate"]


def test_files_hold_all_of_it(made, few, val, tmp_path):
    path = made.save(tmp_path / "mine.safetensors")
    alone, whole = tk.load_edit(path), tk.load_edit(path, few, held_out=val)
    for one in (alone, whole):
        assert torch.equal(one.theta, made.theta)
        assert one.strategy.name == made.strategy.name
        torch.testing.assert_close(one.apply(val), made.apply(val), rtol=0, atol=0)
    assert torch.equal(whole.again().theta, made.theta)
    assert whole.success.worst.value == made.success.worst.value
    assert whole.loss() == pytest.approx(made.loss())
    told = json.loads(path.with_suffix(".json").read_text())
    assert told["strategy"] == made.strategy.name
    if made.strategy.name != "class vectors":
        assert alone.strengths == made.strengths
        del told["scaled"]
        from safetensors.torch import save_file

        save_file({"theta": made.theta}, tmp_path / "b.safetensors", {"edit": json.dumps(told)})
        with pytest.raises(tk.InputError, match="without scaled"):
            tk.load_edit(tmp_path / "b.safetensors")


def test_it_is_told_in_words(made, val):
    seen = made.inspect()
    name = made.strategy.name
    if name == "class vectors":
        assert [one.name for one in seen.classes] == ["landbird", "waterbird"]
        assert all(by > 0 for _, by in seen.classes[0].closer)
        assert "landbird: closer to “" in str(seen)
        assert seen.heads == pytest.approx(1)
        return
    assert {one.name: one.strength for one in seen.strengths} == made.strengths
    far = [abs(one.strength - 1) for one in seen.strengths]
    assert far == sorted(far, reverse=True)
    first = seen.strengths[0]
    assert len(first.texts) == 3
    assert str(seen).startswith(f"{first.name} × {first.strength:.2f}: {first.texts[0]}, ")
    if name == "strengths":
        table = np.ones((4, 8))
        for one, g in made.strengths.items():
            table[tk.HeadSet.of(one).heads[0]] = g
        ratio = seen.heads / table
        assert ratio[table > 0] == pytest.approx(np.full((table > 0).sum(), ratio[0, 0]), rel=1e-6)


def test_maps_show_the_edited_model(made, val, every, model):
    images = tk.scenes("test", 3, 8)
    parts = tk.extract(model, images, progress=False)
    y = torch.nn.functional.normalize(literal(made, parts), dim=-1)
    texts = made.classes.vectors(model).double()
    at, other = every.index("landbird"), every.index("waterbird")
    for traced in (False, True):
        source = tk.trace_tokens(model, images).map if traced else None
        pair = tk.classes(["landbird", "waterbird"])
        how = {"text": "landbird", "against": pair, "edit": made}
        found = source(**how) if source else tk.token_map(model, images, **how)
        assert found.total.tolist() == pytest.approx((y @ (texts[at] - texts[other])).tolist(), abs=1e-5)
        whole = found.values.sum((1, 2)) + found.rest.sum(-1)
        assert whole.tolist() == pytest.approx(found.total.tolist(), abs=1e-5)
    one = tk.token_map(model, images[0], "landbird", against=pair, heads="L3.H7", edit=made)
    plain = tk.token_map(model, images[0], "landbird", against=pair, heads="L3.H7")
    if made.strategy.name == "strengths":
        norm = float(literal(made, parts)[0].norm())
        assert one.values == pytest.approx(plain.values * made.strengths["L3.H7"] / norm, abs=1e-6)


def test_two_edits_are_compared(made, val):
    other = made.again(strategy="diagonal")
    found = tk.compare(other, made)
    assert found.outcomes[1].success.worst.value == made.success.worst.value
    assert found.heads.shape == (4, 8)
    assert len(found.predictions) > 0
    assert found.token_map(tk.scenes("test", 2, 3), "a landbird").values.shape == (2, 8, 8)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"heads": (), "alpha": 0}, "no heads with strategy='strengths'"),
        ({"heads": "L3.H7 L2.H1 L3.H7"}, "L3.H7 named more than once"),
        ({"heads": [(3, 7), "L3.H7"]}, "L3.H7 named more than once"),
        ({"bounds": (1.2, 2)}, "low ≤ 1 ≤ high"),
        ({"bounds": (0, 0.5)}, "low ≤ 1 ≤ high"),
        ({"bounds": 2}, "low ≤ 1 ≤ high"),
        ({"bounds": (0, float("nan"))}, "low ≤ 1 ≤ high"),
        ({"bounds": (0, 2), "strategy": "full"}, "bounds of “diagonal”"),
        ({"bounds": (0, 2), "strategy": "diagonal", "nonnegative": True}, "nonnegative=True"),
        ({"ridge": -1}, "ridge=-1"),
        ({"strategy": ["strengths"]}, "strategy=['strengths']"),
        ({"strategy": "directions 0"}, "strategy='directions 0'"),
        ({"strategy": "directions 17"}, "of directions to 16"),
        ({"strategy": "strengths some"}, "strategy='strengths some'"),
        ({"nonnegative": True}, "nonnegative=True with strategy='strengths'"),
        ({"strategy": "strengths all", "layers": [9]}, "9"),
    ],
)
def test_bad_arguments(few, every, words, message):
    with pytest.raises(tk.InputError) as error:
        tk.edit(few, every, **({"heads": HEADS, "strategy": "strengths"} | words))
    assert message in str(error.value)
    assert "To fix" in str(error.value)


def test_bare_embeddings_are_refused_where_heads_are_scaled(made, val, every, few):
    e = val.embedding
    if made.strategy.name == "class vectors":
        torch.testing.assert_close(made.apply(e), e)
        with pytest.raises(tk.InputError, match="it moves vectors by name"):
            made.logits(e, every.vectors(val.live))
        with pytest.raises(tk.InputError, match="strengths of heads"):
            made.strengths  # noqa: B018
        return
    for call in (lambda: made.apply(e), lambda: made.logits(e, every)):
        with pytest.raises(tk.InputError, match="it scales heads") as error:
            call()
        assert "extract" in str(error.value)


def test_layers_of_strengths_all(few, every, tmp_path):
    last = tk.edit(few, every, HEADS, strategy="strengths all", layers=-1, steps=2)
    assert list(last.strengths) == [f"L3.H{i}" for i in range(8)]
    assert torch.equal(tk.load_edit(last.save(tmp_path / "a.safetensors"), few).again().theta, last.theta)
    whole = tk.edit(few, every, (), alpha=0, strategy="strengths all", steps=2)
    assert len(whole.strengths) == 32
    assert whole.settings["ridge"] == tk.edit(few, every, HEADS, strategy="strengths all", steps=1).settings["ridge"]


def test_class_sets_of_others(few, every, val, model):
    """The unrelated set has classes of its own: of the same name they move as far, the others stay."""
    birds = tk.classes(["landbird", "waterbird"])
    made = tk.edit(few, every, alpha=0, strategy="class vectors", unrelated={"birds": (val, birds)}, held_out=val)
    found = made.on().unrelated[0]
    texts = made.classes.vectors(model)[[every.index(n) for n in birds.names]]
    expected = (val.embedding @ texts.to(val.embedding).T).argmax(1)
    before = (val.embedding @ birds.vectors(model).T).argmax(1)
    assert found.agreement.right == int((expected == before).sum())


def test_strengths_that_are_held(few, every, val, tmp_path):
    """They stay, the others answer; again, frontier and files know of them."""
    made = tk.edit(few, every, HEADS, strategy="strengths", held_out=val, hold={"L3.H7": 0.5})
    assert made.strengths["L3.H7"] == 0.5
    assert made.settings["hold"] == {"L3.H7": 0.5}
    free = tk.edit(few, every, HEADS, strategy="strengths", held_out=val)
    assert free.settings["hold"] == {}
    others = [name for name in free.strengths if name != "L3.H7"]
    assert any(abs(free.strengths[name] - made.strengths[name]) > 1e-3 for name in others)
    assert torch.equal(made.again().theta, made.theta)
    assert made.again(alpha=0).strengths["L3.H7"] == 0.5
    assert made.again(hold=None).strengths == free.strengths
    assert made.again(strategy="diagonal").settings["hold"] == {}
    plane = tk.frontier(few, every, HEADS, [0, 10], [0, 10], held_out=val, strategy="strengths", hold={(3, 7): 0.5})
    assert torch.allclose(plane.edit(10, 10).theta, made.theta)
    assert plane.success[0, 1, 1] == pytest.approx(float(made.success))
    again = tk.load_edit(made.save(tmp_path / "held.safetensors"), few, every)
    assert torch.equal(again.theta, made.theta)
    assert torch.equal(again.again().theta, made.theta)
    assert made.gap >= 0
    everything = dict.fromkeys(free.strengths, 0)
    off = tk.edit(few, every, HEADS, strategy="strengths", held_out=val, hold=everything)
    assert set(off.strengths.values()) == {0}
    assert float(off.success) == pytest.approx(_off(val, every, HEADS), abs=1e-12), "all of them held at 0: heads off"


def _off(val, every, heads):
    left = tk.ablate(val, every, heads).embedding
    right = every.predict(left, val.live).numpy() == every.encode(val.labels)
    return right[np.isin(val.labels.astype(str), ["waterbird", "landbird"])].mean()


@pytest.mark.parametrize(
    ("hold", "strategy", "words"),
    [
        ({"L3.H7": 0.5}, "diagonal", "strategy='diagonal'"),
        ({"L3.H7": 0.5}, "directions 2", "directions"),
        ({"L0.H0": 0.5}, "strengths", "L0.H0, which is not scaled"),
        ({"L3.H7": 3}, "strengths", "from 0 to 2"),
        ({"L3.H7": float("nan")}, "strengths", "from 0 to 2"),
        ({"L3.H7": True}, "strengths", "from 0 to 2"),
        (["L3.H7"], "strengths", "mapping"),
    ],
)
def test_what_cannot_be_held(few, every, hold, strategy, words):
    with pytest.raises(tk.InputError, match=words):
        tk.edit(few, every, HEADS, strategy=strategy, hold=hold)
