"""TorchScript archives as OpenAI released them: every tensor as torch itself reads it, and no code ever run."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile

import families
import open_clip
import pytest
import torch
from torch import nn

import toolkit as tk
from toolkit.errors import InputError
from toolkit.models.checkpoints import read_state
from toolkit.models.torchscript import (
    RefusedError,
    activation_of,
    architecture,
    is_torchscript,
    model_names,
    read_torchscript,
)
from toolkit.models.words import ModelWarning

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
TEXT = {"context_length": 8, "vocab_size": 50, "width": 64, "layers": 1}


def compiled(module, path, how="script", images=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if how == "script":
            made = torch.jit.script(module)
        else:
            example = images if images is not None else families.pictures(module, 1, next(module.parameters()).dtype)
            made = torch.jit.trace(module, (example, torch.zeros(1, 8, dtype=torch.long)), check_trace=False)
        torch.jit.save(made, path)
        return torch.jit.load(path).state_dict()


def same_bytes(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        mine = found[name]
        assert (mine.dtype, mine.shape, mine.stride()) == (tensor.dtype, tensor.shape, tensor.stride()), name
        assert mine.contiguous().flatten().view(torch.uint8).equal(tensor.contiguous().flatten().view(torch.uint8))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize(
    ("family", "how"), [("vit-quickgelu", "script"), ("vit-quickgelu", "trace"), ("vit", "trace"), ("resnet", "trace")]
)
def test_every_tensor_as_torch_reads_it(tmp_path, monkeypatch, family, how, dtype):
    expected = compiled(families.build(family, dtype), tmp_path / "w.pt", how)
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("compiled the archive"))
    assert is_torchscript(tmp_path / "w.pt")
    same_bytes(read_state(tmp_path / "w.pt"), expected)
    assert activation_of(tmp_path / "w.pt") is (family == "vit-quickgelu")


class Odd(nn.Module):
    """Views, shared storages, scalars and attributes that are no weights."""

    def __init__(self):
        super().__init__()
        grid = torch.arange(24.0).reshape(4, 6)
        self.whole, self.turned = nn.Parameter(grid), nn.Parameter(grid.clone().t())
        for name, value in {
            "part": grid[1:3, 2:4], "number": torch.tensor(3.5, dtype=torch.bfloat16), "yes": torch.tensor([True]),
            "none": torch.zeros(0, 3), "repeated": torch.ones(1).expand(5), "count": torch.tensor(7),
        }.items():  # fmt: skip
            self.register_buffer(name, value)
        self.first = nn.Linear(2, 2)
        self.again = self.first
        self.attribute, self.listed, self.by_name = torch.ones(2), [torch.ones(1)], {"a": torch.ones(1)}
        self.device, self.numbers = torch.device("cpu"), [1, 2]

    def forward(self, x):
        return self.again(x @ self.whole[:, :2]) + self.attribute.sum() + self.listed[0] + self.by_name["a"]


def test_views_shared_storages_and_scalars(tmp_path):
    expected = compiled(Odd(), tmp_path / "odd.pt")
    found = read_torchscript(tmp_path / "odd.pt")
    same_bytes(found, expected)
    assert "attribute" not in found
    assert found["part"].untyped_storage().data_ptr() == found["whole"].untyped_storage().data_ptr()


def with_pickle(path, content, source):
    """A copy of an archive whose data.pkl is another."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for item in old.namelist():
            new.writestr(item, content if item.endswith("/data.pkl") else old.read(item))
    return path


class Call:
    """Pickled, a call of any function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("kind", ["os.system", "eval", "getattr", "open", "torch.load"])
def test_malicious_archives_are_refused_and_nothing_is_run(tmp_path, kind, protocol):
    target, source = tmp_path / "was-run", tmp_path / "good.pt"
    compiled(nn.Linear(2, 2), source)
    bomb = {
        "os.system": Call(os.system, f"touch {target}"),
        "eval": Call(eval, f"open({str(target)!r}, 'w')"),
        "getattr": Call(getattr, "x", "upper"),
        "open": Call(open, str(target), "w"),
        "torch.load": Call(torch.load, str(source)),
    }[kind]
    path = with_pickle(tmp_path / "evil.pt", pickle.dumps(bomb, protocol), source)
    with pytest.raises(InputError, match=r"evil\.pt.*names .*nothing was run"):
        tk.load(checkpoint=path)
    assert not target.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x03\x00\x00\x00runK\x01sb.",  # sets an attribute of a function
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
        b"\x80\x04\x8c\x05torch\x8c\x0fjit._pickle.sys\x93.",
        b"\x80\x02ctorch\nUntypedStorage\n.",
        b"\x80\x02cbuiltins\ngetattr\n.",
    ],
)
def test_names_and_opcodes_beside_those_of_weights_are_refused(tmp_path, content):
    compiled(nn.Linear(2, 2), tmp_path / "good.pt")
    with pytest.raises(RefusedError):
        read_torchscript(with_pickle(tmp_path / "evil.pt", content, tmp_path / "good.pt"))


def forged(size, stride, offset=0, count=4, key="0"):
    """data.pkl of a module with one tensor over storage `key`."""

    def value(of):
        return pickle.dumps(of, 2)[2:-1]

    storage = b"(" + value("storage") + b"ctorch\nFloatStorage\n" + value(key) + value("cpu") + value(count) + b"tQ"
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + value(offset) + value(size) + value(stride) + b"\x89}tR"
    )
    return b"\x80\x02c__torch__\nM\n)\x81}" + value("weight") + tensor + b"sb."


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": (9,), "stride": (1,)},
        {"size": (2, 2), "stride": (2, 3)},
        {"size": (1,), "stride": (1,), "offset": 4},
        {"size": (-1,), "stride": (1,)},
        {"size": (2,), "stride": (1,), "count": 400},
        {"size": (2,), "stride": (1,), "key": "nowhere"},
        {"size": (2,), "stride": (1,), "key": "../version"},
        {"size": 3, "stride": (1,)},
    ],
)
def test_tensors_beyond_their_storage_are_damage(tmp_path, arguments):
    compiled(nn.Linear(2, 2), tmp_path / "good.pt")
    good = with_pickle(tmp_path / "fine.pt", forged((2, 2), (2, 1)), tmp_path / "good.pt")
    assert read_torchscript(good)["weight"].shape == (2, 2)
    bad = with_pickle(tmp_path / "bad.pt", forged(**arguments), tmp_path / "good.pt")
    with pytest.raises(InputError, match=r"bad\.pt, which is damaged"):
        read_state(bad)


def test_a_few_bytes_that_stand_for_gigabytes_are_refused(tmp_path):
    compiled(nn.Linear(2, 2), tmp_path / "good.pt")
    repeated = forged((4096, 3, 32, 32), (0, 0, 0, 0))
    remembered = b"\x80\x02}r\x00\x00\x00\x08."  # LONG_BINPUT 0x08000000
    for content in (repeated, remembered):
        with pytest.raises(RefusedError):
            read_torchscript(with_pickle(tmp_path / "evil.pt", content, tmp_path / "good.pt"))
    squeezed = tmp_path / "squeezed.pt"
    with zipfile.ZipFile(tmp_path / "good.pt") as old, zipfile.ZipFile(squeezed, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.namelist():
            new.writestr(item, old.read(item))
    with pytest.raises(RefusedError, match="compressed"):
        read_torchscript(squeezed)


def test_an_archive_that_repeats_itself_without_end_is_damage(tmp_path):
    deep = b"\x80\x02c__torch__\nM\n)\x81q\x00"
    for level in range(40):
        pair = b"X\x01\x00\x00\x00ah" + bytes([level]) + b"X\x01\x00\x00\x00bh" + bytes([level])
        deep += b"0c__torch__\nM\n)\x81}(" + pair + b"ubq" + bytes([level + 1])
    compiled(nn.Linear(2, 2), tmp_path / "good.pt")
    path = with_pickle(tmp_path / "deep.pt", deep + b".", tmp_path / "good.pt")
    with pytest.raises(InputError, match="damaged"):
        read_state(path)


@pytest.mark.parametrize("part", [0.0001, 0.3, 0.9, 0.999])
def test_truncated_archives_are_damaged(tmp_path, part):
    path = tmp_path / "w.pt"
    compiled(nn.Linear(20, 20), path)
    content = path.read_bytes()
    path.write_bytes(content[: max(2, int(len(content) * part))])
    with pytest.raises(InputError, match=r"w\.pt, which is damaged"):
        tk.load("ViT-B-32", checkpoint=path)


def test_flipped_bytes_in_weights_are_damage(tmp_path):
    path = tmp_path / "w.pt"
    compiled(nn.Linear(20, 20), path)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at = next(i.header_offset for i in archive.infolist() if i.file_size == 1600)
    content[at + 500] ^= 255
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="damaged"):
        read_state(path)


def openai(kind="vit", quick=True, seed=3):
    """A tiny model with OpenAI's conventions: heads of 64."""
    torch.manual_seed(seed)
    if kind == "vit":
        vision = {"image_size": 32, "patch_size": 8, "layers": 2, "width": 128}
    else:
        vision = {"image_size": 64, "layers": [1, 1, 2, 1], "width": 16}
    width = 128 if kind == "vit" else 64
    return open_clip.CLIP(48, vision, {**TEXT, "width": width, "heads": width // 64}, quick_gelu=quick).eval()


@pytest.mark.parametrize("kind", ["vit", "resnet"])
@pytest.mark.parametrize(("argument", "precision"), [("name", "fp32"), ("checkpoint", "fp16"), ("pretrained", "fp64")])
def test_an_archive_alone_tells_its_architecture(tmp_path, recwarn, kind, argument, precision):
    clip = openai(kind).half()
    clip.register_buffer("input_resolution", torch.tensor(32))
    compiled(clip, tmp_path / "archive.pt", "trace")
    model = tk.load(**{argument: str(tmp_path / "archive.pt")}, precision=precision)
    assert not [w for w in recwarn if issubclass(w.category, ModelWarning)]
    assert model.card.id == "archive.pt"
    assert model.card.mean == pytest.approx((0.48145466, 0.4578275, 0.40821073))
    assert model.dtype == {"fp32": torch.float32, "fp16": torch.float16, "fp64": torch.float64}[precision]
    twin = clip.to(model.dtype)
    with torch.no_grad():
        images = families.pictures(clip, 2, model.dtype)
        assert torch.equal(model.clip.encode_image(images), twin.encode_image(images))
        ids = torch.randint(0, 50, (2, 8))
        assert torch.equal(model.clip.encode_text(ids), twin.encode_text(ids))


def test_an_archive_alone_keeps_the_activation_of_its_program(tmp_path):
    clip = openai(quick=False)
    compiled(clip, tmp_path / "gelu.pt", "trace")
    found = tk.load(checkpoint=tmp_path / "gelu.pt").clip
    assert type(found.visual.transformer.resblocks[0].mlp.gelu) is nn.GELU
    images = families.pictures(clip, 2)
    with torch.no_grad():
        assert torch.equal(found.encode_image(images), clip.encode_image(images))


def test_a_plain_state_dict_alone_tells_what_it_cannot_know(tmp_path):
    torch.save(openai().state_dict(), tmp_path / "plain.pt")
    with pytest.warns(ModelWarning, match=r"nothing says which activation plain\.pt.*QuickGELU is used"):
        model = tk.load(tmp_path / "plain.pt")
    assert type(model.clip.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-L-14-336", "RN50", "RN50x16", "ViT-H-14", "ViT-bigG-14"])
def test_shapes_tell_the_names(name):
    with torch.device("meta"):
        state = open_clip.CLIP(**open_clip.get_model_config(name)).state_dict()
    found = architecture(state)
    assert name in model_names(found)
    assert found["quick_gelu"] is True
    with torch.device("meta"):
        again = open_clip.CLIP(**found).state_dict()
    assert {k: v.shape for k, v in again.items()} == {k: v.shape for k, v in state.items()}


@pytest.mark.parametrize(
    "state",
    [{}, {"a": torch.zeros(1)}, {n: torch.zeros(2, 2, 2) for n in openai().state_dict()}],
)
def test_other_shapes_tell_nothing(state):
    assert architecture(state) is None
