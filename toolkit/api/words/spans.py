"""`Spans`: what the texts chosen for every head say, how much of it they explain, and how far to trust them."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.api.images.acts import Acts
from toolkit.api.words.replacement import Replacement, replaced_by_texts
from toolkit.core.heads import HeadSet
from toolkit.data.banks import Bank
from toolkit.data.classes import ClassSet
from toolkit.errors import InputError
from toolkit.store.whole import saved_file

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]
FORMAT = 1
_HEADER = re.compile(r"\s*layer\s+(\d+)\s*,\s*head\s+(\d+)\s*:?\s*", re.IGNORECASE)
ARRAYS = ("picks", "std", "explained", "ranks", "variance", "reach", "stability", "chance")


@dataclass(frozen=True, eq=False, repr=False)
class Spans:
    """Texts of every head, in the order they were chosen. Made by `tk.textspan` and `tk.load_spans`.

    What is not known (read from a text file) is nan.

    Attributes:
        layers: of the rows [l].
        picks: positions in the bank [l, h, m], −1 past the end.
        std: the standard deviation of the head's contributions along each text when it was chosen, on the cosine scale
            [l, h, m].
        explained: share of the head's variance that the texts so far explain, 0 to 1 [l, h, m].
        ranks: directions the head has (or the rank asked for) [l, h]; it ends there.
        variance: E‖c − c̄‖² [l, h] (with `rank`, inside the directions kept).
        reach: share of the variance that the whole bank could explain, 0 to 1 [l, h].
        stability: share of bootstrap samples of the images in which the head picks the text at all [l, h, m], nan where
            none were asked for.
        chance: share of the variance that the best of as many random texts would have explained in its place, mean over
            five such banks [l, h, m], nan without stop="chance".
        bank: the texts (`Bank`).
        settings: model, data, convention, method, ….
    """

    layers: tuple[int, ...]
    picks: NDArray[np.int64]
    std: Array
    explained: Array
    ranks: Array
    variance: Array
    reach: Array
    stability: Array
    chance: Array
    bank: Bank
    settings: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def texts(self) -> list[list[list[str]]]:
        """[l][h][m]: the texts, as many as each head has."""
        return [[[self.bank.texts[j] for j in head if j >= 0] for head in row] for row in self.picks]

    def head(self, head: Any) -> pandas.DataFrame:
        """One head, one row per text: text, factor, std, explained, stability, and chance with stop="chance".

        Arguments:
            head: "L2.H6" or (layer, head).

        Raises:
            InputError: for a head that was not looked at.
        """
        import pandas

        row, column = self._at(head)
        kept = [j for j in self.picks[row, column] if j >= 0]
        n = len(kept)
        found = pandas.DataFrame({
            "text": [self.bank.texts[j] for j in kept], "factor": [self.bank.factors[j] for j in kept],
            "std": self.std[row, column, :n], "explained": self.explained[row, column, :n],
            "stability": self.stability[row, column, :n], "chance": self.chance[row, column, :n],
        })  # fmt: skip
        return found if self.settings.get("stop") == "chance" else found.drop(columns="chance")

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per text of every head: layer, head, place, text, factor, std, explained, stability (chance)."""
        import pandas

        tables = []
        for layer in self.layers:
            for h in range(self.picks.shape[1]):
                one = self.head((layer, h))
                tables.append(one.assign(layer=layer, head=h, place=range(len(one))))
        first = ["layer", "head", "place"]
        joined = pandas.concat(tables, ignore_index=True)
        return joined[first + [c for c in joined.columns if c not in first]]

    def specialisation(self) -> pandas.DataFrame:
        """One row per head: its leading factor, the share of what its texts explain that this factor's texts do, its
        first text and that text's factor. Empty for a bank without factors.
        """
        import pandas

        rows = []
        for i, layer in enumerate(self.layers):
            for h in range(self.picks.shape[1]):
                gains: dict[str, float] = defaultdict(float)
                kept = [j for j in self.picks[i, h] if j >= 0]
                steps = np.diff(np.nan_to_num(self.explained[i, h, : len(kept)]), prepend=0.0)
                if not steps.any():  # read from a file without numbers: every text counts the same
                    steps = np.ones(len(kept))
                for j, gain in zip(kept, steps, strict=True):
                    gains[self.bank.factors[j]] += float(gain)
                if not any(gains):
                    continue
                best = max(gains, key=gains.__getitem__)
                total = sum(gains.values())
                first = kept[0]
                rows.append((f"L{layer}.H{h}", best, gains[best] / total if total else np.nan,
                             self.bank.texts[first], self.bank.factors[first]))  # fmt: skip
        return pandas.DataFrame(rows, columns=["head", "factor", "share", "first text", "its factor"]).set_index("head")

    def entanglement(self) -> pandas.DataFrame:
        """One row per factor: on how many heads it leads, which, and how many heads pick a text of it at all. The more
        heads share a factor, the less a single head can be blamed for it.
        """
        import pandas

        table = self.specialisation()
        touched: Counter[str] = Counter()
        for row in self.picks.reshape(-1, self.picks.shape[2]):
            touched.update({self.bank.factors[j] for j in row if j >= 0} - {""})
        leading = {f: list(table.index[table["factor"] == f]) for f in touched}
        rows = [(f, len(leading[f]), n, " ".join(leading[f])) for f, n in touched.items()]
        shared = pandas.DataFrame(rows, columns=["factor", "leads", "touched", "heads"]).set_index("factor")
        return shared.sort_values(["leads", "touched"], ascending=False)

    def replaced(self, acts: Acts, classes: ClassSet, size: int | None = None, seed: int = 0) -> Replacement:
        """What accuracy is left where every head described is replaced by its mean and its first m texts, and every
        other head by its mean (G24 §4.2 and its figure), for m from 0 to `size`; beside it the same with random texts.

        Arguments:
            acts: parts of labelled images of the model (`Acts`).
            classes: told apart (`tk.classes`).
            size: the most texts a head; default all it has.
            seed: of the random texts, of which five sets are drawn from the bank; default 0.

        Raises:
            InputError: for more texts than there are, spans of another model's heads, and texts without a model that
                encodes them.
        """
        return replaced_by_texts(self.picks, self.layers, self.bank, acts, classes, size, seed)

    def save(self, path: str | Path) -> Path:
        """Write as JSON, with the model's id and fingerprint and the bank's hash; whole or not at all.

        Arguments:
            path: of the file; `tk.load_spans` reads it again.

        Raises:
            StoreError: where it cannot be written.
        """
        target = Path(path).expanduser()
        used = sorted({int(j) for j in self.picks.ravel() if j >= 0})
        where = {j: i for i, j in enumerate(used)}
        content = {
            "format": FORMAT, "settings": self.settings, "layers": list(self.layers),
            "texts": [self.bank.texts[j] for j in used], "factors": [self.bank.factors[j] for j in used],
            "shape": list(self.picks.shape),
            **{name: _plain(getattr(self, name)) for name in ARRAYS[1:]},
            "picks": [where.get(int(j), -1) for j in self.picks.ravel()],
        }  # fmt: skip
        with saved_file(target, "spans.save") as part:
            part.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        return target

    def _at(self, head: Any) -> tuple[int, int]:
        chosen = HeadSet.of(head).heads
        if len(chosen) != 1 or chosen[0][0] not in self.layers or chosen[0][1] >= self.picks.shape[1]:
            accepted = f"one head of layers {', '.join(map(str, self.layers))}, heads 0…{self.picks.shape[1] - 1}"
            raise InputError("Spans.head", repr(head), accepted, "run tk.textspan with that layer")
        return self.layers.index(chosen[0][0]), chosen[0][1]

    def __repr__(self) -> str:
        l, h, m = self.picks.shape
        lines = [f"Spans({l} layers × {h} heads, up to {m} of {self.settings.get('texts', len(self.bank))} texts)"]
        for i, layer in enumerate(self.layers):
            lines += [f"  L{layer}.H{j}: {'; '.join(self.texts[i][j][:4]) or '(never varies)'}" for j in range(h)]
        return "\n".join(lines[:33] + ([f"  … {len(lines) - 33} more heads"] if len(lines) > 33 else []))


def _plain(values: Array) -> list[float | None]:
    return [None if np.isnan(x) else float(f"{x:.9g}") for x in values.ravel()]


def load_spans(path: str | Path) -> Spans:
    r"""Spans from a file: JSON as `spans.save` writes it, or the text format of the public code.

    The text format is a block per head: "Layer 22, Head 3", then a text a line. Of such a file only the texts and their
    order are known.

    Arguments:
        path: of the file, UTF-8.

    Raises:
        InputError: for anything else.

    >>> import tempfile, toolkit as tk
    >>> path = tempfile.mkdtemp() + "/heads.txt"
    >>> _ = open(path, "w").write("Layer 22, Head 3\na photo of water\na photo of land\n")
    >>> tk.load_spans(path).head("L22.H3")["text"].tolist()
    ['a photo of water', 'a photo of land']
    """
    target = Path(path).expanduser()
    accepted = "a JSON file of spans.save, or a text file with blocks “Layer i, Head j”"
    try:
        words = target.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("load_spans", f"{str(path)!r} ({error})", accepted, "check the file") from error
    if words.lstrip().startswith("{"):
        try:
            return _from_json(json.loads(words))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            given = f"{target.name} ({type(error).__name__}: {error})"
            raise InputError("load_spans", given, accepted, "write it anew with spans.save(…)") from error
    blocks = _blocks(words.splitlines())
    if not blocks:
        raise InputError("load_spans", f"{target.name}, in which no head was found", accepted, "check the file")
    return _from_blocks(blocks, target.name)


def _from_json(content: dict[str, Any]) -> Spans:
    if content["format"] > FORMAT:
        raise ValueError(f"format {content['format']}; this version reads up to {FORMAT}")
    shape = tuple(content["shape"])
    shapes = dict.fromkeys(ARRAYS, shape) | dict.fromkeys(("ranks", "variance", "reach"), shape[:2])
    content = {"chance": [None] * int(np.prod(shape))} | content  # files of earlier versions have none
    arrays = {name: np.array(content[name], np.float64).reshape(shapes[name]) for name in ARRAYS[1:]}
    bank = Bank(tuple(content["texts"]), tuple(content["factors"]), content["settings"].get("bank", ""))
    if len(bank.factors) != len(bank) or len(content["layers"]) != shape[0] or len(shape) != 3:
        raise ValueError("texts, factors, layers and shape do not fit")
    picks = np.array(content["picks"], np.int64).reshape(shape)
    if picks.size and (picks.max() >= len(bank) or picks.min() < -1):
        raise ValueError("picks outside the texts")
    return Spans(tuple(content["layers"]), picks, bank=bank, settings=content["settings"], **arrays)


def _blocks(lines: Iterable[str]) -> dict[tuple[int, int], list[str]]:
    """(layer, head) → texts; a line of dashes ends a block that has texts."""
    blocks: dict[tuple[int, int], list[str]] = {}
    current: list[str] | None = None
    for line in lines:
        if header := _HEADER.fullmatch(line):
            current = blocks.setdefault((int(header[1]), int(header[2])), [])
        elif line.strip() and set(line.strip()) <= set("-="):
            current = None if current else current
        elif current is not None and line.strip():
            current.append(line.strip())
    return blocks


def _from_blocks(blocks: dict[tuple[int, int], list[str]], name: str) -> Spans:
    layers = tuple(sorted({layer for layer, _ in blocks}))
    heads, size = 1 + max(head for _, head in blocks), max(map(len, blocks.values()))
    texts = tuple(dict.fromkeys(text for block in blocks.values() for text in block))
    at = {text: i for i, text in enumerate(texts)}
    picks = np.full((len(layers), heads, size), -1)
    for (layer, head), block in blocks.items():
        picks[layers.index(layer), head, : len(block)] = [at[text] for text in block]
    unknown, each = np.full(picks.shape, np.nan), np.full(picks.shape[:2], np.nan)
    bank = Bank(texts, ("",) * len(texts), name)
    return Spans(
        layers, picks, unknown, unknown, each, each, each, unknown, unknown, bank, {"file": name, "method": "greedy"}
    )


def settings_of(acts: Any, bank: Bank, **more: Any) -> dict[str, Any]:
    """What a result was made of and with: plain values, for JSON."""
    made = {"model": acts.card.id, "fingerprint": acts.card.fingerprint, "split": acts.split, "images": len(acts)}
    return made | {
        "convention": acts.convention, "bank": bank.name, "bank hash": bank.hash, "texts": len(bank), **more,
    }  # fmt: skip
