"Lesson 3 under bad input, on every device and dtype, and its Monte Carlo against a loop: same draws, same distribution, bounded memory."
import math
import subprocess
import sys
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlesson.forward import forward
from fastlesson.init import ACTIVATIONS, gain, glorot_std, he_std, init_params, layer_stats, lecun_std, monte_carlo

SIZE = st.integers(1, 30)


def generator(seed, device='cpu'): return torch.Generator(device).manual_seed(seed)


@pytest.mark.parametrize('bad', [0, -3, 2.5, 784., math.nan, True, '784', None])
def test_sizes_are_refused_by_name(bad):
    for call in (lambda: lecun_std(n_in=bad), lambda: glorot_std(n_in=bad, n_out=3), lambda: he_std(n_in=bad), lambda: init_params(bad, 3, 2)):
        with pytest.raises(ValueError, match=r'n_in is .*whole number, 1 or more'): call()
    for name in ('n_hidden', 'n_out'):
        with pytest.raises(ValueError, match=f'{name} is'): init_params(**{'n_in': 4, 'n_hidden': 3, 'n_out': 2, name: bad})
    with pytest.raises(ValueError, match='n_draws is'): monte_carlo(torch.ones(2, 3), 4, n_draws=bad)
    with pytest.raises(ValueError, match='n_hidden is'): monte_carlo(torch.ones(2, 3), bad, n_draws=1)


@pytest.mark.parametrize('bad', [math.nan, math.inf, '1', None])
def test_gains_are_refused_by_name(bad):
    with pytest.raises(ValueError, match=r'gains\[0\] is .*finite number'): init_params(4, 3, 2, (bad, 1.))
    with pytest.raises(ValueError, match=r'gains\[1\] is'): monte_carlo(torch.ones(2, 3), 4, gains=(1., bad), n_draws=1)
    with pytest.raises(ValueError, match='a is'): he_std(4, a=bad)


def test_other_faults_are_named():
    with pytest.raises(ValueError, match='gains is .*two numbers'): init_params(4, 3, 2, (1., 1., 1.))
    with pytest.raises(ValueError, match='dtype is torch.int64'): init_params(4, 3, 2, dtype=torch.int64)
    for bad in ('ReLU', 'swish', None, 3):
        with pytest.raises(ValueError, match='activation is .*' + ', '.join(ACTIVATIONS)): gain(bad)
        with pytest.raises(ValueError, match='activation is'): layer_stats(torch.ones(2, 3), [torch.ones(3, 3)], bad)
    with pytest.raises(ValueError, match=r'weights\[1\] is torch.float64'):
        layer_stats(torch.ones(2, 3), [torch.ones(3, 3), torch.ones(3, 3).double()])
    with pytest.raises(ValueError, match=r'weights\[0\] is .* on meta'): layer_stats(torch.ones(2, 3), [torch.ones(3, 3, device='meta')])
    with pytest.raises(ValueError, match='weights is empty'): layer_stats(torch.ones(2, 3), [])
    for bad in (torch.ones(3), torch.ones(0, 3), torch.ones(2, 3, dtype=torch.int64)):
        with pytest.raises(ValueError, match='x is'): monte_carlo(bad, 4, n_draws=1)


def test_params_on_every_dtype_and_device(device):
    for dtype in [torch.float32, torch.bfloat16] + [torch.float64] * (device.type != 'mps'):
        params = init_params(5, 4, 3, generator=generator(0), device=device, dtype=dtype)
        assert [tuple(p.shape) for p in params] == [(5, 4), (4,), (4, 3), (3,)]
        assert all(p.dtype == dtype and p.device.type == device.type for p in params)
        again = init_params(5, 4, 3, generator=generator(0), device='cpu', dtype=dtype)
        assert all(torch.equal(p.cpu(), q) for p, q in zip(params, again))   # the generator decides, not the device
    on_device = init_params(5, 4, 3, generator=generator(0, device), device=device)
    assert all(p.device.type == device.type for p in on_device)


def test_params_follow_torchs_seed():
    torch.manual_seed(5)
    a = init_params(5, 4, 3)
    torch.manual_seed(5)
    assert all(torch.equal(p, q) for p, q in zip(a, init_params(5, 4, 3)))


def test_gains_scale():
    a, b = (init_params(5, 4, 3, gains, generator=generator(1), device='cpu') for gains in ((1., 1.), (2., .5)))
    assert torch.equal(a.w1 * 2, b.w1) and torch.equal(a.w2 / 2, b.w2)


@settings(deadline=None, max_examples=40)
@given(n=SIZE, n_in=SIZE, n_hidden=SIZE, n_out=SIZE, n_draws=st.integers(1, 9), seed=st.integers(0, 1000))
def test_monte_carlo_is_the_loop(n, n_in, n_hidden, n_out, n_draws, seed):
    "For any shape, batch size 1 included, draw by draw."
    x = torch.randn(n, n_in, generator=generator(seed), dtype=torch.float64)
    means, stds = monte_carlo(x, n_hidden, n_out, n_draws=n_draws, generator=generator(seed))
    g = generator(seed)
    for mean, std in zip(means, stds, strict=True):
        output = forward(x, init_params(n_in, n_hidden, n_out, generator=g, device='cpu', dtype=x.dtype))
        torch.testing.assert_close((mean, std), (output.mean(), output.std(correction=0)))


def test_monte_carlo_over_several_batches(device):
    "More draws than stand side by side, more rows than go through at a time, wide hidden layers."
    x = torch.randn(1500, 7, generator=generator(2)).to(device)
    for n_hidden, n_draws in ((900, 5), (50, 83), (3000, 2)):
        means, stds = monte_carlo(x, n_hidden, n_draws=n_draws, generator=generator(3))
        assert means.shape == stds.shape == (n_draws,) and means.device.type == device.type and not means.requires_grad
        g = generator(3)
        outputs = [forward(x, init_params(7, n_hidden, 1, generator=g, device=device)) for _ in range(n_draws)]
        torch.testing.assert_close(means, torch.stack([o.mean() for o in outputs]), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(stds, torch.stack([o.std(correction=0) for o in outputs]), atol=1e-4, rtol=1e-4)


def test_monte_carlo_has_the_loops_distribution():
    """2,000 draws each with random numbers of their own: Kolmogorov and Smirnov's two-sample distance. It exceeds
    c·√(2/2000) with probability below 2·exp(−2c²), asymptotically: 10⁻⁹ for c = 3.28."""
    x = torch.randn(60, 20, generator=generator(4))
    ours = monte_carlo(x, 10, n_draws=2000, generator=generator(5))
    g = generator(6)
    outputs = [forward(x, init_params(20, 10, 1, generator=g, device='cpu')) for _ in range(2000)]
    loop = torch.stack([o.mean() for o in outputs]), torch.stack([o.std(correction=0) for o in outputs])
    for a, b in zip(ours, loop):
        points = torch.cat([a, b]).sort().values
        distance = (torch.searchsorted(a.sort().values, points, right=True) -
                    torch.searchsorted(b.sort().values, points, right=True)).abs().max().item() / 2000
        assert distance < 3.28 * math.sqrt(2 / 2000)


MEMORY = """
import resource, torch
from fastlesson.init import monte_carlo
torch.manual_seed(0)
x = torch.randn(10_000, 784)
x[:50] @ torch.randn(784, 2000)    # what the library itself takes, once
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
monte_carlo(x, 50, n_draws=120)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='counts kilobytes as Linux does')
def test_monte_carlo_in_bounded_memory():
    "On 10,000 × 784, three times forty draws; what more draws take is fragments (2,000 draws were seen to take 230 MB)."
    done = subprocess.run([sys.executable, '-c', MEMORY], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 500_000


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
