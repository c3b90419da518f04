"""From a student's explorer to the teacher's table."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import toolkit as tk
from toolkit import teach
from toolkit.teach import tasks
from toolkit.teach.tasks import TASKS


@pytest.fixture(scope="module")
def explorer():
    return tk.Explorer(tk.load(), tk.scenes("val", n=80, kind="birds"), engine=tk.Engine())


def work(name="Ada"):
    book = teach.workbook(name)
    question = teach.predict("How many?", low=0, high=10, truth=7, workbook=book, engine=tk.Engine())
    question.guess = 5
    question.reveal()
    teach.exercise("background heads").check("L3.H7 L3.H5")
    teach.note("sunset <b>not</b> background", about="L3.H5")
    return book


def test_a_report_carries_the_workbook(explorer, tmp_path):
    book = work()
    path = explorer.report(tmp_path / "ada.html")
    page = path.read_text()
    assert "Predictions of Ada" in page
    assert "sunset &lt;b&gt;not&lt;/b&gt; background" in page
    table = teach.collect(tmp_path)
    assert set(table["name"]) == {"Ada"}
    rows = {row.kind: row for row in table.itertuples()}
    assert (rows["prediction"].answer, rows["prediction"].truth) == (5, 7)
    assert rows["exercise"].passed is False
    assert "the light" in rows["exercise"].text
    assert rows["note"].about == "L3.H5"
    assert len(table) == len(book.predictions) + len(book.exercises) + len(book.notes) == 3


def test_without_entries_there_is_nothing_to_hand_in(explorer, tmp_path):
    page = explorer.report(tmp_path / "empty.html").read_text()
    assert '"workbook"' not in page
    assert "Exercises" not in page
    (row,) = teach.collect(tmp_path).itertuples()
    assert row.kind == "problem"


def test_a_forged_pass_does_not_survive_grading_again(tmp_path):
    path = tmp_path / "eve.json"
    book = teach.Workbook("Eve", path)
    book.tried(
        exercise="background heads", passed=True, answer="L3.H5", reasons=["✓ trust me"], hints=0, solution=False
    )
    book.tried(exercise="made up", passed=True, answer="x", reasons=[], hints=0, solution=False)
    before = teach.collect(path)
    assert before.passed.tolist() == [True, True]
    after = teach.collect([path], regrade=True)
    assert after.passed.tolist() == [False, None]
    assert "light" in after.text[0]
    assert book.exercises[0]["passed"] is True  # reading changes nothing
    assert teach.workbook().exercises == []


HOSTILE = {
    "empty.html": "", "none.html": "<p>hello", "no.json": "[]", "deep.json": "[" * 100_000,
    "format.json": '{"format": 2}', "kinds.json": '{"format": 1, "name": "x", "predictions": 3}',
    "rows.json": '{"format": 1, "name": "x", "predictions": [3], "exercises": [], "notes": []}',
    "script.html": '<script type="application/json" id="report">{"workbook": null}</script>',
}  # fmt: skip


def test_files_that_are_no_hand_ins_are_told_and_harm_nothing(tmp_path):
    for name, text in HOSTILE.items():
        (tmp_path / name).write_text(text)
    answers = [{"val-3-birds1-000000": []}, [10**400], {"a": {}}, "an array", float("nan"), None, [[1] * 3] * 3]
    rows = [{"exercise": task.title, "answer": answer, "reasons": 7} for task in TASKS for answer in answers]
    odd = {"format": 1, "name": "<b>", "predictions": [{"question": "q"}], "exercises": rows, "notes": []}
    (tmp_path / "odd.json").write_text(json.dumps(odd))
    (tmp_path / "bytes.html").write_bytes(b"\xff\xfe\x00")
    teach.Workbook("Ada", tmp_path / "good.json").note("here")
    table = teach.collect(tmp_path, regrade=True)
    assert set(table[table.kind == "problem"].file) == {*HOSTILE, "bytes.html"}
    assert not any(table[table.file == "odd.json"].passed)
    assert table[table.kind == "note"].text.tolist() == ["here"]


def test_odd_values_in_a_row_do_not_break_the_table(tmp_path):
    row = {"exercise": "exact sum", "passed": "yes", "tries": -3, "hints": "many", "reasons": None, "answer": {"a": []}}
    content = {"format": 1, "name": "x", "predictions": [], "exercises": [row], "notes": []}
    (tmp_path / "odd.json").write_text(json.dumps(content))
    (found,) = teach.collect(tmp_path, regrade=True).itertuples()
    assert found.passed is False
    assert (found.tries, found.hints) == (0, 0)


def test_the_table_of_the_instructor_page(tmp_path):
    for file, name, passed in (("a", "Ada", True), ("b", "", False), ("c", "Ada", False)):
        book = teach.Workbook(name, tmp_path / f"{file}.json")
        book.tried(exercise="exact sum", passed=passed, answer=1, reasons=[], hints=0, solution=False)
    page = (Path(__file__).parents[2] / "docs" / "teaching.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^table\[table.kind.*$", page, re.MULTILINE)
    found = eval(line, {"table": teach.collect(tmp_path)})  # noqa: S307 – a line of our own page
    assert found["exact sum"].tolist() == [False, True, False]


def test_a_solution_read_in_another_session_is_remembered(tmp_path, monkeypatch):
    teach.workbook(path=tmp_path / "a.json")
    first = teach.exercise("exact sum")
    first.solution()
    monkeypatch.setattr(tasks, "_made", {})
    again = teach.exercise("exact sum")
    assert again is not first
    again.check([[0.0] * 96] * 8)
    assert teach.workbook().exercises[0]["solution"] is True


def test_nothing_to_collect_is_an_error(tmp_path):
    with pytest.raises(tk.InputError, match="a folder with reports"):
        teach.collect(tmp_path)
    with pytest.raises(tk.InputError, match="exists"):
        teach.collect(tmp_path / "nowhere")
