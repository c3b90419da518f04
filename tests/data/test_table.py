"""Tables of images: CSV, TSV and Parquet; columns, splits, and what is no table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from data import trees
from hypothesis import given
from hypothesis import strategies as st

import toolkit as tk
from toolkit.data.sheets import typed

KEYS = {"split": "test", "mask": "mask"}


def test_a_csv(tmp_path):
    data = tk.table(trees.table(tmp_path), group=["label", "place"], **KEYS)
    assert list(data.ids) == [f"images/{i}.png" for i in range(2, 6)]
    assert list(data.labels) == ["gull", "wren", "gull", "wren"]
    assert list(data.groups) == ["gull, land", "wren, water", "gull, water", "wren, water"]
    assert list(data.attributes.columns) == ["place", "weight"]
    assert list(data.attributes["weight"]) == [1.0, 1.5, 2.0, 2.5]
    assert data.split == "test"
    assert data.boxes() == [(2, 2, 6 + i, 9) for i in range(2, 6)]
    assert list(data.where(place="water", weight=2).ids) == ["images/4.png"]
    assert data[0].image.size == (32, 24)
    assert repr(data).startswith("table(4 images, split 'test': gull, land 1")


def test_tsv_parquet_semicolons_and_a_byte_order_mark_read_the_same(tmp_path):
    expected = tk.table(trees.table(tmp_path), **KEYS).to_dataframe()
    pd.read_csv(tmp_path / "birds.csv").to_parquet(tmp_path / "birds.parquet")
    files = [
        trees.table(tmp_path, "birds.tsv", "\t"), tmp_path / "birds.parquet", trees.table(tmp_path, "b.csv", ";"),
        trees.table(tmp_path, "bom.csv", encoding="utf-8-sig"), trees.table(tmp_path, "BIRDS.CSV", " ,  "),
    ]  # fmt: skip
    for file in files:
        data = tk.table(str(file), **KEYS)
        pd.testing.assert_frame_equal(data.to_dataframe(), expected, check_dtype=False)
        assert (data.notes != ()) == (file.name == "b.csv")
    assert "semicolons between its columns" in tk.table(tmp_path / "b.csv", **KEYS).notes[0]


def test_labels_that_are_numbers_become_words(tmp_path):
    trees.table(tmp_path)
    frame = pd.read_csv(tmp_path / "birds.csv").assign(label=[0, 1] * 3, split=[0.0, 1.0] * 3, path=lambda f: f["path"])
    frame.to_parquet(tmp_path / "n.parquet")
    data = tk.table(tmp_path / "n.parquet", split="1", group="weight")
    assert list(data.labels) == ["1", "1", "1"]
    assert list(data.groups) == ["0.5", "1.5", "2.5"]
    frame.assign(label=["01", "1", "NA"] * 2).to_csv(tmp_path / "n.csv")
    data = tk.table(tmp_path / "n.csv", split="1.0")
    assert list(data.labels) == ["1", "01", "NA"]
    assert "Unnamed: 0" not in data.attributes


def test_columns_by_other_names(tmp_path):
    trees.table(tmp_path)
    frame = pd.read_csv(tmp_path / "birds.csv").rename(columns={"path": "file_name", "label": "species"})
    frame = frame.assign(group="x", key=range(6), caption="a bird, of course").drop(columns=["split", "mask"])
    frame.to_csv(tmp_path / "o.csv", index=False)
    data = tk.table(tmp_path / "o.csv", image="file_name", label="species", id="key")
    assert (data.split, list(data.ids)) == ("all", list("012345"))
    assert list(data.attributes.columns) == ["place", "weight", "group (in the file)", "caption"]
    assert list(data.groups) == list(data.labels)
    with pytest.raises(tk.InputError, match=r"image='path', a column the table does not have.*write image='file_name'"):
        tk.table(tmp_path / "o.csv")
    with pytest.raises(tk.InputError, match=r"label='specie', .*did you mean 'species'"):
        tk.table(tmp_path / "o.csv", image="file_name", label="specie")
    for key in ("group", "id", "mask"):
        with pytest.raises(tk.InputError, match=f"{key}='zzz', a column the table does not have"):
            tk.table(tmp_path / "o.csv", image="file_name", label="species", **{key: "zzz"})
    with pytest.raises(tk.InputError, match=r"group=.., no column"):
        tk.table(tmp_path / "o.csv", image="file_name", label="species", group=[])


def test_splits(tmp_path):
    file = trees.table(tmp_path)
    with pytest.raises(tk.InputError, match=r"with the splits 'test' \(4 rows\), 'train' \(2 rows\).*split='test'"):
        tk.table(file)
    with pytest.raises(tk.InputError, match=r"split='val', of which column 'split' knows nothing"):
        tk.table(file, split="val")
    assert len(tk.table(file, split="train")) == 2
    assert len(tk.table(file, split_column="place", split="land")) == 3
    with pytest.raises(tk.InputError, match="split_column='part', a column the table does not have"):
        tk.table(file, split_column="part", split="test")
    frame = pd.read_csv(file)
    frame[frame["split"] == "test"].to_csv(tmp_path / "one.csv", index=False)
    assert tk.table(tmp_path / "one.csv").split == "test"
    frame.drop(columns="split").to_csv(tmp_path / "none.csv", index=False)
    assert tk.table(tmp_path / "none.csv").split == "all"
    with pytest.raises(tk.InputError, match="split_column='split'"):
        tk.table(tmp_path / "none.csv", split="test")


def test_the_root(tmp_path):
    file = trees.table(tmp_path)
    (tmp_path / "lists").mkdir()
    moved = file.rename(tmp_path / "lists" / "birds.csv")
    with pytest.raises(tk.InputError, match="none of the 4 images is there"):
        tk.table(moved, split="test")
    assert len(tk.table(moved, split="test", root=tmp_path)) == 4
    with pytest.raises(tk.InputError, match="not a folder"):
        tk.table(moved, split="test", root=tmp_path / "nowhere")
    words = moved.read_text()
    moved.write_text(words.replace("images/5", "../images/5"))
    with pytest.raises(tk.InputError, match=r"table: got 1 path that leaves.*: '\.\./images/5\.png'"):
        tk.table(moved, split="test", root=tmp_path)
    moved.write_text(words.replace("images/5", "images/4"))
    with pytest.raises(tk.InputError, match=r"1 id given more than once: 'images/4\.png'"):
        tk.table(moved, split="test", root=tmp_path)
    moved.write_text(words.replace("images/5", "images/9"))
    with pytest.warns(tk.DataWarning, match="1 of 4 images are not there"):
        tk.table(moved, split="test", root=tmp_path)


def test_empty_cells_are_named_by_row(tmp_path):
    file = trees.table(tmp_path)
    words = file.read_text()
    file.write_text(words.replace("gull", " ").replace("\n", "\n\n"))
    with pytest.raises(tk.InputError, match=r"an empty label in row 3, 5\. Accepted: a label for every image"):
        tk.table(file, split="test")
    file.write_text(words.replace("images/3.png", "").replace("masks/4.png", ""))
    with pytest.raises(tk.InputError, match=r"an empty path in row 4"):
        tk.table(file, split="test")
    file.write_text(words.replace("masks/4.png", ""))
    with pytest.raises(tk.InputError, match=r"'images/4\.png', without a mask"):
        tk.table(file, split="test", mask="mask").masks()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "which is empty"), ("a.csv", b"path,label\n", "no rows"), ("a.csv", b" \n\n", "which is empty"),
        ("a.csv", "path,label\n1.png,Möwe\n".encode("latin-1"), "not UTF-8 .line 2, near .*Möwe"),
        ("a.csv", "path,label\n".encode("utf-16"), "UTF-16"), ("a.csv", b"PK\x03\x04\0\0\0\0", "holds NULs"),
        ("a.csv", b"path,label\n1.png,a,b\n", "row 1 has 3 cells for 2 columns"),
        ("a.csv", b"path,label\n1.png,a\n2.png,a,b\n", "row 2 has 3 cells"),
        ("a.csv", b'path,label\n"1.png,a\n', "a quote is opened and never closed"),
        ("a.csv", b"path,label,path\n1.png,a,b\n", "'path' as the name of two columns"),
        ("a.tsv", b"path;labels\n1.png;a\n", "label='label'.*did you mean 'labels'"),
        ("a.csv", b"path,label\n1.png\n", "row 1 has 1 cells for 2 columns"),
        ("a.parquet", b"PAR1 no", "cannot be read as Parquet"), ("a.xlsx", b"PK", r"table in \.csv, \.tsv, \.parquet"),
    ],
)  # fmt: skip
def test_files_that_are_no_table(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(tk.InputError, match=message):
        tk.table(tmp_path / name)


def test_no_file_a_folder_and_images_inside_a_table(tmp_path):
    for name in ("none.csv", "none.parquet"):
        with pytest.raises(tk.InputError, match="No such file"):
            tk.table(tmp_path / name)
    with pytest.raises(tk.InputError, match=r"which is a folder.*tk\.image_folder"):
        tk.table(tmp_path)
    pd.DataFrame({"image": [{"bytes": b"x", "path": "1.png"}], "label": [0]}).to_parquet(tmp_path / "hf.parquet")
    with pytest.raises(tk.InputError, match=r"images inside the table .column 'image'"):
        tk.table(tmp_path / "hf.parquet", image="image")


CELLS = st.one_of(
    st.integers(-(10**14), 10**14).map(str), st.sampled_from(["", "01", "1.50", "x", "True", "False", "1e-3", "-0"]),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
)  # fmt: skip


@given(st.lists(CELLS, min_size=1, max_size=5))
def test_numbers_are_numbers_and_codes_stay_as_they_are(cells):
    found = typed(pd.Series(cells, dtype=object))
    if found.dtype == object:
        assert found.tolist() == cells
    elif found.dtype == bool:
        assert [str(value) for value in found] == cells
    else:
        assert [v for v in found if v == v] == [float(cell) for cell in cells if cell]


@pytest.mark.parametrize("file", [5, None, ["a.csv"]])
def test_what_is_no_path_is_refused(file):
    with pytest.raises(tk.InputError, match="as file"):
        tk.table(file)


def listed(tmp_path, name, words, encoding="utf-8"):
    """A list of two pictures that are there."""
    for picture in ("a.png", "b.png"):
        trees.picture(tmp_path / picture)
    (tmp_path / name).write_bytes(words.encode(encoding))
    return tmp_path / name


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("first", ["", "sep={}\n", '"sep={}"\r\n', "SEP={}\r\n", "\nsep={};;\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_what_stands_between_the_columns(tmp_path, name, separator, first, encoding):
    rows = "".join(separator.join(row) + "\n" for row in (("path", "label"), ("a.png", "x"), ("b.png", '"y, z; w"')))
    data = tk.table(listed(tmp_path, name, first.format(separator) + rows, encoding))
    assert list(data.labels) == ["x", "y, z; w"]
    usual = "\t" if name == "t.tsv" else ","
    assert len(data.notes) == (separator != usual)


def test_a_sep_line_may_name_any_character_and_may_be_wrong(tmp_path):
    data = tk.table(listed(tmp_path, "t.csv", "sep=^\npath^label\na.png^x\nb.png^y\n"))
    assert list(data.labels) == ["x", "y"]
    assert data.notes == ("t.csv has '^' between its columns.",)
    assert list(tk.table(listed(tmp_path, "t.csv", "sep=;\npath,label\na.png,x\n")).labels) == ["x"]
    with pytest.raises(tk.InputError, match="which is empty"):
        tk.table(listed(tmp_path, "t.csv", "sep=;\n"))
    data = tk.table(listed(tmp_path, "t.csv", '"path, in short";label\na.png;x\n'), image="path, in short")
    assert len(data) == 1


HEADLESS = {
    "commas": ("t.csv", "a.png,x\nb.png,y\n", "utf-8"), "semicolons": ("t.csv", "a.png;x\nb.png;y\n", "utf-8"),
    "tabs": ("t.tsv", "a.png\tx\nb.png\ty\n", "utf-8"), "text": ("t.txt", "a.png|x\nb.png|y\n", "utf-8"),
    "mark": ("t.csv", "a.png,x\nb.png,y\n", "utf-8-sig"), "sep": ("t.csv", "sep=;\na.png;x\nb.png;y\n", "utf-8"),
    "capitals": ("t.csv", "a.PNG,x\nb.PNG,y\n", "utf-8"), "folders": ("t.csv", "./a.png,x\n./b.png,y\n", "utf-8"),
}  # fmt: skip


@pytest.mark.parametrize("what", HEADLESS)
def test_a_table_without_names(tmp_path, what):
    file = listed(tmp_path, *HEADLESS[what])
    with pytest.raises(
        tk.InputError, match=r"whose first row looks like data: '\S+', 'x'.*columns=\['path', 'label'\]"
    ):
        tk.table(file)
    data = tk.table(file, columns=["path", "label"])
    assert list(data.labels) == ["x", "y"]
    assert [sample.image.size for sample in data] == [(32, 24)] * 2


def test_names_for_columns_fit_them(tmp_path):
    file = listed(tmp_path, "t.csv", "0,x,a.png\n1,y,b.png\n")
    with pytest.raises(tk.InputError, match=r"columns=\['label', 'column 1', 'path'\]"):
        tk.table(file)
    data = tk.table(file, columns=["index", "label", "path"])
    assert list(data.attributes["index"]) == [0, 1]
    for columns, words in ((["path"], "1 columns for t.csv, which has 3"), (["a", "a", "path"], "name of two columns")):
        with pytest.raises(tk.InputError, match=words):
            tk.table(file, columns=columns)
    named = listed(tmp_path, "n.csv", "path,label\na.png,x\n")
    with pytest.raises(tk.InputError, match=r"whose first row has names already: 'path', 'label'.*leave columns out"):
        tk.table(named, columns=["path", "label"])
    raw = listed(tmp_path, "r.csv", "a.HEIC,x\nb.png,y\n")
    with pytest.raises(tk.InputError, match="looks like data"):
        tk.table(raw)


def test_an_index_column_is_no_attribute(tmp_path):
    data = tk.table(listed(tmp_path, "t.csv", ",path,label\n0,a.png,x\n1,b.png,y\n"))
    assert list(data.attributes.columns) == []


def test_parquet_whose_columns_are_numbers(tmp_path):
    listed(tmp_path, "none.csv", "")
    pd.DataFrame({0: ["a.png", "b.png"], 1: ["x", "y"]}).rename(columns=str).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(tk.InputError, match=r"image='path'.*write image='0'"):
        tk.table(tmp_path / "t.parquet")
    named = tk.table(tmp_path / "t.parquet", columns=["path", "label"])
    numbered = tk.table(tmp_path / "t.parquet", image=0, label=1)
    assert list(named.labels) == list(numbered.labels) == ["x", "y"]
    assert list(numbered.attributes.columns) == []


def test_paths_without_an_ending_are_data_where_they_are_files(tmp_path):
    trees.picture(tmp_path / "images" / "1", format="PNG")
    file = listed(tmp_path, "t.csv", "x,images/1\n")
    with pytest.raises(tk.InputError, match=r"looks like data.*columns=\['label', 'path'\]"):
        tk.table(file)
    assert len(tk.table(file, columns=["label", "path"])) == 1


def test_an_index_with_a_name_is_a_column(tmp_path):
    listed(tmp_path, "none.csv", "")
    pd.DataFrame({"path": ["a.png", "b.png"], "label": ["x", "y"]}).set_index("path").to_parquet(tmp_path / "t.parquet")
    assert list(tk.table(tmp_path / "t.parquet").ids) == ["a.png", "b.png"]


@pytest.mark.parametrize("first", ["", "sep=;\n"])
def test_other_lists_have_other_separators_too(tmp_path, first):
    (tmp_path / "bank.csv").write_text(f"{first}text;factor\na red, round bird;colour\na bird;\n")
    bank = tk.bank(tmp_path / "bank.csv")
    assert (bank.texts, bank.factors) == (("a red, round bird", "a bird"), ("colour", ""))
    top = trees.celeba(tmp_path / "celeba", layout="kaggle")
    expected = tk.celeba(top).to_dataframe()
    for name in ("list_attr_celeba.csv", "list_eval_partition.csv"):
        words = (top / name).read_text().replace(",", ";")
        (top / name).write_text(first + words)
    pd.testing.assert_frame_equal(tk.celeba(top).to_dataframe(), expected)


def test_a_quote_that_is_never_closed_swallows_no_rows(tmp_path):
    (tmp_path / "t.csv").write_text('path,label\na.png,"x\nb.png,y\nc.png,z\n')
    with pytest.raises(tk.InputError, match="a quote is opened and never closed"):
        tk.table(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,label\nhttps://example.org/a.png,x\n", "addresses in the column 'path'"),
        ("path,label\nfile:///a.png,x\n", "addresses in the column 'path'"),
        ("# mine\npath,label\na.png,x\n", "whose first line is a remark"),
        ("path label\na.png x\n", "in place of spaces"),
        ("a.png 0\nb.png 1\n", "a table of one column"),
        ("path:label\na.png:x\n", "in place of ':'"),
    ],
)
def test_text_that_is_no_table_of_paths(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(tk.InputError, match=said):
        tk.table(tmp_path / "t.csv")


def test_cells_of_parquet_that_are_no_strings(tmp_path):
    trees.table(tmp_path)
    paths = [f"images/{i}.png" for i in range(2)]
    file = tmp_path / "t.parquet"
    pd.DataFrame({"path": [path.encode() for path in paths], "label": ["Möwe".encode(), b"wren"]}).to_parquet(file)
    assert list(tk.table(file).labels) == ["Möwe", "wren"]
    pd.DataFrame({"path": paths, "label": [["a"], ["b", "c"]]}).to_parquet(file)
    with pytest.raises(tk.InputError, match=r"a label that is a ndarray.*one label for every image"):
        tk.table(file)
    pd.DataFrame({"path": [Path(tmp_path / path).read_bytes() for path in paths], "label": "a"}).to_parquet(file)
    with pytest.raises(tk.InputError, match="images inside the table"):
        tk.table(file)
