"""Texts for heads: conventions, results, files, the reverse query and principal axes."""

from __future__ import annotations

import json
import warnings

import families
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spans_literal import literal_inside

import toolkit as tk
from toolkit.api.words.bases import head_bases
from toolkit.api.words.contributions import Contributions
from toolkit.api.words.textspan import BankWarning


@pytest.fixture(scope="module")
def acts():
    return tk.extract(tk.load(), tk.scenes("val", n=300, kind="factorial"), progress=False)


@pytest.fixture(scope="module")
def spans(acts):
    return tk.textspan(acts, "world", size=6, layers=-2)


@pytest.mark.parametrize("convention", ["separate", "reference"])
def test_the_literal_algorithm_on_a_whole_model(acts, convention):
    view = acts.using(convention)
    vectors = tk.load().encode_text(list(tk.bank("world").texts))
    found = tk.textspan(acts, "world", size=8, layers=[1, 3], convention=convention)
    heads = view.heads.double().numpy()
    for i, layer in enumerate(found.layers):
        for h in range(8):
            expected = literal_inside(heads[:, layer, h], vectors.double().numpy(), 8)
            assert found.picks[i, h].tolist()[: len(expected)] == expected, (layer, h)
    assert found.settings["convention"] == convention
    assert found.ranks.max() == (16 if convention == "separate" else 19)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_every_family(family):
    clip = families.build(family, torch.float32)
    parts = tk.decompose(tk.wrap(clip), families.pictures(clip, 12, torch.float32))
    acts = tk.from_arrays(parts.heads, ids=[f"i{i}" for i in range(12)])
    texts = np.random.default_rng(0).normal(size=(40, parts.embedding.shape[1]))
    found = tk.textspan(acts, texts, size=3, layers=None)
    heads, unit = parts.heads.double().numpy(), texts / np.linalg.norm(texts, axis=1, keepdims=True)
    for layer in range(heads.shape[1]):
        for h in range(heads.shape[2]):
            picks = [j for j in found.picks[layer, h].tolist() if j >= 0]
            c = heads[:, layer, h]
            if ((c - c.mean(0)) ** 2).sum() <= 2e-12 * (c**2).sum():  # what varies less than float32 rounds is silent
                continue
            assert picks == literal_inside(heads[:, layer, h], unit, 3), (layer, h)


def test_what_a_result_says(spans, acts):
    assert spans.picks.shape == (2, 8, 6)
    assert spans.texts[0][6][0] == spans.head("L2.H6")["text"][0] == tk.bank("world").texts[spans.picks[0, 6, 0]]
    table = spans.to_dataframe()
    assert len(table) == 2 * 8 * 6
    assert (np.diff(spans.explained, axis=2) >= 0).all()
    assert (spans.explained[..., -1] < spans.reach + 1e-9).all()
    assert (spans.explained <= 1).all()
    # the first text's std is that of the contributions along it
    vectors = tk.load().encode_text(list(tk.bank("world").texts)).double()
    along = acts.parts().toward(vectors)[:, 2:].double().std(0)
    first = np.take_along_axis(along.numpy(), spans.picks[:, :, :1], 2)
    np.testing.assert_allclose(spans.std[:, :, :1], first, rtol=1e-4)
    assert spans.settings["images"] == 300
    assert spans.settings["bank hash"] == tk.bank("world").hash
    assert "L2.H6: " in repr(spans)
    with pytest.raises(tk.InputError, match="one head of layers 2, 3"):
        spans.head("L1.H0")


def test_heads_of_the_built_in_model_say_what_they_do(acts, spans):
    """Heads with a clear true role (η² ≥ 0.4, on these images) are mostly given a text of that factor first; n is
    small, so this is a check of the machinery and no claim.
    """
    data = acts.data
    factors = ["class", "background", "colour", "count", "light", "weather", "style", "size"]
    roles = tk.head_roles(acts.parts(), data.factors[factors])
    said = spans.specialisation()
    clear = [(head, factor) for head, factor, share in roles.leading() if share >= 0.4 and head[1] in "23"]
    assert len(clear) >= 6
    right = [said.loc[head, "factor"] == factor for head, factor in clear]
    assert np.mean(right) >= 0.6, list(zip(clear, right, strict=True))


def test_specialisation_and_entanglement(spans):
    table, shared = spans.specialisation(), spans.entanglement()
    assert len(table) == 16
    assert table["share"].between(0, 1).all()
    assert shared["leads"].sum() == 16
    assert shared.loc[table.loc["L2.H6", "factor"], "heads"].split().count("L2.H6") == 1


def test_stability_over_resampled_images(acts):
    found = tk.textspan(acts, "world", size=3, layers=[2], resamples=8, seed=1)
    again = tk.textspan(acts, "world", size=3, layers=[2], resamples=8, seed=1)
    np.testing.assert_array_equal(found.stability, again.stability)
    assert ((found.stability >= 0) & (found.stability <= 1)).all()
    assert found.stability[0, :, 0].mean() > 0.7
    assert found.stability.min() < 1
    few = tk.textspan(acts.take(range(12)), "world", size=3, layers=[2], resamples=8, seed=1)
    assert few.stability.mean() < found.stability.mean()


def test_resampled_moments_are_those_of_resampled_images(acts):
    from toolkit.core.moments import bootstrap_moments, moments_of
    from toolkit.core.state import State

    state = State.cat(list(acts.states()))
    made = list(bootstrap_moments(acts.states, len(acts), [1, 3], 2, 5))
    times = np.random.default_rng(5).multinomial(len(acts), np.full(len(acts), 1 / len(acts)), 2)
    for found, count in zip(made, times, strict=True):
        rows = torch.from_numpy(np.repeat(np.arange(len(acts)), count))
        again = State(*(getattr(state, n)[rows] for n in ("mixes", "mlps", "means", "sigma", "mu", "output")))
        expected = moments_of(again).flat([1, 3])
        torch.testing.assert_close(found.mean, expected.mean)
        torch.testing.assert_close(found.scatter, expected.scatter)


def test_saved_and_read_again(spans, tmp_path):
    path = spans.save(tmp_path / "spans.json")
    content = json.loads(path.read_text())
    assert content["settings"]["fingerprint"] == tk.load().card.fingerprint
    assert content["settings"]["bank hash"] == tk.bank("world").hash
    read = tk.load_spans(path)
    assert read.texts == spans.texts
    np.testing.assert_allclose(read.explained, spans.explained, rtol=1e-8)
    assert read.head("L3.H1").equals(read.head((3, 1)))
    assert list(read.head("L3.H1")["factor"]) == list(spans.head("L3.H1")["factor"])
    assert read.settings == spans.settings
    assert [p.name for p in tmp_path.iterdir()] == ["spans.json"]


def test_the_public_text_format(tmp_path):
    rule = "------------------"
    words = (
        f"{rule}\nLayer 22, Head 0\n{rule}\nfirst text \nsecond text\n{rule}\nLayer 23, Head 1\n{rule}\nsecond text\n"
    )
    path = tmp_path / "set.txt"
    path.write_text(words + f"{rule}\nCurrent accuracy: 0.5\nNumber of texts: 2\n{rule}\n")
    found = tk.load_spans(path)
    assert found.layers == (22, 23)
    assert found.texts == [[["first text", "second text"], []], [[], ["second text"]]]
    assert np.isnan(found.std).all()
    assert found.specialisation().empty
    assert "L22.H0: first text; second text" in repr(found)


def test_blank_lines_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "set.txt"
    path.write_text("\ufeffLayer 0, Head 0\nwater\n\nland\n\nLayer 0, Head 1\nsea\n", encoding="utf-8")
    assert tk.load_spans(path).texts == [[["water", "land"], ["sea"]]]


def test_a_place_that_cannot_be_written(spans, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(tk.StoreError, match=r"spans\.save: got .*x\.json"):
        spans.save(tmp_path / "file" / "x.json")


@pytest.mark.parametrize(
    "content", ['{"format": 1, "settings": null}', "", "{", '{"format": 9}', '{"format": 1}', "no heads here"]
)
def test_files_that_hold_no_spans(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(tk.InputError, match="load_spans"):
        tk.load_spans(path)
    with pytest.raises(tk.InputError, match="load_spans"):
        tk.load_spans(tmp_path / "missing.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texts": []}, "no texts"), ({"texts": ["a", " "]}, "position 1"), ({"size": 0}, "size=0"),
        ({"rank": 0}, "rank=0"), ({"method": "lasso"}, "method='lasso'"), ({"layers": [9]}, "layers="),
        ({"resamples": -1}, "resamples=-1"), ({"convention": "mine"}, "convention='mine'"),
        ({"texts": np.ones((3, 7))}, "vectors of shape"), ({"texts": np.full((3, 96), np.nan)}, "row 0"),
        ({"texts": 3}, "a int"), ({"texts": "no bank"}, "for one text write a list"),
    ],
)  # fmt: skip
def test_bad_input(acts, change, message):
    arguments = {"texts": "world", "size": 2} | change
    with pytest.raises(tk.InputError, match=message):
        tk.textspan(acts, **arguments)


def test_too_few_images_and_no_acts(acts):
    with pytest.raises(tk.InputError, match="at least two images"):
        tk.textspan(acts.take([0]), "world")
    with pytest.raises(tk.InputError, match="extract them first"):
        tk.textspan(tk.scenes("val", n=3), "world")
    bare = tk.from_arrays(np.random.default_rng(0).normal(size=(9, 1, 2, 4)))
    with pytest.raises(tk.InputError, match="attach it with"):
        tk.textspan(bare, "world")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BankWarning)
        assert tk.textspan(bare, np.eye(4), size=9).picks.shape == (1, 2, 9)
        assert (tk.textspan(bare, np.eye(4), size=9).picks[..., 4:] == -1).all()


def test_what_a_bank_lacks_is_said(acts):
    with pytest.warns(BankWarning, match="cannot span 16 heads"):
        found = tk.textspan(acts, ["a red object", "a sketch of an object"], layers=-2)
    assert (found.picks >= 0).sum(2).max() == 2
    np.testing.assert_allclose(np.nanmax(found.explained, 2), found.reach, rtol=1e-6)
    with pytest.warns(BankWarning, match="1 texts have the vector of an earlier one.*'a red object'"):
        doubled = tk.textspan(acts, [*tk.bank("world").texts, "a red object"], layers=-2)
    assert not (doubled.picks == len(tk.bank("world"))).any()


def test_texts_picked_that_are_nearly_another_one_are_told(acts):
    with pytest.warns(BankWarning, match=r"texts picked are nearly another one of the bank \(cosine above 0\.99\)"):
        tk.textspan(acts, "world", size=6, layers=-2)
    apart = [text for text in tk.bank("world").texts if " " not in text or "background" in text][::4]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*nearly another")
        warnings.filterwarnings("ignore", message=".*cannot span")
        tk.textspan(acts, apart, size=3, layers=-1)


def test_a_stop_at_chance_ends_lists_earlier_and_keeps_their_beginnings(acts, tmp_path):
    whole = tk.textspan(acts, "world", size=10, layers=-2)
    short = tk.textspan(acts, "world", size=10, layers=-2, stop="chance")
    assert np.isnan(whole.chance).all()
    kept = short.picks >= 0
    assert 0 < kept.sum() < (whole.picks >= 0).sum()
    assert (short.picks[kept] == whole.picks[kept]).all()
    assert not (np.diff(kept.astype(int), axis=2) > 0).any(), "a list ends once"
    assert np.isnan(short.explained[~kept]).all()
    gain = np.diff(np.nan_to_num(short.explained), axis=2, prepend=0)
    assert (gain[kept] > short.chance[kept]).all()
    assert short.settings["stop"] == "chance"
    assert tk.textspan(acts, "world", size=10, layers=-2, stop="chance").picks.tolist() == short.picks.tolist()
    again = tk.load_spans(short.save(tmp_path / "s.json"))
    np.testing.assert_allclose(again.chance, short.chance, rtol=1e-6)
    assert list(short.head("L3.H1").columns)[-1] == "chance"
    with pytest.raises(tk.InputError, match="'rank' or 'chance'"):
        tk.textspan(acts, "world", stop="luck")


def test_spans_of_an_earlier_version_open(acts, tmp_path):
    path = tk.textspan(acts, "world", size=2, layers=-1).save(tmp_path / "s.json")
    content = json.loads(path.read_text())
    del content["chance"]
    path.write_text(json.dumps(content))
    found = tk.load_spans(path)
    assert np.isnan(found.chance).all()
    del content["reach"]
    path.write_text(json.dumps(content))
    with pytest.raises(tk.InputError, match="reach"):
        tk.load_spans(path)


def test_somp_explains_at_least_as_much_with_its_texts_alone(acts, spans):
    found = tk.textspan(acts, "world", size=6, layers=-2, method="somp")
    np.testing.assert_array_equal(found.picks[:, :, 0], spans.picks[:, :, 0])
    assert (found.explained <= 1 + 1e-9).all()
    assert found.settings["method"] == "somp"


def test_the_heads_of_a_concept(acts):
    found = tk.heads_for("water", acts)
    assert found.share.shape == (4, 8)
    assert found.draws == len(tk.bank("world"))
    _, share, p = found.ranking()[0]
    assert share == found.share.max()
    assert p < 0.1
    several = tk.heads_for(["sea", "lake", "water"], acts, layers=[2, 3])
    assert several.share.max() > found.share[2:].max()
    assert several.draws == 400
    assert len(several.to_dataframe()) == 16
    # one text by hand: its direction in the head's span
    bases = head_bases(acts, [3])
    text = bases.basis.vectors[7].T @ tk.load().encode_text("water")[0].double()
    unit = text / text.norm()
    by_hand = unit @ bases.basis.covariance[7] @ unit / bases.basis.variance[7]
    assert found.share[3, 7] == pytest.approx(float(by_hand))
    with pytest.raises(tk.InputError, match="a larger bank"):
        tk.heads_for(["sea", "lake"], acts, ["snow", "sky"])
    with pytest.raises(tk.InputError, match="no texts"):
        tk.heads_for([], acts)


def test_a_random_concept_is_not_found(acts):
    """Under the null, p-values of random texts of the bank are spread out."""
    bank = tk.bank("world")
    p = np.concatenate([tk.heads_for(bank.texts[i], acts, layers=[2, 3]).p.ravel() for i in range(0, 160, 8)])
    assert 0.3 < np.mean(p) < 0.7
    assert np.mean(p < 0.05) < 0.15


def test_near_copies_and_combinations_explain_nothing_more(acts):
    a, b = tk.load().encode_text(["water", "a red object"])
    noisy = torch.nn.functional.normalize(a + 1e-7 * torch.randn(96, generator=torch.manual_seed(0)), dim=0)
    one = tk.heads_for(a[None], acts).share
    np.testing.assert_allclose(tk.heads_for(torch.stack([a, noisy]), acts).share, one, rtol=1e-3, atol=1e-5)
    two = tk.heads_for(torch.stack([a, b]), acts).share
    between = torch.nn.functional.normalize(a + b, dim=0)
    np.testing.assert_allclose(tk.heads_for(torch.stack([a, b, between]), acts).share, two, rtol=1e-3, atol=1e-5)


def test_the_reach_of_texts_fitted_in_all_of_d():
    rng = np.random.default_rng(0)
    acts = tk.from_arrays(rng.normal(size=(80, 1, 2, 16)) @ rng.normal(size=(16, 256)))
    texts = rng.normal(size=(40, 256))
    with pytest.warns(BankWarning, match="cannot span 2 heads"):
        found = tk.textspan(acts, texts, size=40, layers=None, method="somp")
    np.testing.assert_allclose(found.explained[..., -1], found.reach, rtol=1e-6)
    assert found.reach.max() < 0.5
    assert tk.textspan(acts, texts, size=40, layers=None).reach.min() > 0.999


@pytest.mark.parametrize("images", [2, 3, 7, 11, 37])
def test_images_that_are_all_the_same(images):
    heads = np.repeat(np.random.default_rng(images).normal(size=(1, 2, 4, 8)).astype(np.float32), images, 0)
    found = tk.textspan(tk.from_arrays(heads), np.random.default_rng(0).normal(size=(30, 8)), layers=None)
    assert (found.picks == -1).all()
    assert np.isnan(found.reach).all()


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_picks_do_not_depend_on_the_scale(scale):
    rng = np.random.default_rng(0)
    heads, texts = rng.normal(size=(50, 1, 3, 8)) @ rng.normal(size=(8, 24)), rng.normal(size=(60, 24))
    one, other = (tk.textspan(tk.from_arrays(h, scale="raw"), texts, layers=None) for h in (heads, scale * heads))
    np.testing.assert_array_equal(one.picks, other.picks)
    np.testing.assert_allclose(scale * one.std, other.std, rtol=1e-5)


def test_principal_axes(acts):
    found = tk.head_pca(acts, axes=3, layers=-2, top=4)
    heads = acts.heads[:, 2:].double().numpy()
    c = heads[:, 0, 3] - heads[:, 0, 3].mean(0)
    _, s, v = np.linalg.svd(c, full_matrices=False)
    np.testing.assert_allclose(found.share[0, 3], (s**2 / (s**2).sum())[:3], rtol=1e-5)
    np.testing.assert_allclose(np.abs((found.axes[0, 3] * v[:3]).sum(1)), 1, rtol=1e-4)
    along = c @ found.axes[0, 3, 0]
    assert list(found.images[0, 3, 0, 0]) == list(acts.ids[np.argsort(-along, kind="stable")[:4]])
    assert list(found.images[0, 3, 0, 1]) == list(acts.ids[np.argsort(along, kind="stable")[:4]])
    assert found.head("L2.H3").loc[0, "share"] == found.share[0, 3, 0]
    assert "↔" in repr(found)
    many = tk.head_pca(acts, axes=20, layers=[3])
    assert (many.share[..., 16:] == 0).all()


def test_contributions_of_single_images(acts):
    bases = head_bases(acts, None)
    contributions = Contributions(acts, bases)
    text = tk.load().encode_text("a red object")[0]
    along = contributions.along(2, 6, text)
    heads = acts.heads[:, 2, 6].double()
    c = heads - heads.mean(0)
    np.testing.assert_allclose(along, (c @ text.double()).numpy(), atol=1e-6)
    cosine = contributions.along(2, 6, text, cosine=True)
    np.testing.assert_allclose(cosine, torch.nn.functional.cosine_similarity(c, text.double()[None]).numpy(), atol=1e-4)
    main = contributions.along(2, 6, None)
    assert main.var(ddof=1) == pytest.approx(
        float(torch.linalg.eigvalsh(bases.basis.covariance[bases.at(2, 6)])[-1]), rel=1e-4
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 9), st.integers(1, 12), st.integers(1, 30))
def test_any_small_set(images, size, texts):
    rng = np.random.default_rng(images * size)
    acts = tk.from_arrays(rng.normal(size=(images, 2, 2, 6)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BankWarning)
        found = tk.textspan(acts, rng.normal(size=(texts, 6)), size=size, layers=None)
    ended = found.picks < 0
    assert (np.diff(ended.astype(int), axis=2) >= 0).all()  # once over, always over
    assert (np.isnan(found.std) == ended).all()
    assert ((found.explained > 0) | ended).all()
    for row in found.picks.reshape(-1, size):
        kept = row[row >= 0]
        assert len(set(kept)) == len(kept) <= min(images, 6, texts)


@pytest.mark.slow
def test_a_hundred_thousand_texts_in_bounded_memory():
    """In a process of its own: what is needed beyond the texts themselves stays well below texts × d in float64."""
    code = """
import resource, numpy as np, toolkit as tk
rng = np.random.default_rng(0)
heads = rng.normal(size=(200, 2, 4, 16)) @ rng.normal(size=(16, 256))
acts = tk.from_arrays(heads.astype(np.float32))
texts = rng.normal(size=(100_000, 256)).astype(np.float32)
bank = tk.bank(texts)
tk.textspan(acts, bank.edited(remove=bank.texts[1000:]), size=5, layers=None)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
spans = tk.textspan(acts, bank, size=5, layers=None)
print(spans.picks.min(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    least, more = map(int, done.stdout.split())
    assert least >= 0
    assert more < 700_000, f"{more} kB more for 100 MB of texts"
