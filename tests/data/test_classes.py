"""Class sets: names, prompts, vectors, prediction, labels to indices; the model is a dozen lines with known answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from toolkit.data.classes import classes
from toolkit.data.spelling import nfc
from toolkit.data.templates import PLAIN, TEMPLATE_SETS, VARIED, fill, templates, with_article
from toolkit.errors import InputError
from toolkit.organism.captions import vocabulary


class Dictionary:
    """Encodes a text as a fixed random unit vector of its own."""

    def __init__(self, fingerprint: str = "one", d: int = 8, dtype: torch.dtype = torch.float32) -> None:
        self.card = SimpleNamespace(fingerprint=fingerprint, embed_dim=d)
        self.d, self.dtype = d, dtype
        self.asked: list[str] = []

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        self.asked += texts
        salt = crc32(self.card.fingerprint.encode())
        rows = [np.random.default_rng([crc32(t.encode()), salt]).normal(size=self.d) for t in texts]
        return torch.nn.functional.normalize(torch.tensor(np.array(rows)), dim=1).to(self.dtype)


NAMES = st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=6, unique_by=nfc)
BIRDS = classes(["landbird", "waterbird"])


@settings(max_examples=40)
@given(NAMES)
def test_a_class_set_is_a_sequence_of_names(names: list[str]) -> None:
    made = classes(names)
    assert list(made) == names
    assert len(made) == len(names)
    assert all(name in made and made.index(name) == i == made.index(i) for i, name in enumerate(names))
    assert made.encode(names).tolist() == list(range(len(names)))
    assert made.templates == PLAIN
    assert [len(p) for p in made.prompts] == [1] * len(names)
    assert all(name in prompts[0] for name, prompts in zip(names, made.prompts, strict=True))


def test_vectors_are_normalised_means_of_the_prompts() -> None:
    model = Dictionary()
    made = classes(["owl", "duck"], templates=VARIED)
    vectors = made.vectors(model)
    for row, name in zip(vectors, made.names, strict=True):
        mean = model.encode_text([fill(t, name) for t in VARIED]).mean(dim=0)
        torch.testing.assert_close(row, mean / mean.norm())
    uneven = classes(["owl", "duck"], prompts=[["an owl", "a night bird", "it hoots"], "a duck"])
    torch.testing.assert_close(uneven.vectors(model)[1], model.encode_text(["a duck"])[0])
    mean = model.encode_text(["an owl", "a night bird", "it hoots"]).mean(dim=0)
    torch.testing.assert_close(uneven.vectors(model)[0], mean / mean.norm())


def test_prompts_are_encoded_once_per_model() -> None:
    made, one, two = classes(["owl", "duck"]), Dictionary("one"), Dictionary("two")
    first = made.vectors(one)
    assert made.vectors(one) is first
    assert made.vectors(Dictionary("one")) is first
    assert one.asked == ["a photo of an owl", "a photo of a duck"]
    assert not torch.equal(made.vectors(two), first)
    assert made.vectors(Dictionary("half", dtype=torch.float16)).dtype == torch.float32


@given(arrays(np.float64, st.tuples(st.integers(0, 9), st.just(5)), elements=st.floats(-1e300, 1e300)))
def test_scores_are_cosines_and_the_best_one_is_predicted(rows: np.ndarray) -> None:
    rows = rows[np.abs(rows).max(axis=1, initial=0) > 0]
    vectors = np.random.default_rng(0).normal(size=(3, 5)) * [[1e-200], [1.0], [1e200]]
    made = classes(["a", "b", "c"], vectors=vectors)
    scores = made.scores(rows).numpy()
    assert scores.shape == (len(rows), 3)
    unit = [[v / np.abs(v).max() for v in side] for side in (rows, vectors)]
    for i, x in enumerate(unit[0]):
        for j, y in enumerate(unit[1]):
            assert scores[i, j] == pytest.approx(x @ y / np.sqrt((x @ x) * (y @ y)), abs=1e-12)
    assert made.predict(rows).tolist() == scores.argmax(axis=1).tolist()
    assert made.predict(rows).dtype == torch.int64


def test_ties_go_to_the_first_class_and_length_does_not_matter() -> None:
    made = classes(["a", "b", "c"], vectors=torch.tensor([[0.0, 2.0], [3.0, 0.0], [5.0, 0.0]]))
    x = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    assert made.predict(x).tolist() == [1, 0, 0]
    for scale in (1e-30, 1e30):
        assert made.predict(x * scale).tolist() == [1, 0, 0]
    assert made.predict(x.half()).tolist() == [1, 0, 0]
    assert made.scores(x.half()).dtype == torch.float32
    torch.testing.assert_close(torch.linalg.vector_norm(made.vectors(), dim=1), torch.ones(3))


def test_given_vectors_are_copied() -> None:
    source = torch.eye(2)
    made = classes(["a", "b"], vectors=source)
    source.zero_()
    assert made.predict(torch.eye(2)).tolist() == [0, 1]


@pytest.mark.cuda
def test_cuda_scores_equal_cpu_scores() -> None:
    made, x = classes(["owl", "duck", "gull"]), torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    on_gpu = made.scores(x.cuda(), Dictionary())
    assert on_gpu.is_cuda
    torch.testing.assert_close(on_gpu.cpu(), made.scores(x, Dictionary()), atol=1e-6, rtol=1e-5)


@given(st.lists(st.sampled_from(["landbird", "waterbird", "cat", "", None, float("nan"), 0, 1, -1, 1.0, np.int8(1)])))
def test_labels_become_indices_or_minus_one(labels: list[object]) -> None:
    expected = []
    for label in labels:
        named = {"landbird": 0, "waterbird": 1}.get(label) if isinstance(label, str) else None
        number = int(label) if not isinstance(label, str) and label in (0, 1) else None
        expected.append(next((v for v in (named, number) if v is not None), -1))
    found = BIRDS.encode(labels)
    assert found.tolist() == expected
    assert found.dtype == np.int64


def test_labels_come_in_any_container() -> None:
    assert BIRDS.encode(np.array([0, 1, 1], np.uint8)).tolist() == [0, 1, 1]
    assert BIRDS.encode(torch.tensor([1, -1])).tolist() == [1, -1]
    assert BIRDS.encode(np.array(["waterbird", "x"])).tolist() == [1, -1]
    assert BIRDS.encode(pd.Series(["waterbird", None])).tolist() == [1, -1]
    assert BIRDS.encode(pd.Series([1, None])).tolist() == [1, -1]
    assert BIRDS.encode(pd.array([1, None], dtype="Int64")).tolist() == [1, -1]


def test_numbers_that_are_names_are_these_classes() -> None:
    assert classes(["1", "2"]).encode([1, 2, 1]).tolist() == [0, 1, 0]
    assert classes(["1", "0"]).encode(np.array([0.0, 1.0])).tolist() == [1, 0]
    assert classes(["3", "8"]).encode([3, 8, 5, 0]).tolist() == [0, 1, -1, -1], "digits of which two are asked for"
    assert classes(["1", "2"]).encode(["1", "2", "0"]).tolist() == [0, 1, -1]


def test_one_name_in_two_spellings_of_its_bytes() -> None:
    composed, apart = "caf\u00e9", "cafe\u0301"
    made = classes([apart, "tea"], prompts={composed: "a café", "tea": "a tea"})
    assert made.names == (apart, "tea")
    assert composed in made
    assert made.index(composed) == made.index(apart) == 0
    assert made.encode([composed, apart, "tea"]).tolist() == [0, 0, 1]
    with pytest.raises(InputError, match=r"at positions 0 and 1, one name in two spellings of its bytes"):
        classes([composed, apart])
    with pytest.raises(InputError, match=r"at positions 0 and 1, one name"):
        classes(["\u212b", "\u00c5"])


def test_hash_follows_names_prompts_and_vectors_only() -> None:
    assert BIRDS.hash == "4302efb671a37e05", "stored results name class sets by this digest: it must not change"
    assert classes(("landbird", "waterbird"), templates="plain") == BIRDS
    assert hash(BIRDS) == hash(classes(["landbird", "waterbird"], prompts=[list(p) for p in BIRDS.prompts]))
    vectors = np.random.default_rng(0).normal(size=(2, 4))
    with_vectors = classes(BIRDS.names, vectors=vectors)
    assert with_vectors == classes(BIRDS.names, vectors=torch.tensor(vectors, dtype=torch.float32) * 7)
    others = [
        classes(["waterbird", "landbird"]),
        classes(BIRDS.names, templates=VARIED),
        with_vectors,
        classes(BIRDS.names, vectors=vectors[::-1].copy()),
    ]
    assert len({BIRDS, *others}) == 5
    assert classes(["a", "b, c"]) != classes(["a, b", "c"])


def test_it_is_frozen_and_reads_as_text() -> None:
    with pytest.raises(AttributeError):
        BIRDS.names = ("x",)  # type: ignore[misc]
    assert repr(BIRDS).startswith("ClassSet of 2: 'landbird', 'waterbird'; templates 'a photo of {a}'; hash ")
    assert "vectors [2, 3]" in repr(classes(["a", "b"], vectors=np.ones((2, 3))))
    assert "3 own prompts" in repr(classes(["a", "b"], prompts={"b": ["x", "y"], "a": "z"}))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: classes("bird"), "write a list"),
        (lambda: classes(3), "names=3"),
        (lambda: classes([]), "at least one class"),
        (lambda: classes(["owl", "duck", "owl"]), "'owl' at positions 0 and 2"),
        (lambda: classes(["owl", " "]), "' ' at position 1"),
        (lambda: classes(["owl", 3]), "3 at position 1"),
        (lambda: classes(["owl"], templates=PLAIN, vectors=[[1.0]]), "templates and vectors"),
        (lambda: classes(["owl"], templates=["a photo"]), "'a photo' at position 0"),
        (lambda: classes(["owl"], vectors=[[1.0], [2.0]]), r"\[2, 1\].*\[1, d\]"),
        (lambda: classes(["owl"], vectors=[1.0, 2.0]), r"vectors \[2\]"),
        (lambda: classes(["owl"], vectors="x"), "of type str"),
        (lambda: classes(["owl", "duck"], vectors=[[1.0], [0.0]]), "is zero .class 'duck'"),
        (lambda: classes(["owl"], vectors=[[float("nan"), 1.0]]), "NaN or infinity .class 'owl'"),
        (lambda: classes(["owl"], vectors=[[float("inf"), 1.0]]), "NaN or infinity"),
        (lambda: classes(["owl"], vectors=np.ones((1, 2), complex)), "real numbers"),
        (lambda: classes(["owl", "duck"], prompts=["x"]), "1 entries"),
        (lambda: classes(["owl"], prompts="x"), "one string"),
        (lambda: classes(["owl"], prompts=[[]]), "no text for class 'owl'"),
        (lambda: classes(["owl"], prompts=[[""]]), "'' for class 'owl'"),
        (lambda: classes(["owl"], prompts={"duck": "x"}), "differ in 'duck', 'owl'"),
        (lambda: BIRDS.vectors(), "attach the model, or pass vectors"),
        (lambda: BIRDS.predict(torch.ones(2, 8)), "attach the model, or pass vectors"),
        (lambda: BIRDS.predict(torch.ones(2, 7), Dictionary()), r"\[2, 7\].*\[b, 8\]"),
        (lambda: BIRDS.predict(torch.ones(8), Dictionary()), r"embeddings \[8\]"),
        (lambda: BIRDS.predict(torch.tensor([[1.0] * 8, [0.0] * 8]), Dictionary()), "is zero .row 1"),
        (lambda: BIRDS.scores(torch.full((1, 8), float("nan")), Dictionary()), "NaN or infinity .row 0"),
        (lambda: BIRDS.index("waterbrid"), "perhaps 'waterbird'"),
        (lambda: BIRDS.index(2), r"0 … 1"),
        (lambda: BIRDS.index(-1), r"0 … 1"),
        (lambda: BIRDS.index(True), "True"),
        (lambda: BIRDS.index(1.5), "1.5"),
        (lambda: BIRDS.encode("landbird"), "into a list"),
        (lambda: BIRDS.encode([True]), "bool"),
        (lambda: BIRDS.encode([0, 0.5]), "0.5 .float. at position 1"),
        (lambda: BIRDS.encode([[0, 1]]), "list"),
        (lambda: BIRDS.encode([1, 2]), "labels from 1 to 2 for 2 classes, which seem to be counted from 1"),
        (lambda: BIRDS.encode([1.0, 2.0]), "counted from 1.*as names"),
        (lambda: BIRDS.encode([0, 1, 7]), "labels from 0 to 7 for 2 classes"),
        (lambda: BIRDS.encode([-2, 0]), "labels from -2 to 0"),
        (lambda: BIRDS.encode(torch.tensor([2, 2])), "labels from 2 to 2"),
        (lambda: classes([f"c{i}" for i in range(1000)]).encode(range(1, 1001)), "from 1 to 1000 .*counted from 1"),
        (lambda: classes(["1", "2"]).encode([0, 1]), "'1' are names of classes and '0' are not"),
    ],
)
def test_bad_input_is_refused_in_words(call: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()  # type: ignore[operator]


def test_prompts_that_cancel_out_are_refused() -> None:
    class Opposites(Dictionary):
        def encode_text(self, texts: Sequence[str]) -> Tensor:
            return torch.tensor([[1.0, 0.0], [-1.0, 0.0]])

    with pytest.raises(InputError, match="class 'owl'"):
        classes(["owl"], prompts=[["up", "down"]]).vectors(Opposites())


def test_a_failed_encoding_is_not_kept() -> None:
    class Failing(Dictionary):
        def encode_text(self, texts: Sequence[str]) -> Tensor:
            raise RuntimeError("out of memory")

    made = classes(["owl"])
    with pytest.raises(RuntimeError, match="memory"):
        made.vectors(Failing())
    assert made.vectors(Dictionary()).shape == (1, 8)


ARTICLES = {
    "a": "bird waterbird unicorn uniform university user euro one-way T-shirt TV UFO ukulele 7",
    "an": "owl umbrella urn hour honest 8-ball 11 x-ray SUV MRI uninhabited unidentified usher heirloom X-ray",
}


@pytest.mark.parametrize("article", ARTICLES)
def test_articles_follow_the_sound(article: str) -> None:
    wrong = [name for name in ARTICLES[article].split() if with_article(name) != f"{article} {name}"]
    assert wrong == []
    assert with_article("a red bird") == "a red bird"
    assert with_article("The Sea") == "The Sea"


@given(st.text(min_size=1).filter(str.strip))
def test_filling_never_touches_the_name(name: str) -> None:
    assert fill("<{}>", name) == f"<{name}>"
    assert fill("{a}", name).endswith(name)
    assert fill("{} {}", name) == f"{name} {name}"


def test_templates_come_from_sets_lists_and_files(tmp_path: Path) -> None:
    assert templates() == PLAIN == ("a photo of {a}",)
    assert templates("varied") == VARIED
    assert templates("{a} at night") == ("{a} at night",)
    file = tmp_path / "mine.txt"
    file.write_text("\ufeff# mine\na blurry {}\r\n\n  {a} from above \n", encoding="utf-8")
    assert templates(file) == templates(str(file)) == ("a blurry {}", "{a} from above")
    assert classes(["owl"], templates=file).prompts == (("a blurry owl", "an owl from above"),)
    for missing in (tmp_path / "none.txt", str(tmp_path / "none.txt")):
        with pytest.raises(InputError, match="check the path"):
            templates(missing)
    empty = tmp_path / "empty.txt"
    empty.write_text("\n# nothing\n")
    for bad in (empty, [], ["{b}"], ["{a"], ["{a} {x}"], "vareid", [3], ["{0}"]):
        with pytest.raises(InputError, match="templates: got"):
            templates(bad)


def test_our_sets_are_valid_distinct_and_known_to_the_built_in_model() -> None:
    words = set(vocabulary())
    for name, patterns in TEMPLATE_SETS.items():
        assert templates(list(patterns)) == patterns == templates(name)
        filled = [fill(t, "owl") for t in patterns]
        assert len(set(filled)) == len(filled)
        assert {w for text in filled for w in text.split()} - {"owl"} <= words
