"""The workbook: what was first said stays, files are whole, other notebooks' entries are never lost."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit as tk
from toolkit.explanations import workbook as module
from toolkit.explanations.workbook import Workbook, workbook


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(module, "_current", Workbook())


def test_the_first_guess_stays():
    book = Workbook()
    book.predicted(question="how many?", guess=3, truth=7)
    book.predicted(question="how many?", guess=7, truth=7.5)
    (row,) = book.predictions
    assert (row["guess"], row["truth"], row["again"]) == (3, 7.5, 1)


def test_what_was_passed_stays_passed_with_its_answer():
    book = Workbook()
    for passed, answer in ((False, "a"), (True, "b"), (False, "c")):
        book.tried(exercise="x", passed=passed, answer=answer, reasons=[answer], hints=0, solution=False)
    (row,) = book.exercises
    assert (row["passed"], row["answer"], row["reasons"], row["tries"]) == (True, "b", ["b"], 3)
    book.helped(exercise="x", hints=3, solution=True)  # reading on afterwards is nobody's business
    assert book.exercises[0]["solution"] is False


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3), max_leaves=8,
))  # fmt: skip
def test_any_answer_becomes_json(answer):
    book = Workbook()
    book.tried(exercise="x", passed=False, answer=answer, reasons=[], hints=0, solution=False)
    json.dumps(book.to_dict(), allow_nan=False)


def test_arrays_and_heads_become_plain():
    book = Workbook()
    book.predicted(question="q", guess=np.float32(2), truth={"a": np.array([1.0, np.nan])})
    book.tried(exercise="x", passed=True, answer=tk.HeadSet.of("L1.H2"), reasons=[], hints=0, solution=False)
    assert book.predictions[0]["truth"] == {"a": [1.0, None]}
    assert book.exercises[0]["answer"] == "L1.H2"


@pytest.mark.parametrize("text", ["", "  ", None, 3, "x" * 20_001])
def test_what_is_no_note_is_refused(text):
    book = Workbook()
    with pytest.raises(tk.InputError, match="1 to 20,000"):
        book.note(text)
    assert not book


def test_two_notebooks_share_a_file(tmp_path):
    path = tmp_path / "ada.json"
    one, two = Workbook("Ada", path), Workbook(path=path)
    one.note("first")
    two.note("second")
    one.predicted(question="q", guess=None, truth=1)
    assert [n["text"] for n in Workbook(path=path).notes] == ["first", "second"]
    assert two.name == "Ada"
    assert len(two.predictions) == 1


def test_many_threads_lose_nothing(tmp_path):
    path = tmp_path / "a.json"
    books = [Workbook(path=path) for _ in range(4)]
    threads = [threading.Thread(target=lambda b=b: [b.note(f"{id(b)} {i}") for i in range(5)]) for b in books]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Workbook(path=path).notes) == 20
    assert not list(tmp_path.glob(".*part*"))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 2, "name": "", "notes": []}'])
def test_a_file_of_another_kind_is_left_alone(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_text(content)
    before = workbook()
    with pytest.raises(tk.InputError):
        workbook(path=path)
    assert path.read_text() == content
    assert workbook() is before


def test_what_was_written_before_goes_with_it(tmp_path):
    workbook("Ada").note("early")
    book = workbook(path=tmp_path / "ada.json")
    assert [n["text"] for n in book.notes] == ["early"]
    assert book.name == "Ada"
    assert workbook() is book
    assert workbook(path=tmp_path / "ada.json") is book
    assert "1 note" in repr(book)


def test_a_place_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(tk.InputError, match=r"ending in \.json"):
        Workbook(path=tmp_path / "a.txt")
    (tmp_path / "file").write_text("in the way")
    book = Workbook(path=tmp_path / "file" / "book.json")
    with pytest.raises(tk.StoreError, match="a file to write"):
        book.note("lost?")


def test_half_characters_are_kept_as_text(tmp_path):
    book = Workbook("A\ud800", tmp_path / "a.json")
    book.note("x\udfff")
    assert "\\udfff" in Workbook(path=book.path).notes[0]["text"]


def test_a_new_session_takes_no_help_back(tmp_path):
    book = Workbook(path=tmp_path / "a.json")
    book.helped(exercise="x", hints=3, solution=True)
    Workbook(path=book.path).tried(exercise="x", passed=True, answer=1, reasons=[], hints=0, solution=False)
    (row,) = book.exercises
    assert (row["hints"], row["solution"], row["passed"]) == (3, True, True)


def test_a_name_is_written_on_a_book_that_is_there(tmp_path):
    Workbook("Ada", tmp_path / "a.json").note("here")
    assert Workbook("Grace", tmp_path / "a.json").name == "Grace"
    assert Workbook(path=tmp_path / "a.json").name == "Grace"


def test_a_name_alone_goes_along(tmp_path):
    workbook("Ada")
    assert workbook(path=tmp_path / "a.json").name == "Ada"


def test_books_are_joined_without_losing_a_pass_or_a_first_guess(tmp_path):
    kept = Workbook("Ada", tmp_path / "a.json")
    kept.tried(exercise="x", passed=False, answer="a", reasons=[], hints=1, solution=False)
    kept.predicted(question="q", guess=1, truth=3)
    kept.note("same", about="L1.H1")
    mine = workbook()
    mine.tried(exercise="x", passed=True, answer="b", reasons=[], hints=0, solution=False)
    mine.predicted(question="q", guess=2, truth=3)
    mine.note("same", about="L2.H2")
    joined = workbook(path=kept.path)
    (row,) = joined.exercises
    assert (row["passed"], row["answer"], row["tries"], row["hints"]) == (True, "b", 2, 1)
    assert [p["guess"] for p in joined.predictions] == [1]
    assert [n["about"] for n in joined.notes] == ["L1.H1", "L2.H2"]


def test_rows_that_lack_something_are_completed(tmp_path):
    content = {"format": 1, "name": "x", "predictions": [{"question": "q"}], "notes": [{"text": "t", "about": 7}],
               "exercises": [{"exercise": "e", "reasons": 7, "passed": "yes", "tries": -1}]}  # fmt: skip
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content).replace("7", "NaN", 1))
    found = Workbook(path=path).to_dict()
    json.dumps(found, allow_nan=False)
    assert found["predictions"][0]["truth"] is None
    assert found["notes"][0]["about"] == ""
    assert found["exercises"][0] == {
        "exercise": "e", "reasons": [], "passed": False, "tries": 0, "hints": 0, "solution": False, "answer": None,
    }  # fmt: skip
