"""Draws the rooms of the package from its imports as docs/images/structure.png: `python docs/structure.py`.

A room is a folder (or a lone file) of `toolkit`, and inside `toolkit/api` a folder of that. It stands on a floor above
all it imports; imports count wherever they stand, in functions and under TYPE_CHECKING too. `--check` draws nothing: it
compares what the picture shows with the package as it is. It ends with 1 where they differ, or where files (or rooms)
import each other in a circle.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon, Rectangle
from matplotlib.path import Path as Line
from matplotlib.textpath import TextPath
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "structure.png"
DOOR = "toolkit"
"""`toolkit/__init__.py`, which imports nothing before a name is asked for; it is drawn as the roof, without arrows."""

# ── what there is ─────────────────────────────────────────────────────────────────────────────────────────────────


class House(NamedTuple):
    """The package as it is imported."""

    files: dict[str, set[str]]
    """Every file by its import name, with the files it imports."""
    jobs: dict[str, str]
    """Every room, with the first paragraph of its docstring."""


def room(name: str) -> str:
    """The room of a file: `toolkit.api.edit.solve` stands in api/edit, `toolkit.__main__` in cli."""
    parts = name.split(".")[1:]
    if not parts:
        return DOOR
    if parts[0] == "__main__":
        return "cli"
    if parts[0] == "api" and len(parts) > 1:
        return f"api/{parts[1]}"
    return parts[0]


def imports(path: Path, known: set[str]) -> set[str]:
    """The files of the package that a file imports from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & known
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & known
            found |= inner or {node.module}
    return found


def job(path: Path) -> str:
    """The first paragraph of a file's docstring, on one line and without code marks."""
    words = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(words.split("\n\n")[0].split()).replace("`", "").rstrip(".")


def house(package: Path) -> House:
    """Read the package."""
    places = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        places[".".join(parts).removesuffix(".__init__")] = path
    known = set(places)
    files = {name: imports(path, known) - {name} for name, path in places.items()}
    jobs = {}
    for name in sorted(files):
        if room(name).replace("/", ".") == name.removeprefix("toolkit."):
            jobs[room(name)] = job(places[name])
    return House(files, jobs)


def circles(needs: dict[str, set[str]]) -> list[list[str]]:
    """Circles of files (or rooms), found one after the other: each is opened before the next is looked for."""
    left = {name: set(theirs) for name, theirs in needs.items()}
    found = []
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            circle = error.args[1]  # every one imports the one before it
            found.append(circle[::-1])
            left[circle[1]].discard(circle[0])
        else:
            return found


def arrows(files: dict[str, set[str]]) -> dict[str, set[str]]:
    """Every room, with the rooms it imports."""
    found: dict[str, set[str]] = {}
    for name, theirs in files.items():
        if room(name) != DOOR:
            found.setdefault(room(name), set()).update({room(other) for other in theirs} - {room(name), DOOR})
    if not found.get("api"):  # the folder of folders holds a docstring, no code
        found.pop("api", None)
    return found


def floors(needs: dict[str, set[str]]) -> dict[str, int]:
    """The floor of every room, counted from 0.

    A room that needs nothing, or `errors` alone, is a foundation and stands as low as it can. A room that nobody
    imports stands on the top floor. All others stand right below the lowest room that imports them.
    """
    order = list(TopologicalSorter(needs).static_order())
    lowest: dict[str, int] = {}
    for name in order:
        lowest[name] = 1 + max((lowest[other] for other in needs[name]), default=-1)
    top = max(lowest.values())
    found: dict[str, int] = {}
    for name in reversed(order):
        above = [found[other] - 1 for other in needs if name in needs[other]]
        foundation = needs[name] <= {"errors"}
        found[name] = lowest[name] if foundation else min(above, default=top)
    return found


def way(needs: dict[str, set[str]], start: str, end: str) -> list[str]:
    """The longest way down from one room to another; of several the first by name."""
    if start == end:
        return [start]
    ways = [way(needs, other, end) for other in sorted(needs[start])]
    ways = [one for one in ways if one]
    return [start, *max(ways, key=len)] if ways else []


def bundles(needs: dict[str, set[str]]) -> Counter[tuple[str, str]]:
    """The arrows to draw, with how many imports between rooms go along each.

    An import that a longer way implies goes along that way: only those are drawn that no other implies.
    """
    found: Counter[tuple[str, str]] = Counter()
    for start in sorted(needs):
        for end in sorted(needs[start]):
            steps = way(needs, start, end)
            found.update(pairwise(steps))
    return found


def drawn(seen: House) -> dict[str, Any]:
    """What the picture shows, as it is kept in it."""
    needs = arrows(seen.files)
    return {
        "rooms": {
            name: {"floor": floor, "files": sum(room(file) == name for file in seen.files), "job": seen.jobs[name]}
            for name, floor in sorted(floors(needs).items())
        },
        "arrows": {name: sorted(theirs) for name, theirs in sorted(needs.items())},
        "files": len(seen.files),
    }


# ── the picture ───────────────────────────────────────────────────────────────────────────────────────────────────

WIDTH, BOX, FLOOR, GROUND = 10.0, 0.73, 0.98, 0.82
"""Inches: the picture's width, a room's height, from one floor to the next, and the lowest room's foot."""
LEFT, GAP = 0.34, 0.36
"""Inches: left of the first column, and between columns."""
SMALL = 7.8
"""Points: the size of a room's job."""
INK, MUTED, PAPER, STRIPE = "#1d2128", "#5b6472", "#ffffff", "#f5f6f9"
KINDS = {"ground": ("#e9ecf1", "#8a94a6"), "matter": ("#e2f0f4", "#2f7f97"), "api": ("#ece8fb", "#6a4fc9"),
         "shown": ("#fdeede", "#c2681a")}  # fmt: skip
"""Fill and edge."""
LEGEND = {
    "ground": "foundations",
    "matter": "what the verbs work on",
    "api": "the public verbs",
    "shown": "asked, shown and told",
}


def kind(name: str, floor: dict[str, int]) -> str:
    """What a room is for, by where it stands."""
    first_verb = min(floor[other] for other in floor if other.startswith("api/"))
    if name.startswith("api/"):
        return "api"
    if name in ("errors", "engine", "version"):
        return "ground"
    return "matter" if floor[name] <= first_verb else "shown"


def columns(floor: dict[str, int], links: list[tuple[str, str]], number: int) -> dict[str, int]:
    """A column for every room: floor by floor the order with the shortest arrows, a few times up and down."""
    storeys = [sorted(name for name in floor if floor[name] == level) for level in range(max(floor.values()) + 1)]
    place = {name: (number - 1) // 2 + i * (1 if i % 2 else -1) for row in storeys for i, name in enumerate(row)}
    near: dict[str, list[str]] = {name: [] for name in floor}
    for start, end in links:
        near[start].append(end)
        near[end].append(start)

    def length(row: list[str], order: tuple[int, ...]) -> float:
        whole = 0.0
        for name, column in zip(row, order, strict=True):
            whole += sum((column - place[other]) ** 2 / abs(floor[name] - floor[other]) for other in near[name])
        return whole

    for sweep in range(8):
        for row in storeys if sweep % 2 else storeys[::-1]:
            best = min(permutations(range(number), len(row)), key=lambda order, row=row: length(row, order))
            place.update(zip(row, best, strict=True))
    return place


def free(wanted: float, taken: list[tuple[float, float]]) -> float:
    """The place nearest to the wanted one that lies in none of the stretches taken."""
    edges = [edge for stretch in taken for edge in stretch]
    places = [x for x in [wanted, *edges] if 0.1 <= x <= WIDTH - 0.1]
    open_ones = [x for x in places if not any(low < x < high for low, high in taken)]
    return min(open_ones, key=lambda x: abs(x - wanted))


def line(points: list[tuple[float, float]]) -> Line:
    """A smooth line through points, upright in each of them."""
    vertices, codes = [points[0]], [Line.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        vertices += [(x0, middle), (x1, middle), (x1, y1)]
        codes += [Line.CURVE4] * 3
    return Line(vertices, codes)


def picture(data: dict[str, Any]) -> Figure:
    """The house: floors from the ground up, arrows down."""
    floor = {name: one["floor"] for name, one in data["rooms"].items()}
    links = bundles({name: set(theirs) for name, theirs in data["arrows"].items()})
    levels = max(floor.values()) + 1
    number = max(3, *Counter(floor.values()).values())
    place = columns(floor, sorted(links), number)
    pitch = (WIDTH - LEFT) / number
    wide = pitch - GAP
    x = {name: LEFT + pitch * (place[name] + 0.5) for name in floor}
    y = {name: GROUND + FLOOR * floor[name] for name in floor}
    height = GROUND + FLOOR * levels + 0.55
    figure = Figure(figsize=(WIDTH, height), facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, height))
    axes.set_axis_off()
    for level in range(levels):
        low = GROUND + FLOOR * level - (FLOOR - BOX) / 2
        axes.add_patch(Rectangle((0, low), WIDTH, FLOOR, color=STRIPE if level % 2 == 0 else PAPER, lw=0, zorder=0))
        axes.text(0.2, low + FLOOR / 2, str(level), ha="center", va="center", fontsize=9, color=MUTED)
    _arrows(axes, floor, links, x, y, wide)
    for name, one in data["rooms"].items():
        _room(axes, name, one, x[name] - wide / 2, y[name], wide, KINDS[kind(name, floor)])
    _roof(axes, data, height)
    _legend(axes)
    return figure


def _arrows(axes: Any, floor: dict[str, int], links: Counter[tuple[str, str]], x: dict[str, float], y: dict[str, float],
            wide: float) -> None:  # fmt: skip
    """Every bundle from the foot of a room to the head of one below, past the rooms between."""
    used: dict[int, list[float]] = {}
    out = {name: sorted((x[b], b) for a, b in links if a == name) for name in floor}
    into = {name: sorted((x[a], a) for a, b in links if b == name) for name in floor}

    def port(name: str, others: list[tuple[float, str]], other: str) -> float:
        """Ports of a room stand in the order of where they lead."""
        index = [one for _, one in others].index(other)
        return x[name] + wide * 0.5 * ((index + 1) / (len(others) + 1) - 0.5)

    for start, end in sorted(links, key=lambda pair: (floor[pair[0]] - floor[pair[1]], pair)):
        first = (port(start, out[start], end), y[start])
        last = (port(end, into[end], start), y[end] + BOX + 0.01)
        points = [first]
        for level in range(floor[start] - 1, floor[end], -1):
            taken = [(x[name] - wide / 2 - 0.09, x[name] + wide / 2 + 0.09) for name in floor if floor[name] == level]
            taken += [(spot - 0.08, spot + 0.08) for spot in used.get(level, [])]
            spot = free(points[-1][0], taken)
            used.setdefault(level, []).append(spot)
            head = GROUND + FLOOR * level + BOX
            points += [(spot, head), (spot, head - BOX)]
        edge, load = KINDS[kind(start, floor)][1], min(links[start, end], 16)
        head = 0.045 + 0.003 * load
        points.append((last[0], last[1] + 1.6 * head))
        axes.add_patch(PathPatch(line(points), lw=0.9 + 0.22 * load, ec=edge, fc="none", alpha=0.8, zorder=2,
                                 capstyle="butt", joinstyle="round"))  # fmt: skip
        corners = [last, (last[0] - head, points[-1][1]), (last[0] + head, points[-1][1])]
        axes.add_patch(Polygon(corners, fc=edge, lw=0, alpha=0.9, zorder=2))


def wrapped(words: str, wide: float) -> list[str]:
    """Words in rows no wider than so many inches."""
    rows = [""]
    for word in words.split():
        longer = f"{rows[-1]} {word}".strip()
        if TextPath((0, 0), longer, size=SMALL).get_extents().width / 72 > wide:
            rows.append(word)
        else:
            rows[-1] = longer
    return rows


def _room(axes: Any, name: str, one: dict[str, Any], left: float, low: float, wide: float, colours: Any) -> None:
    """A room with its name, the number of its files and its job."""
    fill, edge = colours
    axes.add_patch(FancyBboxPatch((left, low), wide, BOX, boxstyle="round,pad=0,rounding_size=0.08", fc=fill, ec=edge,
                                  lw=1.1, zorder=3))  # fmt: skip
    files = "1 file" if one["files"] == 1 else f"{one['files']} files"
    axes.text(left + 0.1, low + BOX - 0.16, name, fontsize=10, weight="bold", color=INK, va="center", zorder=4)
    axes.text(left + wide - 0.1, low + BOX - 0.16, files, fontsize=8, color=MUTED, va="center", ha="right", zorder=4)
    rows = "\n".join(wrapped(one["job"], wide - 0.2)[:3])
    axes.text(left + 0.1, low + BOX - 0.27, rows, fontsize=SMALL, color=INK, va="top", zorder=4, linespacing=1.15)


def _roof(axes: Any, data: dict[str, Any], height: float) -> None:
    """The door above all floors."""
    low, right = height - 0.55, WIDTH - GAP / 2
    left = LEFT + GAP / 2
    axes.add_patch(FancyBboxPatch((left, low), right - left, 0.42, boxstyle="round,pad=0,rounding_size=0.08", fc=INK,
                                  ec=INK, zorder=3))  # fmt: skip
    words = "every public name, imported when it is first asked for: the only door"
    axes.text(left + 0.1, low + 0.2, DOOR, fontsize=10, weight="bold", color=PAPER, va="center", zorder=4)
    axes.text(left + 0.95, low + 0.2, words, fontsize=8.5, color=PAPER, va="center", zorder=4)
    count = f"{data['files']} files in {len(data['rooms'])} rooms, no circle"
    axes.text(right - 0.1, low + 0.2, count, fontsize=8.5, color=PAPER, va="center", ha="right", zorder=4)


def _legend(axes: Any) -> None:
    """What the colours and the arrows mean."""
    left = LEFT + GAP / 2
    for name, words in LEGEND.items():
        fill, edge = KINDS[name]
        axes.add_patch(Rectangle((left, 0.38), 0.2, 0.14, fc=fill, ec=edge, lw=1))
        axes.text(left + 0.27, 0.45, words, fontsize=8.5, color=INK, va="center")
        left += 0.65 + 0.07 * len(words)
    words = "An arrow: imports. What a longer way implies has no arrow of its own; it makes that way thicker."
    axes.text(LEFT + GAP / 2, 0.18, words, fontsize=8.5, color=MUTED, va="center")


# ── the command ───────────────────────────────────────────────────────────────────────────────────────────────────


def counts(seen: House, package: Path) -> str:
    """What the house comes to, in lines."""
    data = drawn(seen)
    inside = {name: theirs for name, theirs in seen.files.items() if room(name).startswith("api/")}
    shown = sorted(p.stem for p in (package / "api").iterdir() if p.stem not in ("__init__", "__pycache__"))
    folders = [name for name in shown if (package / "api" / name).is_dir()]
    between = {(room(name), room(other)) for name in inside for other in inside[name] & inside.keys()}
    between = {pair for pair in between if pair[0] != pair[1]}
    lines = [
        f"{data['files']} files, {sum(map(len, seen.files.values()))} imports between them",
        f"{len(data['rooms'])} rooms on {1 + max(one['floor'] for one in data['rooms'].values())} floors,"
        f" {sum(map(len, data['arrows'].values()))} imports between rooms, drawn as"
        f" {len(bundles({name: set(theirs) for name, theirs in data['arrows'].items()}))} arrows",
        f"api at first sight: {len(folders)} rooms ({', '.join(folders)}) and {len(shown) - len(folders)} file;"
        f" {len(inside)} files in them, {len(between)} imports between them",
        f"{len(circles(seen.files))} circles of files",
    ]
    return "\n".join(lines)


def kept() -> Any:
    """What is drawn in the picture as it lies there."""
    with Image.open(PICTURE) as image:
        return json.loads(image.info["Description"])


def main(arguments: list[str] | None = None, package: Path = ROOT / "toolkit") -> int:
    """Draw, or check; 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="draw nothing, compare the picture with the package")
    check = parser.parse_args(arguments).check
    seen = house(package)
    closed = circles(seen.files) or circles(arrows(seen.files))
    for circle in closed:
        print("a circle:", " → ".join(circle))
    if closed:
        return 1
    print(counts(seen, package))
    if not check:
        description = json.dumps(drawn(seen), ensure_ascii=True)
        picture(drawn(seen)).savefig(PICTURE, dpi=160, metadata={"Description": description, "Software": None})
    elif kept() != drawn(seen):
        print(f"{PICTURE.name} shows another package than the one there is: run python docs/structure.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
