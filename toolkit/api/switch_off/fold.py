"""A model without some of its heads, or with an edited projection, as a model of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toolkit.api.checks import check_model
from toolkit.api.switch_off.ablate import Strength, strengths
from toolkit.core.head_parts import HeadChange
from toolkit.core.heads import HeadSet
from toolkit.core.precision import full_precision
from toolkit.errors import InputError, UnsupportedModelError
from toolkit.models.adapted import HuggingFaceClip
from toolkit.models.checkpoints import from_huggingface
from toolkit.models.claims import computes_quick
from toolkit.models.copied import copied
from toolkit.models.huggingface import huggingface_model
from toolkit.models.model import Model
from toolkit.models.towers import output_of, tower_of
from toolkit.models.wrappers import check_names, plain_name
from toolkit.store.whole import saved_file
from toolkit.waking import saying

LARGE = 300_000_000
"""Bytes of weights whose writing is said."""


@full_precision
def fold_ablation(model: Model, heads: Any, strength: Strength = 0.0) -> Model:
    """A copy of the model without some of its heads: the total effect of zero-ablation, built in.

    The output projections have these heads' columns multiplied by `strength`. The model given is not changed. (The
    direct effect, and mean ablation, are no change of weights.)

    Arguments:
        model: a live one (`Model`).
        heads: which, in any spelling: "L2.H6 L3.H1", (layer, head) pairs or a `HeadSet`.
        strength: what is left of a head, no unit, 0 to 2, as for `tk.ablate`; default 0.

    Raises:
        UnsupportedModelError: for a tower with a norm of all heads together before the output projection.

    >>> import toolkit as tk
    >>> tk.fold_ablation(tk.load(), "L3.H7").card.id
    'built-in world model, seed 0, without L3.H7 (total effect)'
    """
    check_model(model, "fold_ablation")
    card = model.card
    chosen = HeadSet.of(heads, card.layers, card.heads)
    scale = strengths(chosen, strength, card.layers, card.heads)
    fix = "use model.encode_image(…, ablate=…), the same effect without folding"
    clip, blocks = _copy(model, "fold_ablation", fix)
    with torch.no_grad():
        for block, row in zip(blocks, scale, strict=True):
            weight = block.out_weight
            columns = row.to(weight.device).repeat_interleave(weight.shape[1] // card.heads)
            weight.mul_(columns.to(weight.dtype))
    used = sorted({float(scale[head]) for head in chosen})
    what = "without" if used in ([], [0.0]) else "with strength " + ", ".join(f"{s:g}" for s in used) + " of"
    return model.like(clip, f"{what} {chosen or 'no head'} (total effect)")


def fold_change(model: Model, change: HeadChange, name: str) -> Model:
    """A copy of the model in which every token's mixes of some heads are m (I + N): their rows of the output
    projections W become (I + N) W. The model given is not changed. Raises UnsupportedModelError for a tower with a norm
    of all heads together before the output projection.
    """
    fix = "use edit.on(acts) and edit.apply(acts), the direct edit of its parts"
    clip, blocks = _copy(model, "edit.fold", fix)
    with torch.no_grad():
        for i, (layer, head) in enumerate(change.heads):
            weight = blocks[layer].out_weight  # [w, h · k]
            k = weight.shape[1] // model.card.heads
            own = weight[:, head * k : (head + 1) * k]
            wide = own.double().T
            own.copy_((wide + change.of(i, wide, shares=False)).T.to(own))
    return model.like(clip, name)


def _copy(model: Model, operation: str, fix: str) -> tuple[Any, Any]:
    """A copy of a model and its blocks, whose heads can be scaled in the output projections."""
    clip = copied(model.clip)
    blocks = tower_of(clip, model._view).blocks
    if any(block.inner is not None for block in blocks):
        given = f"{model.card.id!r}, in which a norm of all heads together stands before the output projection"
        accepted = "a tower whose heads reach the output projection one by one"
        raise UnsupportedModelError(operation, given, accepted, fix)
    return clip, blocks


def save_checkpoint(model: Model, path: str | Path) -> Path:
    """The path of the .safetensors file the weights were written to.

    `tk.load(name, checkpoint=path)` and open_clip read it. Its metadata holds the model's name (which heads it is
    without, and that this is the total effect), its fingerprint, activation, normalisation and numbers of heads. The
    file appears whole or not at all; one that is there is only replaced when it is complete.

    Arguments:
        model: a live one (`Model`).
        path: of the file, ending in .safetensors.

    Raises:
        InputError: for another ending.

    >>> import tempfile, toolkit as tk
    >>> path = tk.save_checkpoint(tk.load(), tempfile.mkdtemp() + "/model.safetensors")
    >>> tk.load(path).card.fingerprint == tk.load().card.fingerprint
    True
    """
    from safetensors.torch import save_file

    check_model(model, "save_checkpoint")
    target = Path(path).expanduser()
    if target.suffix != ".safetensors":
        raise InputError("save_checkpoint", repr(target.name), "a name ending in .safetensors", "rename it")
    clip = model.clip
    own = from_huggingface(clip.clip_model.state_dict()) if isinstance(clip, HuggingFaceClip) else clip.state_dict()
    state = {plain_name(name): t.detach().cpu().contiguous().clone() for name, t in own.items()}
    card = model.card
    check_names(state, card.id)
    attached = getattr(model.clip.visual, "preprocess_cfg", None) or {}
    kept = {k: attached[k] for k in ("interpolation", "resize_mode") if k in attached}
    facts = {
        "id": card.id, "fingerprint": card.fingerprint, "written_by": "clip-head-toolkit",
        "quick_gelu": computes_quick(model.clip), "preprocess": {"mean": card.mean, "std": card.std, **kept},
        "heads": [_heads(model.clip, "visual."), _heads(model.clip, "")],
    }  # fmt: skip
    with saved_file(target, "save_checkpoint") as part, _writing(target, state):
        save_file(state, part, {"format": "pt", "toolkit": json.dumps(facts)})
    return target


def _writing(target: Path, state: Mapping[str, Tensor]) -> AbstractContextManager[None]:
    """Say that weights are written, where that takes more than a moment."""
    size = sum(tensor.nbytes for tensor in state.values())
    return saying(f"Writing {target.name}, {size / 1e9:.1f} GB …") if size > LARGE else nullcontext()


def _heads(clip: Any, tower: str) -> int | None:
    """Heads of a plain tower's layers, which the shapes of its weights do not tell; None for towers of other kinds."""
    try:
        return int(clip.get_submodule(f"{tower}transformer.resblocks.0.attn").num_heads)
    except AttributeError:
        return None


def save_huggingface(model: Model, folder: str | Path) -> Path:
    """The Hugging Face folder the model was written to.

    `transformers.CLIPModel.from_pretrained(folder)` and `tk.load` read it. It holds config.json,
    preprocessor_config.json and model.safetensors; the tokenizer stays with its own folder. Every file appears whole or
    not at all, the weights last.

    Arguments:
        model: a live one (`Model`).
        folder: where to write; made where it is not there.

    Raises:
        UnsupportedModelError: for an architecture that CLIPModel has not, with the reason.

    >>> import tempfile, toolkit as tk
    >>> folder = tk.save_huggingface(tk.load(), tempfile.mkdtemp())
    >>> sorted(path.name for path in folder.iterdir())
    ['config.json', 'model.safetensors', 'preprocessor_config.json']
    """
    from safetensors.torch import save_file

    check_model(model, "save_huggingface")
    card, target = model.card, Path(folder).expanduser()
    if isinstance(model.clip, HuggingFaceClip):
        own = model.clip.clip_model
        state, config = own.state_dict(), own.config.to_dict()
    else:
        state, config = huggingface_model(model.clip, card.id)
    attached = getattr(model.clip.visual, "preprocess_cfg", None) or {}
    size, squash = dict(zip(("height", "width"), card.image_size, strict=True)), "squash"
    if attached.get("resize_mode", "shortest") != squash:
        how: dict[str, Any] = {"size": {"shortest_edge": min(card.image_size)}, "do_center_crop": True}
    else:
        how = {"size": size, "do_center_crop": False}
    pictures = {
        "image_processor_type": "CLIPImageProcessor", "image_mean": list(card.mean), "image_std": list(card.std),
        "crop_size": size, "resample": 2 if attached.get("interpolation") == "bilinear" else 3, **how,
    }  # fmt: skip
    for name, facts in (("config.json", config), ("preprocessor_config.json", pictures)):
        with saved_file(target / name, "save_huggingface") as part:
            part.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    facts = {"id": card.id, "fingerprint": card.fingerprint, "written_by": "clip-head-toolkit"}
    tensors = {name: t.detach().cpu().clone() for name, t in state.items()}
    with saved_file(target / "model.safetensors", "save_huggingface") as part, _writing(target, tensors):
        save_file(tensors, part, {"format": "pt", "toolkit": json.dumps(facts)})
    return target


def fold_matrix(model: Model, matrix: Tensor, name: str, scales: Tensor | None = None) -> Model:
    """A copy of the model whose embeddings are E M: the image projection P becomes P M (methods §4).

    matrix M [d, d]. scales [d]: θ of M = diag(θ), folded without rounding of the zeros. Raises UnsupportedModelError
    for a tower that ends without a linear output, into which nothing can be folded.
    """
    clip = copied(model.clip)
    last = output_of(clip.visual)
    if last is None:
        given = f"{model.card.id!r}, whose image tower has no linear output"
        accepted = "a tower that ends in one linear layer (a projection, or that of an attention pool)"
        raise UnsupportedModelError("edit.fold", given, accepted, "use edit.apply on its embeddings instead")
    weight, transposed, bias = last
    with torch.no_grad():
        rows = weight.T if transposed else weight
        folded = _times(rows, matrix, scales)
        weight.copy_(folded.T if transposed else folded)
        if bias is not None:
            bias.copy_(_times(bias[None], matrix, scales)[0])
    return model.like(clip, name, whole=True)


def fold_projection(model: Model, change: Tensor, name: str) -> Model:
    """A copy of the model whose image projection is P + M. change M [w, d].

    Raises UnsupportedModelError for a tower that does not end in one linear layer [w, d].
    """
    clip = copied(model.clip)
    last = output_of(clip.visual)
    rows = None if last is None else last[0].T if last[1] else last[0]
    if rows is None or rows.shape != change.shape:
        given = f"{model.card.id!r}, whose image tower does not end in a linear layer {list(change.shape)}"
        raise UnsupportedModelError("edit.fold", given, "a tower that does", "use edit.apply on its parts instead")
    with torch.no_grad():
        rows.copy_((rows.detach().double() + change.to(rows.device).double()).to(rows))
    return model.like(clip, name, whole=True)


def fold_both(model: Model, matrix: Tensor, name: str) -> Model:
    """A copy of the model in which `fold_matrix` and `fold_text_matrix` are done with the same M [d, d]."""
    return fold_text_matrix(fold_matrix(model, matrix, name), matrix, name)


def fold_text_matrix(model: Model, matrix: Tensor, name: str) -> Model:
    """A copy of the model whose text embeddings are w M, before they are made unit: its text projection becomes P M.

    matrix M [d, d]. Raises UnsupportedModelError for a text tower without a linear output.
    """
    clip = copied(model.clip)
    for holder in (clip, getattr(clip, "text", None), getattr(clip, "clip_model", None)):
        last = getattr(holder, "text_projection", None)
        if last is not None:
            break
    with torch.no_grad():
        if isinstance(last, Tensor):
            last.copy_(_times(last, matrix, None))
        elif isinstance(last, torch.nn.Linear):
            last.weight.copy_(_times(last.weight.T, matrix, None).T)
            if last.bias is not None:
                last.bias.copy_(_times(last.bias[None], matrix, None)[0])
        else:
            given = f"{model.card.id!r}, whose text tower has no linear output"
            fix = "use the model as it is with .class_vectors()"
            raise UnsupportedModelError("fold", given, "a text tower that ends in one linear layer", fix)
    return model.like(clip, name, whole=True)


def _times(rows: Tensor, matrix: Tensor, scales: Tensor | None) -> Tensor:
    """rows M in double precision, in the type of the rows."""
    wide = rows.detach().double()
    product = wide @ matrix.to(wide) if scales is None else wide * scales.to(wide)
    return product.to(rows)
