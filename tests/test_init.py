"Lesson 3 under bad input and foreign numbers, on every device and dtype, and its Monte Carlo against a loop: same draws, same distribution, bounded memory."
import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlesson.forward import forward
from fastlesson.init import glorot_std, he_std, init_params, lecun_std, monte_carlo

SIZE = st.integers(1, 30)


def generator(seed, device='cpu'): return torch.Generator(device).manual_seed(seed)


@pytest.mark.parametrize('bad', [0, -3, 2.5, 784., math.nan, True, np.True_, np.int64(0), np.float32(2), '784', None])
def test_sizes_are_refused_by_name(bad):
    for call in (lambda: lecun_std(n_in=bad), lambda: glorot_std(n_in=bad, n_out=3), lambda: he_std(n_in=bad), lambda: init_params(bad, 3, 2)):
        with pytest.raises(ValueError, match=r'n_in is .*whole number, 1 or more'): call()
    for name in ('n_hidden', 'n_out'):
        with pytest.raises(ValueError, match=f'{name} is'): init_params(**{'n_in': 4, 'n_hidden': 3, 'n_out': 2, name: bad})
    with pytest.raises(ValueError, match='n_draws is'): monte_carlo(torch.ones(2, 3), 4, n_draws=bad)
    with pytest.raises(ValueError, match='n_hidden is'): monte_carlo(torch.ones(2, 3), bad, n_draws=1)


@pytest.mark.parametrize('bad', [math.nan, math.inf, np.float32('nan'), True, '1', None, 1j])
def test_gains_are_refused_by_name(bad):
    with pytest.raises(ValueError, match=r'gains\[0\] is .*finite number'): init_params(4, 3, 2, (bad, 1.))
    with pytest.raises(ValueError, match=r'gains\[1\] is'): monte_carlo(torch.ones(2, 3), 4, gains=(1., bad), n_draws=1)
    with pytest.raises(ValueError, match='a is'): he_std(4, a=bad)


def test_other_faults_are_named():
    with pytest.raises(ValueError, match='gains is .*two numbers'): init_params(4, 3, 2, (1., 1., 1.))
    with pytest.raises(ValueError, match='dtype is torch.int64'): init_params(4, 3, 2, dtype=torch.int64)
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


@pytest.mark.parametrize('integer', [np.int64, np.int32, np.uint8])
def test_whole_numbers_of_any_kind(integer):
    "NumPy's integers are whole numbers, and don't overflow: 200 + 100 is 44 in eight bits."
    assert lecun_std(integer(200)) == lecun_std(200) and he_std(integer(200)) == he_std(200)
    assert glorot_std(integer(200), integer(100)) == glorot_std(200, 100)
    a, b = (init_params(n(5), n(4), n(3), generator=generator(0), device='cpu') for n in (int, integer))
    assert all(torch.equal(p, q) for p, q in zip(a, b))
    assert monte_carlo(torch.ones(2, 3), integer(4), n_draws=integer(2))[0].shape == (2,)


def test_real_numbers_of_any_kind():
    for a in (np.float32(.5), np.float64(.5), Fraction(1, 2)): assert he_std(8, a) == he_std(8, .5)
    assert torch.equal(init_params(3, 2, 1, (np.float64(2), 1), generator=generator(0)).w1, init_params(3, 2, 1, (2., 1.), generator=generator(0)).w1)
    assert he_std(8, 1e200) == pytest.approx(.5e-200)   # its square would overflow


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_gains_that_overflow_are_refused(dtype):
    largest = torch.finfo(dtype).max
    for gains in ((largest, 1.), (1., -largest)):
        with pytest.raises(ValueError, match=f'too large for {dtype}'): init_params(1, 1, 1, gains, dtype=dtype)
    if dtype != torch.float64:
        with pytest.raises(ValueError, match='too large'): init_params(1, 1, 1, (1e40, 1), dtype=dtype)
    assert init_params(4, 3, 2, (largest / 100, 1), dtype=dtype).w1.isfinite().all()


@pytest.fixture
def other_defaults():
    "As after `torch.set_default_device` and `torch.set_default_dtype`, for one test."
    torch.set_default_device('meta')
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_device(None)
    torch.set_default_dtype(torch.float32)


def test_whatever_torchs_defaults_are(other_defaults):
    params = init_params(5, 4, 3, generator=torch.Generator('cpu').manual_seed(0), device='cpu')
    assert all(p.dtype == torch.float32 and p.device.type == 'cpu' for p in params)
    means, stds = monte_carlo(torch.ones(2, 3, device='cpu', dtype=torch.float32), 4, n_draws=3)
    assert means.device.type == 'cpu' and means.dtype == torch.float32 and stds.isfinite().all()


def test_monte_carlo_with_another_activation():
    x = torch.randn(6, 5, generator=generator(0), dtype=torch.float64)
    mean, std = monte_carlo(x, 4, n_draws=1, activation=torch.tanh, generator=generator(1))
    p = init_params(5, 4, 1, generator=generator(1), device='cpu', dtype=x.dtype)
    output = torch.tanh(x @ p.w1) @ p.w2
    torch.testing.assert_close((mean[0], std[0]), (output.mean(), output.std(correction=0)))
