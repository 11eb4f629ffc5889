"Lesson 4 under bad input, in torch's modes, on every device, dtype and activation."
import math
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fastlesson.depth import ACTIVATIONS, gain, layer_stats


def generator(seed, device='cpu'): return torch.Generator(device).manual_seed(seed)


def test_faults_are_named():
    for bad in ('ReLU', 'swish', None, 3, ['relu']):
        with pytest.raises(ValueError, match='activation is .*' + ', '.join(ACTIVATIONS)): gain(bad)
        with pytest.raises(ValueError, match='activation is'): layer_stats(torch.ones(2, 3), [torch.ones(3, 3)], bad)
    with pytest.raises(ValueError, match=r'weights\[1\] is .*torch.float64'):
        layer_stats(torch.ones(2, 3), [torch.ones(3, 3), torch.ones(3, 3).double()])
    with pytest.raises(ValueError, match=r'weights\[0\] is .* on meta'): layer_stats(torch.ones(2, 3), [torch.ones(3, 3, device='meta')])
    with pytest.raises(ValueError, match='weights is empty'): layer_stats(torch.ones(2, 3), [])
    for bad in (torch.ones(3), torch.ones(0, 3), torch.ones(2, 0), torch.ones(2, 3, dtype=torch.int64)):
        with pytest.raises(ValueError, match='x is .* with n at least 1 and n_in at least 1'): layer_stats(bad, [torch.ones(3, 3)])


@pytest.mark.parametrize('bad', [lambda z: 0 * z, lambda z: z * math.nan, lambda z: z / 0, torch.log, lambda z: z**400])
def test_activations_without_a_gain_are_refused(bad):
    with pytest.raises(ValueError, match='activation has the mean square .*no gain'): gain(bad)


def test_gain_of_a_module_and_in_place():
    assert gain(nn.ReLU(inplace=True)) == pytest.approx(math.sqrt(2), rel=1e-6)
    assert gain(nn.PReLU(init=.3, dtype=torch.float64)) == pytest.approx(gain(lambda z: F.leaky_relu(z, .3)))


def test_gain_in_torchs_modes():
    expected = gain('gelu')
    with torch.inference_mode(): assert gain('gelu') == expected
    with torch.no_grad(): assert gain('gelu') == expected
    try:
        torch.set_default_device('meta')
        torch.set_default_dtype(torch.float16)
        assert gain('gelu') == expected
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize('mode', [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_layer_stats_in_torchs_modes(mode):
    "Inputs and weights made inside the mode and outside of it, weights as a list and as a generator."
    def numbers(): return torch.randn(6, 5, generator=generator(1)), [torch.randn(5, 5, generator=generator(i)) for i in (2, 3)]
    x, weights = numbers()
    expected = layer_stats(x, weights, 'tanh', generator=generator(4))
    with mode():
        for made in (numbers(), (x, weights), (x, (w for w in weights))):
            stats = layer_stats(*made, 'tanh', generator=generator(4))
            torch.testing.assert_close(tuple(stats), tuple(expected))


def test_layer_stats_with_another_default_device():
    x, weights = torch.ones(2, 3), [torch.ones(3, 3)]
    try:
        torch.set_default_device('meta')
        stats = layer_stats(x, weights)
    finally: torch.set_default_device(None)
    assert all(t.device.type == 'cpu' and t.isfinite().all() for t in stats)


def test_layer_stats_with_an_activation_in_place():
    "It may change what it is given: that is the product, which nobody needs afterwards."
    x, weights = torch.randn(6, 5, generator=generator(1)), [torch.randn(5, 5, generator=generator(i)) for i in (2, 3)]
    stats = (layer_stats(x, weights, f, generator=generator(4)) for f in (nn.ReLU(inplace=True), 'relu'))
    torch.testing.assert_close(*map(tuple, stats))


def test_layer_stats_leaves_its_inputs_alone_and_works_without_grad():
    x, weights = torch.randn(6, 5, generator=generator(7)), [torch.ones(5, 4, requires_grad=True), torch.ones(4, 3)]
    before = x.clone()
    with torch.no_grad(): stats = layer_stats(x, weights, 'tanh', generator=generator(8))
    assert torch.equal(x, before) and not x.requires_grad and weights[0].grad is None
    assert all(t.shape == (2,) and t.dtype == torch.float64 and not t.requires_grad for t in stats)


def test_layer_stats_of_one_image():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        stats = layer_stats(torch.ones(1, 3), [torch.ones(3, 1)], 'linear')
    assert stats.std.item() == 0 and stats.mean.item() == 3


def test_layer_stats_on_every_activation_and_dtype(device):
    for activation in ACTIVATIONS:
        for dtype in [torch.float32] + [torch.float64] * (device.type != 'mps'):
            x, w = (torch.randn(*shape, generator=generator(i)).to(device, dtype) for i, shape in enumerate(((6, 5), (5, 5))))
            stats = layer_stats(x, [w, w], activation, generator=generator(9))
            torch.testing.assert_close(stats.mean[0].item(), ACTIVATIONS[activation](x @ w).mean().item(), atol=1e-5, rtol=1e-5)
            assert stats.grad_std.isfinite().all()
