"""What is broken on purpose fails as it says, and its sound twin does not."""

from __future__ import annotations

import pytest

import toolkit as tk
from toolkit import teach

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::toolkit.BankWarning")]
KNOWN = "L3.H7 L3.H5 L2.H4 L3.H4 L2.H3"


@pytest.fixture(scope="module")
def model():
    return tk.load()


@pytest.fixture(scope="module")
def birds():
    return tk.classes(["waterbird", "landbird"])


@pytest.fixture(scope="module")
def edit(model):
    return tk.extract(model, tk.scenes("edit", n=400, kind="birds"), progress=False)


@pytest.fixture(scope="module")
def val(model):
    return tk.extract(model, tk.scenes("val", n=800), progress=False)


def looks_well(broken):
    figure = broken.to_matplotlib()
    figure.canvas.draw()
    html, text = broken._repr_html_(), repr(broken)
    assert html.count("<img") == 1
    assert len(html) < 150_000
    assert all(words in text for words in (broken.title, broken.broken, broken.sound, broken.lesson))


def test_a_narrow_bank_names_a_head_it_cannot_span(val):
    found = teach.narrow_bank(val, "L3.H7", ["a red object", "a green object", "a blue object"])
    assert found.numbers["narrow"] < 0.2
    assert found.numbers["full"] > 0.6
    looks_well(found)
    with pytest.raises(tk.InputError, match="one head"):
        teach.narrow_bank(val, KNOWN, ["a red object", "a green object"])


def test_few_images_shuffle_the_ranks(edit, birds):
    found = teach.few_images(edit, birds, n=10, many=60, draws=8)
    assert found.numbers["few"] < found.numbers["many"]
    looks_well(found)
    with pytest.raises(tk.InputError, match="smallest class"):
        teach.few_images(edit, birds, n=10, many=100)


def test_without_beta_the_other_classes_pay(edit, val):
    everything = tk.classes(sorted(set(val.labels)))
    found = teach.zero_beta(edit.draw(per_class=10, seed=0), everything, "L3.H7 L3.H5", val)
    lost = {name: found.numbers[name][1] - found.numbers[name][2] for name in ("zero", "beta")}
    assert lost["zero"] > lost["beta"] + 0.15
    looks_well(found)
    only_birds = val.where(label=["waterbird", "landbird"])
    with pytest.raises(tk.InputError, match="other classes"):
        teach.zero_beta(edit.draw(per_class=10), everything, "L3.H7", only_birds)


def test_the_best_of_many_random_sets_does_not_last(val, birds):
    found = teach.random_heads(val.where(label=["waterbird", "landbird"]), birds, sets=60, without=KNOWN)
    assert found.numbers["picked"] > 0
    assert found.numbers["again"] < found.numbers["picked"] / 2
    looks_well(found)
    with pytest.raises(tk.InputError, match="n="):
        teach.random_heads(val, birds, n=len(val))


def test_rescaling_hides_that_a_head_writes_nothing(model):
    image = tk.scenes("val", n=1, seed=3, kind="birds")[0]
    found = teach.rescaled_maps(model, image, "a waterbird", "L3.H7", "L0.H3", against="a landbird")
    strong, weak = found.numbers["largest"]
    assert strong > 5 * weak
    looks_well(found)
