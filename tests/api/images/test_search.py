"""Text → image search, and two models on the same images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from families import build

import toolkit as tk
from toolkit.labs.ablation import AblationSession
from toolkit.labs.two_models import SecondModel


@pytest.fixture(scope="module")
def acts() -> tk.Acts:
    return tk.extract(tk.load(), tk.scenes("val", n=160, kind="birds"), progress=False)


def test_search_orders_by_the_cosine_of_the_whole_embedding(acts: tk.Acts) -> None:
    found = tk.search(acts, "water")
    text = acts.model.encode_text(["water"])[0]
    expected = torch.nn.functional.normalize(acts.model.encode_image(acts.samples), dim=-1) @ text
    assert found.cosines == pytest.approx(np.sort(expected.numpy())[::-1], abs=1e-5)
    assert list(found.ids) == list(acts.ids[np.argsort(-expected.numpy(), kind="stable")])
    frame = found.to_dataframe()
    assert list(frame.columns) == ["id", "label", "group", "cosine"]
    assert len(frame) == len(found) == 160
    assert str(found).startswith("“water”: 160 images")


def test_a_contrast_finds_the_background(acts: tk.Acts) -> None:
    top = tk.search(acts, "water", against="land", top=20)
    assert sum(group.endswith("on water") for group in top.groups) >= 18
    assert top.cosines[0] == pytest.approx(
        float(_cosine(acts, "water", top.ids[0]) - _cosine(acts, "land", top.ids[0]))
    )


def _cosine(acts: tk.Acts, text: str, name: str) -> float:
    return float(acts.where(id=name).embedding[0] @ acts.model.encode_text([text])[0])


def test_unknown_words_are_said_not_swallowed(acts: tk.Acts) -> None:
    found = tk.search(acts, "a zebra on water", top=1)
    assert "zebra" in found.unknown
    assert "zebra" in str(found)


@pytest.mark.parametrize("text", ["", "  ", None, 3])
def test_search_refuses_no_text(acts: tk.Acts, text: object) -> None:
    with pytest.raises(tk.InputError, match="a text with at least one word"):
        tk.search(acts, text)  # type: ignore[arg-type]


@pytest.mark.parametrize("top", [0, -1, 2.5, True])
def test_search_refuses_a_wrong_count(acts: tk.Acts, top: object) -> None:
    with pytest.raises(tk.InputError, match="whole number of at least 1"):
        tk.search(acts, "water", top=top)  # type: ignore[arg-type]


def test_search_wants_parts_and_their_model(acts: tk.Acts) -> None:
    with pytest.raises(tk.InputError, match="the parts of a data set"):
        tk.search(acts.samples, "water")  # type: ignore[arg-type]
    with pytest.raises(tk.InputError, match="live model"):
        tk.search(tk.Acts(acts._store), "water")


def test_an_edit_beside_its_model_predicts_as_the_edit_says(acts: tk.Acts) -> None:
    birds = tk.classes(["waterbird", "landbird"])
    few = acts.draw(per_class=20)
    edit = tk.edit(few, birds, "L3.H7 L3.H5", alpha=50, steps=60)
    second = SecondModel(AblationSession(acts, birds), edit)
    found = second.outcome()
    first = second.labs()[0].images.acts
    assert second.used == 40
    assert not set(first.ids) & set(few.ids), "an edit is not judged on what it was made from"
    moved = torch.nn.functional.normalize(first.embedding * edit.theta.to(first.embedding), dim=-1)
    assert list(found.after) == (moved @ birds.vectors(acts.model).T).argmax(1).tolist()
    assert list(found.before) == (first.embedding @ birds.vectors(acts.model).T).argmax(1).tolist()
    same = SecondModel(AblationSession(acts, birds), edit.again(steps=0)).outcome()
    assert list(same.before) == list(same.after)
    assert same.change.worst.after == same.change.worst.before


def test_a_second_model_of_another_shape_stands_beside_the_first(acts: tk.Acts) -> None:
    birds = tk.classes(["waterbird", "landbird"])
    other = tk.wrap(build("vit-finer-grid"), tokenizer=_letters)
    lab = AblationSession(acts.take(range(24)), birds)
    second = SecondModel(lab, other)
    found = second.outcome()
    unit = torch.nn.functional.normalize(other.encode_image(lab.images.acts.samples), dim=-1)
    assert list(found.after) == (unit @ birds.vectors(other).T).argmax(1).tolist()
    first, theirs = second.maps("A", None)
    assert first.table is not None
    assert theirs.heads == other.card.heads
    a, b = second.looks(str(acts.ids[0]), "a bird", "")
    assert a.total != b.total
    assert (a.grid, b.grid) == (acts.card.grid, other.card.grid)


def test_the_same_model_beside_itself_differs_in_nothing(acts: tk.Acts) -> None:
    birds = tk.classes(["waterbird", "landbird"])
    lab = AblationSession(acts.using("reference"), birds, minority=["landbird on water"])
    second = SecondModel(lab, acts.model)
    for kind in ("A", "C", "LTC"):
        first, other = second.maps(kind, None)
        np.testing.assert_allclose(first.table, other.table, atol=1e-6)


def test_where_nobody_is_wrong_so_the_true_class_is_asked(acts: tk.Acts) -> None:
    birds = tk.classes(["waterbird", "landbird"])
    images = AblationSession(acts, birds).images
    wrong = (images.truth == birds.index("landbird")) & (images.guess == birds.index("waterbird"))
    without = acts.where(id=list(images.acts.ids[~wrong.numpy()]))
    lab = AblationSession(without, birds)
    table = lab.map("text", ("landbird", "waterbird"), "zero", "")
    other = lab.map("text", ("waterbird", "landbird"), "zero", "")
    rows = lab.images.truth == birds.index("landbird")
    texts = birds.vectors(acts.model)
    toward = texts[birds.index("waterbird")] - texts[birds.index("landbird")]
    expected = (lab.images.acts.heads[rows] @ toward.to(torch.float32)).mean(0)
    np.testing.assert_allclose(table, expected.numpy(), atol=1e-6)
    assert np.corrcoef(table.ravel(), other.ravel())[0, 1] < 0.99
    assert [side.table for side in SecondModel(lab, acts.model).maps("text", ("landbird", "waterbird"))] == [None, None]


def _letters(texts: list[str]) -> torch.Tensor:
    rows = [[1 + ord(c) % 47 for c in text[-7:].rjust(7)] + [49] for text in texts]
    return torch.tensor(rows)


def test_two_models_refuse_anything_else(acts: tk.Acts) -> None:
    birds = tk.classes(["waterbird", "landbird"])
    with pytest.raises(tk.InputError, match="a Model"):
        SecondModel(AblationSession(acts, birds), "ViT-B-16")
    vectors = tk.classes(["waterbird", "landbird"], vectors=birds.vectors(acts.model))
    with pytest.raises(tk.InputError, match="without vectors"):
        SecondModel(AblationSession(acts, vectors), tk.wrap(build("vit"), tokenizer=_letters))
