"""The parts of an embedding: exact in every family, equal to a slow literal implementation, additive."""

from __future__ import annotations

import families
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.core.parts import CONVENTIONS, parts_from
from toolkit.errors import InputError
from toolkit.models.model import wrap

FLOATS = [(torch.float64, 1e-12), (torch.float32, 1e-5)]
VITS = [f for f in families.FAMILIES if f not in ("resnet", "vit-custom-attention")]


def parts_of(family, n=5, dtype=torch.float64, **options):
    clip = families.build(family, dtype)
    model = wrap(clip)
    return clip, parts_from(model.trace(families.pictures(clip, n, dtype)), model.readout(), **options)


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize(("dtype", "tolerance"), FLOATS)
@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("scale", ["unit", "raw"])
def test_parts_sum_to_the_models_own_embedding(family, dtype, tolerance, convention, scale):
    clip, parts = parts_of(family, 5, dtype, convention=convention, scale=scale)
    total = parts.heads.sum((1, 2)) + parts.mlps.sum(1) + parts.biases.sum(1) + parts.constant
    with torch.no_grad():
        own = clip.encode_image(families.pictures(clip, 5, dtype))
    own = own / own.norm(dim=-1, keepdim=True) if scale == "unit" else own
    assert ((total - own).norm(dim=-1) / own.norm(dim=-1)).max() < tolerance
    assert parts.error < tolerance
    torch.testing.assert_close(parts.total, total)
    torch.testing.assert_close(parts.residual, parts.embedding - parts.total)


@pytest.mark.parametrize("family", VITS)
def test_every_single_part_equals_the_literal_formula(family):
    clip, parts = parts_of(family)
    with torch.no_grad():
        expected = families.literal_parts(clip, families.pictures(clip, 5, torch.float64))
    for name, value in expected.items():
        torch.testing.assert_close(
            getattr(parts, name), value, rtol=1e-9, atol=1e-13, msg=lambda m, name=name: f"{name}: {m}"
        )


def test_resnet_pool_heads_equal_the_literal_formula():
    clip, parts = parts_of("resnet")
    images, pool = families.pictures(clip, 5, torch.float64), clip.visual.attnpool
    kept = {}
    handle = pool.register_forward_pre_hook(lambda _, args: kept.update(x=args[0]))
    with torch.no_grad():
        embedding = clip.encode_image(images)
        handle.remove()
        x = kept["x"].flatten(2).transpose(1, 2)
        x = torch.cat([x.mean(1, keepdim=True), x], 1) + pool.positional_embedding
        hd = x.shape[-1] // pool.num_heads
        norm = embedding.norm(dim=-1, keepdim=True)
        for h in range(pool.num_heads):
            s = slice(h * hd, (h + 1) * hd)
            scores = pool.q_proj(x[:, :1])[..., s] @ pool.k_proj(x)[..., s].transpose(1, 2) / hd**0.5
            mix = (scores.softmax(-1) @ pool.v_proj(x)[..., s])[:, 0]
            torch.testing.assert_close(parts.heads[:, 0, h], mix @ pool.c_proj.weight[:, s].T / norm)
    torch.testing.assert_close(parts.biases[:, 0], pool.c_proj.bias / norm)
    assert parts.mlps.shape == (5, 0, 48)


def test_reference_convention_shares_biases_equally():
    """Head part = [γ(mix W_O + b_O/H − μ/(nH))/σ + β/(nH)] P / R with n = 2L + 1 (reference decomposition A3)."""
    clip, reference = parts_of("vit", convention="reference")
    v, n = clip.visual, 2 * 3 + 1
    block, gamma, beta, p = v.transformer.resblocks[1], v.ln_post.weight, v.ln_post.bias, v.proj
    heads = block.attn.num_heads
    for h in range(heads):
        raw = (
            reference.mixes[:, 1, h] @ block.attn.out_proj.weight[:, h * 16 : (h + 1) * 16].T
            + block.attn.out_proj.bias / heads
        )
        normed = gamma * (raw - reference.mu[:, None] / (n * heads)) / reference.sigma[:, None] + beta / (n * heads)
        torch.testing.assert_close(reference.heads[:, 1, h], normed @ p / reference.norm[:, None])
    assert reference.constant.abs().max() == 0
    assert reference.biases.abs().max() == 0


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("family", ["vit", "average-pool-of-normed", "resnet"])
def test_head_space_products_equal_products_of_heads(family, convention):
    _, parts = parts_of(family, convention=convention)
    directions = torch.randn(7, 48, dtype=torch.float64)
    torch.testing.assert_close(parts.toward(directions), parts.heads @ directions.T)
    torch.testing.assert_close(parts.toward(directions[0]), parts.heads @ directions[0])
    weights = torch.rand(parts.mixes.shape[1:3], dtype=torch.float64)
    torch.testing.assert_close(parts.of(weights), torch.einsum("blhd,lh->bd", parts.heads, weights))


def test_rank_of_a_head_is_head_dim_in_separate_and_three_more_in_reference():
    clip = families.build("vit", torch.float64)
    model = wrap(clip)
    trace = model.trace(families.pictures(clip, 90, torch.float64))
    for convention, rank in (("separate", 16), ("reference", 19)):
        head = parts_from(trace, model.readout(), convention).heads[:, 1, 2]
        assert torch.linalg.matrix_rank(head, rtol=1e-10) == rank


def test_conventions_agree_in_their_sum():
    clip = families.build("average-pool-of-normed", torch.float64)
    model = wrap(clip)
    trace = model.trace(families.pictures(clip, 3, torch.float64))
    a, b = (parts_from(trace, model.readout(), c) for c in CONVENTIONS)
    torch.testing.assert_close(a.total, b.total, rtol=0, atol=1e-13)
    assert (a.heads - b.heads).abs().max() > 1e-3


def test_xarray_names_every_axis_and_keeps_the_numbers():
    _, parts = parts_of("vit")
    data = parts.to_xarray()
    assert dict(data.sizes) == {"image": 5, "layer": 3, "head": 4, "d": 48, "term": 4}
    assert list(data.term.values) == ["embedding", "mlp 0", "mlp 1", "mlp 2"]
    total = (
        data.heads.sum(("layer", "head"))
        + data.mlps.sum("term")
        + data.biases.sum("layer")
        + data.constant
        + data.residual
    )
    assert float(abs(total - data.embedding).max()) < 1e-15
    assert data.attrs["convention"] == "separate"


def test_parts_print_what_they_are():
    _, parts = parts_of("vit")
    assert repr(parts).startswith("Parts(5 images, 3 layers × 4 heads × 16, d = 48, convention='separate'")


@pytest.mark.parametrize(("option", "value"), [("convention", "seperate"), ("scale", "cosine")])
def test_unknown_convention_and_scale_are_named(option, value):
    with pytest.raises(InputError, match=value):
        parts_of("vit", **{option: value})


def test_direction_of_another_model_is_refused():
    _, parts = parts_of("vit")
    with pytest.raises(InputError, match=r"\(3, 7\).*\[t, 48\]"):
        parts.toward(torch.zeros(3, 7))


@settings(max_examples=15, deadline=None)
@given(
    layers=st.integers(1, 3),
    heads=st.integers(1, 5),
    head_dim=st.sampled_from([1, 4, 9]),
    patches=st.sampled_from([(8, 8), (8, 16)]),
    batch=st.integers(1, 4),
    magnitude=st.sampled_from([1e-6, 1.0, 1e4]),
    seed=st.integers(0, 99),
)
def test_any_geometry_sums(layers, heads, head_dim, patches, batch, magnitude, seed):
    import open_clip

    torch.manual_seed(seed)
    vision = {
        "image_size": patches,
        "patch_size": 4,
        "layers": layers,
        "width": heads * head_dim * 2,
        "head_width": head_dim * 2,
    }
    clip = open_clip.CLIP(5, vision, families.TEXT).eval().double()
    model = wrap(clip)
    trace = model.trace(magnitude * torch.randn(batch, 3, *patches, dtype=torch.float64))
    assert parts_from(trace, model.readout()).error < 1e-11
