"""What panels and the page tell each other: records whose names are the same on both sides, and no rows by place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import toolkit as tk
from toolkit.api.edit.frontier_result import MEASURES
from toolkit.api.switch_off import flips
from toolkit.explanations import why
from toolkit.labs import ablation_records, edit_records, explorer, maps, ranked, two_models
from toolkit.labs.edit import PlaceName, Settings
from toolkit.panels.base import live, told_maps, turned
from toolkit.panels.doctor import panel as doctor_panel
from toolkit.panels.explorer import panel as explorer_panel
from toolkit.panels.gallery import panel as gallery_panel
from toolkit.panels.predict import panel as predict_panel
from toolkit.panels.span_explorer import panel as span_panel
from toolkit.panels.two_models import panel as two_panel

PANELS = Path(tk.__file__).parent / "panels"
SHARED = "base/types.d.ts"
SENT = {
    SHARED: [why.Meaning, why.ReadingRow, why.Reading, flips.Flip, flips.HowMany, turned.FlipsSent, told_maps.Rest,
             told_maps.Size, told_maps.Box, told_maps.PatchMap, ranked.MistakeRow, ranked.ErrorsSent],
    "edit_lab/sent.d.ts": [record for record in vars(edit_records).values() if hasattr(record, "__total__")],
    "ablation_lab/sent.d.ts": [record for record in vars(ablation_records).values() if hasattr(record, "__total__")],
    "span_explorer/view.js": [span_panel.TextRow, span_panel.EndImage, span_panel.EndsSent, span_panel.HeadFacts,
                              span_panel.NoteSent],
    "gallery/view.js": [gallery_panel.GalleryImage],
    "doctor/view.js": [doctor_panel.FindingSent],
    "base/signs.js": [live.SignSent],
    "predict/view.js": [predict_panel.BarEnds, predict_panel.OptionRow],
    "token_map/view.js": [maps.AskedSent],
    "two_models/view.js": [two_models.ModelNames, two_panel.HeadTable],
    "explorer/chosen.js": [explorer.ImageSaid, explorer_panel.Now],
}  # fmt: skip
"""Where the page says what Python sends, and what Python says of it."""
RECORDS = [(file, record) for file, records in SENT.items() for record in records]
INTERFACE = re.compile(r"export interface (\w+)(?: extends ([\w, ]+))? \{(.*?)\}\n", re.DOTALL)
FIELD = re.compile(r"^  (\w+)(\??): ", re.MULTILINE)
TYPEDEF = re.compile(r"@typedef \{object\} (\w+)(.*?)\*/", re.DOTALL)
PROPERTY = re.compile(r"@property \{.*\} (\[?)(\w+)")
SCRIPTS = sorted(path for path in PANELS.rglob("*.js") if path.parent.name != "bundles")


def fields_on_the_page(file: str, name: str) -> dict[str, bool]:
    """Of an interface or a typedef its fields, and whether each must be there."""
    text = (PANELS / file).read_text(encoding="utf-8")
    for found, body in TYPEDEF.findall(text):
        if found == name:
            return {field: not optional for optional, field in PROPERTY.findall(body)}
    interfaces = {found: (bases, body) for found, bases, body in INTERFACE.findall(text)}
    assert name in interfaces, f"{file} says nothing of {name}"
    bases, body = interfaces[name]
    fields: dict[str, bool] = {}
    for base in filter(None, bases.split(", ")):
        fields |= fields_on_the_page(file, base)
    return fields | {field: not optional for field, optional in FIELD.findall(body)}


@pytest.mark.parametrize(("file", "record"), RECORDS, ids=[record.__name__ for _, record in RECORDS])
def test_a_record_has_the_same_names_on_both_sides(file: str, record: Any) -> None:
    get_type_hints(record)  # what is not required is known once the names are looked up
    assert fields_on_the_page(file, record.__name__) == {
        name: "NotRequired" not in str(kind) for name, kind in record.__annotations__.items()
    }


def test_every_record_of_a_lab_is_compared() -> None:
    names = {record.__name__ for records in SENT.values() for record in records}
    for file in ("edit_lab/sent.d.ts", "ablation_lab/sent.d.ts"):
        text = (PANELS / file).read_text(encoding="utf-8")
        assert {name for name, _, _ in INTERFACE.findall(text)} <= names


def test_the_names_of_an_edit_are_those_it_is_made_with() -> None:
    assert set(edit_records.Measures.__annotations__) == set(MEASURES)
    assert set(edit_records.SettingsSent.__annotations__) == set(Settings._fields)
    assert set(edit_records.VisitPlace.__annotations__) == set(get_args(PlaceName))
    asked = maps.Asked("a bird", "", ((3, 7),), "token map", "a", "nothing", "b", "Grad-CAM", False)
    assert set(asked.told) == set(maps.Asked._fields)


def test_what_is_told_holds_its_values_under_their_names() -> None:
    settings = Settings(1.0, 2.0, 30, "strengths", 4.0, False, ((3, 7),), ("a", "b"), (((3, 7), 0.5),))
    told = settings.told
    hold = [{"head": [3, 7], "strength": 0.5}]
    assert told == settings._asdict() | {"heads": [[3, 7]], "pair": ["a", "b"], "hold": hold}
    asked = maps.Asked("a bird", "a", ((3, 7),), "GAME", "one", "image", "two", "Grad-CAM", True)
    assert asked.told == asked._asdict() | {"heads": [[3, 7]]}
    assert json.loads(json.dumps(told)) == told


BY_PLACE = {
    "an index from some place on": re.compile(r"\[\d+ \+ \w+\]"),
    "a part of a row": re.compile(r"(?:settings|row|shown)\.slice\("),
    "a place in what a trait holds": re.compile(r"this\.get\(\"_\w+\"\)\[\d"),
    "values named on arrival": re.compile(r"(?:const|let) \[[^\]]*\] = this\.(?:model\.)?get\(\"_"),
    "a row skipped over": re.compile(r"\[\w*(?: = [^,\]]+)?, , "),
    "three values or more, named on arrival": re.compile(
        r"\(\[\w+, \w+, \w+[^\]]*\]\) =>|function \w+\(\[\w+, \w+, \w"
    ),
}
HEADS = re.compile(r"const \[layer, head\] = this\.get\(\"_shown\"\);")
"""A head is a pair wherever it stands."""
COLOUR = "[red, green, blue]"
"""A colour is three numbers wherever it stands."""


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_script_takes_a_row_by_place(path: Path) -> None:
    text = HEADS.sub("", path.read_text(encoding="utf-8"))
    for what, pattern in BY_PLACE.items():
        found = [line.strip() for line in text.split("\n") if pattern.search(line) and COLOUR not in line]
        assert not found, f"{what}: {found}"


@pytest.mark.parametrize(
    "row",
    [
        "const w = row[4 + i];",
        'const [a, b] = this.get("_can");',
        "r.map(([a, b, c, d]) => a)",
        "function tileOf([id, group, change]) {",
        'const x = this.get("_now")[2];',
        "const [truth, , guess] = now.of;",
        "settings.slice(2)",
    ],
)
def test_a_row_by_place_would_be_seen(row: str) -> None:
    assert any(pattern.search(row) for pattern in BY_PLACE.values())
