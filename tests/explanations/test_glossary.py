"""The field's words: true of this code where that can be measured, found by name, and the same in the docs."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

import toolkit as tk
from toolkit.explanations.glossary import page

DOCS = Path(tk.__file__).parent.parent / "docs"


def test_the_page_is_the_one_that_is_made():
    assert (DOCS / "glossary.md").read_text(encoding="utf-8") == page(), "run docs/make.py"
    assert "(glossary.md)" in (DOCS / "concepts.md").read_text(encoding="utf-8")


def test_every_term_is_found_by_its_name_in_any_case():
    found = tk.glossary()
    assert len(found) == len(found.terms) >= 35
    assert len({term.name.casefold() for term in found}) == len(found)
    for term in found:
        assert found[term.name.upper()] is term
        assert tk.glossary(f" {term.name} ") is term
        assert term.says.endswith(".")
        assert 20 < len(term.says) < 290
        assert term.says.count(". ") <= 2, "two sentences, or three short ones"
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.terms[0].says = "another"


@pytest.mark.parametrize(("asked", "near"), [("hed", "'head'"), ("textspam", "'TextSpan'"), ("contrats", "contrast")])
def test_a_word_it_does_not_hold_is_answered_with_the_nearest(asked, near):
    with pytest.raises(tk.InputError, match=f"did you mean .*{near}"):
        tk.glossary(asked)


@pytest.mark.parametrize("asked", ["", 7, "zzzzzz"])
def test_what_is_no_word_is_refused(asked):
    with pytest.raises(tk.InputError, match=r"look through tk\.glossary"):
        tk.glossary()[asked]


def test_as_table_text_and_markdown():
    found = tk.glossary()
    table = found.to_dataframe()
    assert list(table.columns) == ["name", "says", "formula", "reference"]
    assert list(table["says"]) == [term.says for term in found]
    for term in found:
        assert f"{term.name}: {term.says}" in repr(found)
        assert term._repr_markdown_() in found._repr_markdown_()
        assert term.says in term._repr_markdown_()
        assert "<" not in term.says + term.formula or "‖" in term.formula
    assert not re.search(r"<[a-z/!]", repr(found), re.IGNORECASE)


# what is said is what the code does


@pytest.fixture(scope="module")
def acts():
    return tk.extract(tk.load(), tk.scenes("edit", n=80, kind="birds"), progress=False)


@pytest.fixture(scope="module")
def scores(acts):
    return tk.locate(acts, tk.classes(["waterbird", "landbird"]), true="landbird", predicted="waterbird")


def test_badness_is_said_with_the_signs_of_the_code(scores):
    for sign, name in zip(tk.glossary("badness").formula.split(", "), scores.names, strict=True):
        raw = getattr(scores, name)
        assert np.allclose(scores.badness(name), -raw if sign.startswith("−") else raw)
        assert sign[-1].lower() == name


def test_numbers_that_are_named_are_those_of_the_code(scores, acts):
    import inspect

    top = inspect.signature(tk.Scores.stability).parameters["top"].default
    assert f"({top} by default)" in tk.glossary("stability").says
    assert f"up to {inspect.signature(tk.Scores.choose).parameters['top'].default} heads" in re.sub(
        r"\s+", " ", tk.glossary("Algorithm 1").says
    )
    assert inspect.signature(tk.Scores.choose).parameters["guard"].default is True, "no head at all is compared too"
    assert inspect.signature(tk.extract).parameters["convention"].default == "separate"
    band = scores.interval["a"]
    assert f"{100 * band.level:g} %" in tk.glossary("interval").says


def test_the_sum_is_the_sum_that_is_said():
    parts = tk.decompose(tk.load(), tk.scenes("test", n=2))
    total = parts.heads.sum((1, 2)) + parts.mlps.sum(1) + parts.biases.sum(1) + parts.constant + parts.residual
    assert np.allclose(total, parts.embedding, atol=1e-6)
    assert np.allclose(parts.embedding.norm(dim=1), 1, atol=1e-5), "the unit scale"
    said = tk.glossary("direct sum exactness").formula
    assert all(word in said for word in ("heads", "MLPs", "biases", "constant", "residual"))


def test_strength_is_what_is_said(acts):
    birds = tk.classes(["waterbird", "landbird"])
    as_is = tk.ablate(acts, birds, "L3.H7 L3.H5", strength=1.0)
    assert not as_is.right
    assert not as_is.wrong
    from toolkit.core.ablation import ablate_direct

    parts = tk.decompose(tk.load(), tk.scenes("test", n=3))
    c = parts.heads[:, 3, 7]
    for strength in (0.0, 0.5, 2.0):  # E′ = E − (1 − strength) c
        expected = parts.embedding - (1 - strength) * c
        assert np.allclose(ablate_direct(parts, "L3.H7", strength=strength), expected, atol=1e-6)


def test_averages_are_the_conventions_of_the_code():
    right, groups = [True, True, True, False], ["a", "a", "a", "b"]
    found = tk.accuracy(right, groups=groups, split="test")
    assert found.average("plain").value == 0.75
    assert found.average("group_mean").value == 0.5
    weighted = found.average("train_weighted", weights={"a": 1, "b": 3}).value
    assert weighted == 0.25
    assert all(name in tk.glossary("average").says for name in ("plain", "group_mean", "train_weighted"))


def test_terms_are_found_under_their_other_names():
    from toolkit.explanations.terms import ALSO

    assert all(tk.glossary(also).name == name for also, name in ALSO.items())
    assert tk.glossary("de_b") == tk.glossary("DE_A … DE_D")
