"""Capture leaves no trace: same output, same model, no effect on other threads, clean after an exception."""

from __future__ import annotations

import threading

import families
import pytest
import torch

from toolkit.core.capture import Capture
from toolkit.errors import InputError, UnsupportedModelError
from toolkit.models.model import wrap
from toolkit.models.towers import tower_of


def snapshot(clip):
    """Everything a capture could have disturbed."""
    modules = list(clip.named_modules())
    return {
        "values": {n: t.clone() for n, t in clip.state_dict().items()},
        "identity": {n: (id(p), p.data_ptr(), p._version, p.requires_grad) for n, p in clip.named_parameters()},
        "grads": {n: None if p.grad is None else p.grad.clone() for n, p in clip.named_parameters()},
        "hooks": [len(getattr(m, a)) for _, m in modules for a in vars(m) if a.endswith("_hooks")],
        "training": [m.training for _, m in modules],
        "attributes": {n: sorted(vars(m)) for n, m in modules},
        "rng": torch.get_rng_state(),
        "grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "modes": torch.overrides._get_current_function_mode_stack(),
        "threads": torch.get_num_threads(),
    }


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


def with_gradients(clip):
    clip.encode_image(families.pictures(clip, 2)).sum().backward()
    return clip


@pytest.mark.parametrize("family", families.FAMILIES)
def test_model_is_bit_identical_afterwards(family):
    clip = with_gradients(families.build(family))
    model, images = wrap(clip), families.pictures(clip, 3)
    before = snapshot(clip)
    model.trace(images)
    model.readout()
    model.trace(images, torch.zeros(model.card.layers, model.card.heads))
    after = snapshot(clip)
    assert {k: same(before[k], after[k]) for k in before} == dict.fromkeys(before, True)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_the_pooled_vector_times_the_projection_is_the_embedding(family):
    clip = families.build(family, torch.float64)
    model = wrap(clip)
    trace, tower = model.trace(families.pictures(clip, 3, torch.float64)), model.tower
    projected = trace.pooled if tower.proj is None else trace.pooled @ tower.proj
    assert trace.pooled.shape == (3, tower.pooled)
    torch.testing.assert_close(projected, trace.output, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("where", ["visual.transformer.resblocks.1.mlp", "visual.ln_post", "visual.conv1"])
def test_model_is_bit_identical_after_an_exception_in_the_middle(where):
    clip = with_gradients(families.build("vit"))
    model, images = wrap(clip), families.pictures(clip, 3)
    module = clip.get_submodule(where)
    own = module.forward
    module.forward = lambda *_: (_ for _ in ()).throw(RuntimeError("interrupted"))
    before = snapshot(clip)
    with pytest.raises(RuntimeError, match="interrupted"):
        model.trace(images)
    after = snapshot(clip)
    assert {k: same(before[k], after[k]) for k in before} == dict.fromkeys(before, True)
    module.forward = own
    assert model.trace(images).output.isfinite().all()


@pytest.mark.parametrize("family", families.FAMILIES)
def test_output_is_the_models_own(family):
    clip = families.build(family)
    images = families.pictures(clip, 7)
    with torch.no_grad():
        own = clip.encode_image(images)
    torch.testing.assert_close(wrap(clip).trace(images).output, own, rtol=1e-5, atol=2e-6)


def test_plain_forwards_in_another_thread_are_bit_equal_during_captures():
    clip = families.build("vit-layerscale")
    model, images = wrap(clip), families.pictures(clip, 4)
    with torch.no_grad():
        quiet = clip.encode_image(images)
    stop, results, captured = threading.Event(), [], []

    def plain():
        with torch.no_grad():
            results.extend(torch.equal(clip.encode_image(images), quiet) for _ in range(200))
        stop.set()

    thread = threading.Thread(target=plain)
    expected = model.trace(images).mixes
    thread.start()
    while not stop.is_set():
        captured.append(torch.equal(model.trace(images).mixes, expected))
    thread.join()
    assert results == [True] * 200
    assert captured
    assert all(captured)


def test_captures_in_two_threads_do_not_mix():
    clip = families.build("vit")
    model = wrap(clip)
    images = [families.pictures(clip, 3, seed=s) for s in range(2)]
    expected = [model.trace(x).mixes for x in images]
    wrong = []

    def work(i):
        wrong.extend(1 for _ in range(40) if not torch.equal(model.trace(images[i]).mixes, expected[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


@pytest.mark.parametrize("family", ["vit", "average-pool-of-normed", "resnet"])
@pytest.mark.parametrize("batch", [1, 2, 7])
def test_batches_of_any_size_agree(family, batch):
    clip = families.build(family, torch.float64)
    model, images = wrap(clip), families.pictures(clip, 7, torch.float64)
    whole = model.trace(images)
    pieces = [model.trace(x) for x in images.split(batch)]
    for name in ("mixes", "terms", "sigma", "mu", "output"):
        torch.testing.assert_close(
            torch.cat([getattr(p, name) for p in pieces]), getattr(whole, name), rtol=1e-11, atol=1e-12
        )


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.1), (torch.float16, 0.01)])
def test_half_precision_stays_in_the_trunk(dtype, tolerance):
    from toolkit.core.parts import parts_from

    clip = families.build("vit").to(dtype)
    model = wrap(clip)
    trace = model.trace(families.pictures(clip, 3, dtype))
    parts = parts_from(trace, model.readout())
    assert trace.mixes.dtype == parts.embedding.dtype == torch.float32
    assert 1e-7 < parts.error < tolerance  # the error of the trunk is reported, not hidden


def test_capture_works_with_gradients_and_inference_mode_around_it():
    clip = families.build("vit")
    model, images = wrap(clip), families.pictures(clip, 2)
    expected = model.trace(images).mixes
    with torch.inference_mode():
        assert torch.equal(model.trace(images).mixes, expected)
    assert not expected.requires_grad
    assert torch.is_grad_enabled()


def test_a_forward_that_cannot_be_seen_is_an_error_in_words():
    clip = families.build("vit")
    capture = Capture(tower_of(clip))
    other = families.build("vit", seed=5)
    with capture, torch.no_grad():
        output = other.encode_image(families.pictures(other, 1))
    with pytest.raises(UnsupportedModelError, match=r"attention of layer 0.*could not be seen"):
        capture.trace(output)


def test_training_mode_with_batch_norm_is_refused_before_anything_changes():
    clip = families.build("resnet").train()
    before = {n: b.clone() for n, b in clip.named_buffers()}
    with pytest.raises(InputError, match=r"batch norm.*eval"):
        wrap(clip).trace(families.pictures(clip, 2))
    assert same(before, dict(clip.named_buffers()))


def test_training_mode_without_random_layers_is_accepted_as_it_is():
    clip = families.build("vit").train()
    assert wrap(clip).trace(families.pictures(clip, 1)).output.shape == (1, 48)
    assert clip.training


@pytest.mark.cuda
@pytest.mark.parametrize("family", families.FAMILIES)
def test_cuda_equals_cpu(family):
    clip = families.build(family, torch.float64)
    images = families.pictures(clip, 3, torch.float64)
    expected = wrap(clip).trace(images)
    found = wrap(clip.to("cuda")).trace(images)
    for name in ("mixes", "terms", "sigma", "mu", "output"):
        torch.testing.assert_close(getattr(found, name).cpu(), getattr(expected, name), rtol=1e-9, atol=1e-10)


def test_autocast_and_inference_mode_around_the_first_call_leave_nothing_behind():
    from toolkit.core.parts import parts_from

    clip = families.build("vit")
    model, images = wrap(clip), families.pictures(clip, 3)
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        assert parts_from(model.trace(images), model.readout()).error < 0.1
    parts = parts_from(model.trace(images), model.readout())
    assert parts.error < 1e-5
    direction = torch.randn(48, requires_grad=True)
    parts.toward(direction).sum().backward()
    assert direction.grad is not None
