"Lesson 11's kernels: on a GPU where there is one, else in Triton's interpreter if Triton is installed; and what they become when compiled for one."
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip('triton', reason='Triton is not installed (a gigabyte, so not by default): pip install triton')

from fastlesson import gpu
from fastlesson.backprop import forward_backward
from fastlesson.forward import Params
from fastlesson.gpu import fused_forward_backward_triton, matmul_triton
from fastlesson.matmul import error_bound
from not_finite import check_not_finite, not_finite

CUDA = torch.cuda.is_available()   # else conftest.py asks for the interpreter
DEVICE = 'cuda' if CUDA else 'cpu'
VERSIONS = ['naive', 'tiled', 'grouped'] + ['autotuned'] * CUDA   # the interpreter has nothing to time


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize('n, k, m', [(1, 1, 1), (5, 130, 7), (65, 33, 129), (64, 64, 64), (0, 3, 2), (3, 0, 2), (600, 4, 70)])
@pytest.mark.parametrize('version', VERSIONS)
def test_product(version, n, k, m, dtype):
    if version != 'naive' and dtype == torch.bfloat16 and not CUDA: pytest.skip("the interpreter's dot multiplies the bits of bfloat16 as if they were integers")
    if version == 'naive' and not CUDA: n, m = min(n, 6), min(m, 5)   # it is slow with a program an element
    draw = torch.Generator().manual_seed(n + k + m)
    a, b = (torch.randn(*s, generator=draw).to(DEVICE, dtype).T for s in ((k, n), (m, k)))   # transposed: their strides are used
    c = matmul_triton(a, b, version)
    assert c.shape == (n, m) and c.dtype == dtype
    exact = a.double() @ b.double()
    rounding = torch.finfo(dtype).eps * exact.abs()   # of the result, when it is stored
    assert ((c.double() - exact).abs() <= error_bound(a.float(), b.float()).to(DEVICE) + rounding).all()
    assert torch.equal(matmul_triton(a.contiguous(), b.contiguous(), version), c)


@pytest.mark.parametrize('n, k, m', [(1, 8, 8), (65, 40, 136), (300, 128, 264)])
def test_persistent(n, k, m):
    draw = torch.Generator().manual_seed(n)
    a, b = (torch.randn(*s, generator=draw).to(DEVICE).half() for s in ((n, k), (k, m)))
    if CUDA and torch.cuda.get_device_capability() < (9, 0): pytest.skip('needs compute capability 9.0')
    c, exact = matmul_triton(a, b, 'persistent'), a.double() @ b.double()
    assert ((c.double() - exact).abs() <= error_bound(a.float(), b.float()).to(DEVICE) + torch.finfo(torch.half).eps * exact.abs()).all()
    assert torch.equal(matmul_triton(a.T.contiguous().T, b.T.contiguous().T, 'persistent'), c)


def test_persistent_takes_tiles_in_turn(monkeypatch):
    "Two programs for fifteen tiles."
    monkeypatch.setattr(gpu, 'WIDEST', (32, 32, 16, 3, 4))
    monkeypatch.setattr(gpu, '_multiprocessors', lambda x: 2)
    if CUDA and torch.cuda.get_device_capability() < (9, 0): pytest.skip('needs compute capability 9.0')
    a, b = (torch.randn(*s, generator=torch.Generator().manual_seed(0)).to(DEVICE).half() for s in ((150, 24), (24, 80)))
    assert ((matmul_triton(a, b, 'persistent').double() - a.double() @ b.double()).abs() <= 2**-10 * (a.double().abs() @ b.double().abs())).all()


@pytest.mark.parametrize('what', ['float32', 'k', 'm', 'start'])
def test_persistent_says_what_it_cannot_take(what):
    a, b = torch.ones(4, 7 if what == 'k' else 8, device=DEVICE).half(), torch.ones(7 if what == 'k' else 8, 9 if what == 'm' else 8, device=DEVICE).half()
    if what == 'float32': a, b = a.float(), b.float()
    if what == 'start': a = torch.ones(33, device=DEVICE).half()[1:].view(4, 8)
    with pytest.raises(ValueError, match="version 'persistent' takes 16-bit numbers, k and m that 8 divides"): matmul_triton(a, b, 'persistent')


LIMITS = {80: 163 * 1024, 90: 227 * 1024}   # shared memory that a program can have, in bytes


@pytest.fixture(scope='module')
def compiled():
    "Every kernel and tile of the page, compiled for GPUs that need not be there; for both at the same time."
    env = {k: v for k, v in os.environ.items() if k != 'TRITON_INTERPRET'}
    runs = {arch: subprocess.Popen([sys.executable, Path(__file__).with_name('compile_kernels.py'), str(arch)], env=env, stdout=subprocess.PIPE, text=True) for arch in LIMITS}
    return {arch: json.loads(run.communicate(timeout=600)[0]) for arch, run in runs.items()}   # pytest shows what they complain of


@pytest.mark.parametrize('arch', LIMITS)
def test_kernels_fit_the_gpu(compiled, arch):
    kernels = {name: k for name, k in compiled[arch].items() if not name.startswith('refused')}   # those are there to show what happens
    assert {name: k['spilled'] for name, k in kernels.items() if k['spilled']} == {}, 'nothing is spilled from registers to memory'
    assert {name: k['shared'] for name, k in kernels.items() if k['shared'] > LIMITS[arch]} == {}
    assert len(kernels) > 20 and all(k['registers'] for k in kernels.values()), 'the assembler has counted'
    tensor_cores = {name for name, k in kernels.items() if k['tensor cores']}
    assert tensor_cores == {name for name in kernels if name.startswith(('tiled tf32', 'tiled 16 bits', 'persistent'))}


def test_numbers_on_the_page(compiled):
    "What lesson 11 says of an H100, as the Triton of constraints.txt compiles it."
    widest, too_large, spills, odd = (compiled[90][name] for name in ('persistent', 'refused: TF32, steps of 64', 'refused: float32, 128 × 256', 'refused: odd strides'))
    assert (widest['registers'], round(widest['shared'] / 1000)) == (163, 213)
    assert round(too_large['shared'] / 1000) == 295 and spills['spilled'] > 0 == spills['tensor cores'] and round(odd['spilled'] / 1000, 1) == 2.5


@pytest.mark.parametrize('version', VERSIONS)
def test_nan(version):
    a, b = torch.ones(70, 40, device=DEVICE), torch.ones(40, 5, device=DEVICE)
    a[66, 3], b[7, 2] = float('nan'), float('inf')
    torch.testing.assert_close(matmul_triton(a, b, version), a @ b, equal_nan=True)


def test_refused():
    a = torch.ones(2, 3, device=DEVICE)
    with pytest.raises(ValueError, match='we need'): matmul_triton(a, a)
    with pytest.raises(ValueError, match='a is a numpy.ndarray'): matmul_triton(a.cpu().numpy(), a.T)
    with pytest.raises(ValueError, match='x is a numpy.ndarray'): fused_forward_backward_triton(a.cpu().numpy(), a[:, 0], Params(a, a[0], a, a[0]))
    with pytest.raises(TypeError, match='a is torch.float64: this kernel takes'): matmul_triton(a.double(), a.T.double())
    with pytest.raises(ValueError, match='requires a gradient'): matmul_triton(a, a.T.clone().requires_grad_())
    with pytest.raises(ValueError, match="version is 'best', not one of"): matmul_triton(a, a.T, 'best')


@pytest.mark.parametrize('n, n_in, hidden', [(1, 1, 1), (65, 33, 50), (130, 40, 17), (70, 40, 200), (10, 300, 70)])   # the last two: units in several tiles, pixels shared
def test_fused(n, n_in, hidden):
    draw = torch.Generator().manual_seed(n)
    x, target = torch.randn(n, n_in, generator=draw).to(DEVICE), torch.randn(n, generator=draw).to(DEVICE)
    params = Params(*(torch.randn(*s, generator=draw).to(DEVICE) for s in ((n_in, hidden), (hidden,), (hidden, 1), (1,))))
    loss, grads = fused_forward_backward_triton(x, target, params)
    exact_loss, exact = forward_backward(x.double(), target.double(), Params(*(p.double() for p in params)))
    rtol = 10 * (n + n_in + hidden)**.5 * torch.finfo(torch.float32).eps   # as in lesson 5, with all the sums on the way
    for ours, there in zip((loss, *grads), (exact_loss, *exact)):
        torch.testing.assert_close(ours.double(), there, rtol=0, atol=rtol * there.abs().max().item())


@not_finite
def test_fused_takes_what_is_not_finite_through(which, at, value): check_not_finite(fused_forward_backward_triton, which, at, value, 17, DEVICE)


def test_gradients_are_tensors_of_their_own():
    "They share one buffer, filled with zeros at once, but no entries."
    params = Params(torch.ones(4, 3, device=DEVICE), torch.ones(3, device=DEVICE), torch.ones(3, 1, device=DEVICE), torch.ones(1, device=DEVICE))
    loss, grads = fused_forward_backward_triton(torch.ones(5, 4, device=DEVICE), torch.ones(5, device=DEVICE), params)
    assert loss.shape == () and [g.shape for g in grads] == [p.shape for p in params]
    before = [g.clone() for g in grads]
    loss.zero_(), grads.w1.zero_()
    for g, kept in zip(grads[1:], before[1:]): assert torch.equal(g, kept) and kept.abs().min() > 0


def test_more_elements_than_programs_in_a_launch(monkeypatch):
    "A grid holds fewer than 2³¹ programs; here at most ten."
    monkeypatch.setattr(gpu, 'GRID', 10)
    a, b = torch.randn(7, 5, device=DEVICE), torch.randn(5, 4, device=DEVICE)
    assert ((matmul_triton(a, b, 'naive').double() - a.double() @ b.double()).abs() <= error_bound(a, b)).all()
    wide = torch.randn(5, 13, device=DEVICE)   # more columns than programs
    assert ((matmul_triton(a, wide, 'naive').double() - a.double() @ wide.double()).abs() <= error_bound(a, wide)).all()


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason='needs two GPUs')
def test_on_the_second_gpu():
    a, b = torch.randn(70, 50, device='cuda:1'), torch.randn(50, 30, device='cuda:1')
    for version in VERSIONS: assert ((matmul_triton(a, b, version).double() - a.double() @ b.double()).abs() <= error_bound(a, b)).all()
