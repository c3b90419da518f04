"""What others put around a model or into it: compiled, parallel, adapted and off-loaded ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.errors import InputError
from toolkit.models.words import refuse, tell

WITHIN = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""Parts of a tensor's name that a wrapper somewhere inside the model adds: of torch.compile, FSDP and checkpointing."""
OWN = ("visual", "text", "transformer", "vision_model", "text_model", "token_embedding", "visual_projection")
"""First parts of the names of tensors that are a CLIP's own."""
ADAPTER = ("lora_A", "lora_embedding_A", "base_layer", "adapter_layer_names")
"""Attributes of modules that adapters put into the place of a layer."""
MERGE = "merge the adapters into the weights first: clip = clip.merge_and_unload()"
CHANGED = re.compile(r"(^|\.)(parametrizations|lora_\w+)\.|_orig$|\.weight_[gvu]$|_mask$")
"""In the names of tensors: parametrisations, adapters, pruning, weight and spectral norm."""
PARALLEL = ("DataParallel", "DistributedDataParallel", "FullyShardedDataParallel", "DeepSpeedEngine")


def plain_name(name: str) -> str:
    """A tensor's name without what wrappers inside a model add to it.

    >>> plain_name("visual._orig_mod.transformer.resblocks.0._checkpoint_wrapped_module.ln_1.weight")
    'visual.transformer.resblocks.0.ln_1.weight'
    """
    return re.sub(rf"(^|\.)({'|'.join(WITHIN)})(?=\.)", "", name).removeprefix(".")


def without_wrappers(state: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """The tensors under the names they have in the model itself, without what wrappers put before and between.

    source: of the tensors, for words. What lies beside the model (a loss, a projector) is told and left out. Raises
    InputError where two models are there.
    """
    state = {plain_name(name): tensor for name, tensor in state.items()}
    starts = sorted({name.removesuffix("logit_scale") for name in state if re.fullmatch(r"(.*\.)?logit_scale", name)})
    if "" in starts or not starts:
        return _without_shared(state)
    if len(starts) > 1:
        given = f"{source} with several models, under {', '.join(map(repr, starts))}"
        fix = (
            f"save one alone: {{k.removeprefix(p): t for k, t in state.items() if k.startswith(p)}}, p = {starts[0]!r}"
        )
        raise InputError("load", given, "the tensors of one model", fix)
    start = starts[0]
    beside = [name for name in state if not name.startswith(start)]
    if beside:
        more = f" and {len(beside) - 3} more" if len(beside) > 3 else ""
        tell(f"{source} holds a model under {start!r}; what lies beside it is left out: {', '.join(beside[:3])}{more}")
    return {name.removeprefix(start): tensor for name, tensor in state.items() if name.startswith(start)}


def _without_shared(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without the first parts that all names share, where what is left looks like a CLIP's."""
    shorter = state
    while shorter and all("." in name for name in shorter):
        first = {name.partition(".")[0] for name in shorter}
        if len(first) > 1 or first & set(OWN):
            break
        shorter = {name.partition(".")[2]: tensor for name, tensor in shorter.items()}
    known = any(name.partition(".")[0] in OWN for name in shorter)
    return shorter if known else state


def unwrapped(clip: Any) -> Any:
    """The model itself where torch.compile stands around it.

    Raises UnsupportedModelError, saying how to get at the model, for wrappers that own it.
    """
    kinds = [base.__name__ for base in type(clip).__mro__]
    if "OptimizedModule" in kinds:
        return unwrapped(clip._orig_mod)
    given = f"a {type(clip).__name__}"
    if set(kinds) & set(PARALLEL):
        raise refuse(given, "it holds the model for several devices", "pass the model inside: clip.module")
    if any(kind.startswith("PeftModel") for kind in kinds):
        raise refuse(given, "its adapters are no part of the layers", MERGE)
    visual = getattr(clip, "visual", None)
    if {base.__name__ for base in type(visual).__mro__} & set(PARALLEL):
        fix = "clip.visual = clip.visual.module"
        raise refuse(given, f"its image tower is a {type(visual).__name__}", fix)
    if isinstance(clip, nn.Module) and visual is None and not hasattr(clip, "vision_model"):
        for name, child in clip.named_children():
            if hasattr(child, "visual") or hasattr(child, "vision_model"):
                raise refuse(given, f"the model is inside it, as .{name}", f"pass that: tk.wrap(model.{name})")
    if type(clip).__module__ in ("clip.model", "clip.clip") and hasattr(clip, "visual"):
        fix = "save its weights, torch.save(clip.state_dict(), 'own.pt'), and load them: tk.load('own.pt')"
        raise refuse(f"{given} of OpenAI's own package", "its layers have other names than open_clip's", fix)
    return clip


def check_weights(clip: Any) -> None:
    """UnsupportedModelError for weights that are not there, or are no plain numbers, with the reason."""
    given = f"a {type(clip).__name__}"
    for name, module in clip.named_modules():
        if any(hasattr(module, part) for part in ADAPTER):
            raise refuse(given, f"{name} is an adapter ({type(module).__name__})", MERGE)
    for name, weight in clip.named_parameters():
        if weight.is_meta:
            reason = f"{name} is on the meta device: it was never loaded, or is off-loaded"
            raise refuse(given, reason, "load the whole model, without device_map and low_cpu_mem_usage")
        if type(weight.data).__name__ == "DTensor":
            raise refuse(given, f"{name} is spread over several processes", "gather the model first")
        if not weight.is_floating_point():
            kind = str(weight.dtype).removeprefix("torch.")
            raise refuse(given, f"{name} is {kind}: quantised", "load it in a type of floats")


def is_compiled(clip: nn.Module) -> bool:
    """Whether some module of a model, or a method of one, is compiled: by torch.compile(…) or module.compile()."""
    for module in clip.modules():
        if getattr(module, "_compiled_call_impl", None) is not None or type(module).__name__ == "OptimizedModule":
            return True
        if any(hasattr(made, "_torchdynamo_orig_callable") for made in vars(module).values()):  # a method of it
            return True
    return False


@contextmanager
def eager(clip: nn.Module) -> Iterator[None]:
    """Inside, compiled modules run as they are written, so that their calls can be seen."""
    if not is_compiled(clip):
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def check_names(state: dict[str, Tensor], model: str) -> None:
    """InputError for weights that are about to be written under names that no architecture has. model: its name."""
    odd = [name for name in state if CHANGED.search(name) and not name.endswith("attn_mask")]
    if odd:
        given = f"{model!r} with tensors named {', '.join(odd[:3])}"
        undo = "torch.nn.utils.parametrize.remove_parametrizations or torch.nn.utils.prune.remove"
        fix = f"make its layers plain first, by {undo}"
        raise InputError("save_checkpoint", given, "weights under the names of their architecture", fix)
