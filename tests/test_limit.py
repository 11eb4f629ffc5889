"Lesson 10's kernels on shapes, layouts and threads drawn at random, and on a processor without AVX-512."
import os
import runpy
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlesson.backprop import forward_backward
from fastlesson.forward import Params
from fastlesson.limit import (_parts, _product, _tiled, fused_forward_backward, machine_peak, matmul_blocked, matmul_ijk, matmul_ikj, matmul_strip, matmul_tiled, roofline)
from fastlesson.matmul import error_bound
from not_finite import check_not_finite, not_finite
from test_matmul import draw, layouts

KERNELS = [matmul_ijk, matmul_ikj, matmul_blocked, matmul_strip, matmul_tiled]
kernels = pytest.mark.parametrize('matmul', KERNELS, ids=lambda f: f.__name__)
# small ones, and those around the sizes of tiles (6, 32) and of blocks (64, 96, 512, 1024)
size = st.one_of(st.integers(0, 13), st.sampled_from([31, 32, 33, 63, 64, 65, 95, 96, 97, 511, 513, 1023, 1024, 1025]))


@kernels
@settings(deadline=None, max_examples=60, derandomize=True)
@given(n=size, k=size, m=size, layout_a=layouts, layout_b=layouts, seed=st.integers(0, 2**32))
def test_product(matmul, n, k, m, layout_a, layout_b, seed):
    generator = torch.Generator().manual_seed(seed)
    a, b = draw((n, k), torch.float32, layout_a, generator), draw((k, m), torch.float32, layout_b, generator)
    a_before, b_before = a.clone(), b.clone()
    c = matmul(a, b)
    assert c.shape == (n, m) and c.dtype == a.dtype and c.is_contiguous() and torch.equal(a, a_before) and torch.equal(b, b_before)
    assert ((c.double() - a.double() @ b.double()).abs() <= error_bound(a, b)).all()


@kernels
@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_not_finite(matmul, value):
    for n, k, m in (7, 40, 37), (12, 64, 64):
        a, b = (torch.randn(*s, generator=torch.Generator().manual_seed(n)) for s in ((n, k), (k, m)))
        a[2, 3], b[5, m - 1], a[n - 1, k - 1], b[k - 1, 0] = value, value, value, 0.   # in a tile, at an edge, times zero
        torch.testing.assert_close(matmul(a, b), a @ b, equal_nan=True)


@pytest.mark.parametrize('m', [*range(1, 25), 37])
def test_few_columns(m):
    "Dot products: any number of columns and rows, sums that no vector divides, and nothing from behind the end of a row."
    for n, k in (1, 1), (1, 784), (2, 15), (3, 33), (7, 16), (100, 1057), (4, 0):
        generator = torch.Generator().manual_seed(n)
        wide, b = torch.randn(n, k + 7, generator=generator), torch.randn(k, m, generator=generator)
        wide[:, k:] = float('nan')
        for right in b, b.T.contiguous().T:
            c = matmul_tiled(wide[:, :k], right)
            assert ((c.double() - wide[:, :k].double() @ b.double()).abs() <= error_bound(wide[:, :k], b)).all()
        if k > 1:
            wide[n - 1, k - 1], b[0, m - 1] = float('inf'), float('nan')   # they reach their row and their column only
            torch.testing.assert_close(matmul_tiled(wide[:, :k], b), wide[:, :k] @ b, equal_nan=True, rtol=1e-4, atol=1e-3)


@kernels
def test_refused(matmul):
    for a, b in (torch.ones(2, 3), torch.ones(2, 3)), (torch.ones(2, 3), torch.ones(3)), (torch.ones(2, 3), torch.ones(3, 2).double()):
        with pytest.raises(ValueError, match='a is .* and b is .* we need'): matmul(a, b)
    for dtype in torch.float64, torch.int32, torch.bfloat16:
        with pytest.raises(TypeError, match=f'a is {dtype} on cpu: these kernels take torch.float32 on the CPU'): matmul(torch.ones(2, 3).to(dtype), torch.ones(3, 2).to(dtype))
    with pytest.raises(RuntimeError, match='requires grad'): matmul(torch.ones(2, 3), torch.ones(3, 2, requires_grad=True))
    with pytest.raises(TypeError, match='a is torch.float32 on meta'): matmul(torch.ones(2, 3, device='meta'), torch.ones(3, 2, device='meta'))


@kernels
def test_from_several_threads(matmul):
    cases = [[torch.randn(*s, generator=torch.Generator().manual_seed(seed)) for s in ((150, 70), (70, 90))] for seed in range(24)]
    cases += [[torch.randn(*s, generator=torch.Generator().manual_seed(seed)) for s in ((250, 170), (170, 190))] for seed in range(6)]   # large enough to be shared
    with ThreadPoolExecutor(6) as pool:
        for c, (a, b) in zip(pool.map(lambda case: matmul(*case), cases), cases): assert ((c - a @ b).abs() <= 2 * error_bound(a, b)).all()


def test_nothing_stays_from_the_call_before():
    "Places for packed parts of a and b are kept; what is left in them reaches no result, whether on one thread or on several."
    for n, k, m in (7, 40, 37), (301, 300, 530):
        a, b = (torch.randn(*s, generator=torch.Generator().manual_seed(n)) for s in ((n, k), (k, m)))
        for left, right in (a, b), (a.T.contiguous().T, b.T.contiguous().T):
            matmul_tiled(torch.full((200, 1100), float('nan')).T, torch.full((200, 1100), float('nan')))
            assert ((matmul_tiled(left, right).double() - a.double() @ b.double()).abs() <= error_bound(a, b)).all()


@pytest.mark.parametrize('threads', [1, 2, 3, 7, 64])
def test_parts_cover_the_result(threads):
    "No more parts than threads, and none is used where it can't help."
    for n, m in (1024, 1024), (50_000, 50), (50, 50_000), (6, 32), (4096, 4096):
        down, across = _parts(n, m, threads)
        assert 1 <= down * across <= threads
    assert _parts(50_000, 10, threads) == (threads, 1) and _parts(6, 32 * 5000, threads) == (1, threads)


@kernels
def test_whatever_torchs_defaults(matmul):
    a, b = torch.randn(7, 40), torch.randn(40, 37)
    c = matmul(a, b)
    try:
        torch.set_default_dtype(torch.float64)
        assert torch.equal(matmul(a, b), c)
    finally: torch.set_default_dtype(torch.float32)
    with torch.device('meta'): assert torch.equal(matmul(a, b), c)
    assert torch.equal(matmul(torch._neg_view(-a), b), c)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(n=st.one_of(st.integers(1, 13), st.sampled_from([59, 60, 61, 121, 300])), n_in=size, hidden=st.sampled_from([1, 5, 31, 32, 33, 50, 64, 65]), layout=layouts, seed=st.integers(0, 2**32))
def test_fused(n, n_in, hidden, layout, seed):
    generator = torch.Generator().manual_seed(seed)
    x, target = draw((n, n_in), torch.float32, layout, generator), torch.randn(n, generator=generator)
    params = Params(*(torch.randn(*s, generator=generator) for s in ((n_in, hidden), (hidden,), (hidden, 1), (1,))))
    exact_loss, exact = forward_backward(x.double(), target.double(), Params(*(p.double() for p in params)))
    loss, grads = fused_forward_backward(x, target, params)
    def close(a, b, sizes):   # n_in, hidden and n terms are added on the way; sizes: of the largest sum of absolute values
        assert a.shape == b.shape and a.dtype == torch.float32
        assert ((a.double() - b).abs() <= 4 * (n_in + hidden + n + 10) * torch.finfo(torch.float32).eps * sizes).all()
    # the same pass on absolute values bounds every sum in it
    x_, target_, p_ = x.double().abs(), target.double().abs(), Params(*(p.double().abs() for p in params))
    h_ = x_ @ p_.w1 + p_.b1
    off_ = (h_ @ p_.w2 + p_.b2).squeeze(-1) + target_
    g_ = 2 * off_ / n
    close(loss, exact_loss, off_.square().mean())
    near = (x.double() @ params.w1.double() + params.b1.double()).abs() < (n_in + 2) * torch.finfo(torch.float32).eps * h_   # where rounding may switch a unit on or off
    if near.any(): return
    for grad, ours, sizes in zip(grads, exact, (x_.T @ (g_[:, None] * p_.w2.T), g_ @ (h_ * 0 + p_.w2.T), (h_.T @ g_)[:, None], g_.sum())): close(grad, ours, sizes)


def test_fused_refused():
    params = Params(torch.ones(3, 2), torch.ones(2), torch.ones(2, 1), torch.ones(1))
    with pytest.raises(ValueError, match='x has no rows'): fused_forward_backward(torch.ones(0, 3), torch.ones(0), params)
    with pytest.raises(ValueError, match='target'): fused_forward_backward(torch.ones(4, 3), torch.ones(4, 1), params)
    with pytest.raises(TypeError, match='x is torch.float64'): fused_forward_backward(torch.ones(4, 3).double(), torch.ones(4).double(), Params(*(p.double() for p in params)))


@not_finite
def test_fused_takes_what_is_not_finite_through(which, at, value): check_not_finite(fused_forward_backward, which, at, value, 5)


def test_fused_loses_nothing_over_many_rows():
    "Sums over all rows are kept in double precision: a million terms, all positive, and still a few roundings."
    draw = torch.Generator().manual_seed(0)
    x, target = torch.rand(1_000_000, 4, generator=draw), torch.zeros(1_000_000)
    params = Params(*(torch.rand(*s, generator=draw) for s in ((4, 3), (3,), (3, 1), (1,))))
    loss, grads = fused_forward_backward(x, target, params)
    exact_loss, exact = forward_backward(x.double(), target.double(), Params(*(p.double() for p in params)))
    eps = torch.finfo(torch.float32).eps
    for ours, there in ((loss, exact_loss), (grads.b1, exact.b1), (grads.w2, exact.w2), (grads.b2, exact.b2)):   # 60 + 4 + 3 terms in float32
        assert ((ours.double() - there).abs() <= 70 * eps * there.abs()).all()


def test_same_twice():
    "Threads share the work in the same way every time."
    a, b = torch.randn(300, 200), torch.randn(200, 100)
    assert torch.equal(matmul_tiled(a, b), matmul_tiled(a, b))


def test_roofline():
    peak = machine_peak(threads=1)
    ridge = peak.flops / peak.bandwidth
    assert roofline(2 * ridge, peak) == peak.flops and abs(roofline(ridge / 2, peak) / (peak.flops / 2) - 1) < 1e-9
    assert 1e8 < peak.flops < 1e14 and 1e8 < peak.bandwidth < 1e14   # any machine there is: the units are right


def test_without_numba(tmp_path):
    (tmp_path/'numba.py').write_text('raise ImportError')
    out = subprocess.run([sys.executable, '-c', 'import fastlesson.limit'], env=os.environ | {'PYTHONPATH': str(tmp_path)}, capture_output=True, text=True)
    assert out.returncode and "pip install 'fastlesson[notebooks]'" in out.stderr


def run(code, env={}, **options):
    "What a process of its own prints."
    return subprocess.run([sys.executable, '-c', code], env=os.environ | env, capture_output=True, text=True, timeout=120, **options)


CALL = """
from fastlesson.limit import matmul_tiled
print(matmul_tiled(torch.ones(7, 5), torch.ones(5, 3)).sum().item())
"""


def kept_in(folder, code='import torch' + CALL, **env):
    "What a process says that keeps its compiled code in a folder."
    return run(code, {'NUMBA_CACHE_DIR': str(folder), 'NUMBA_DEBUG_CACHE': '1'} | env)

@pytest.fixture(scope='module')
def compiled(tmp_path_factory):
    "A folder with the compiled code of a first process."
    out = kept_in(folder := tmp_path_factory.mktemp('compiled'))
    assert '105.0\n' in out.stdout and 'data saved' in out.stdout, out.stderr
    return folder


def test_compiled_once(compiled):
    "A second process finds the compiled code of the first; and all layouts share it."
    out = kept_in(compiled).stdout
    assert '105.0\n' in out and 'data loaded' in out and 'data saved' not in out
    a = torch.ones(300, 300)
    for left, right in (a, a.T), (a.T, a), (a[:, ::2], a[::2]): matmul_tiled(left, right), matmul_tiled(left[:3], right)
    assert len(_product.signatures) == len(_tiled.signatures) == 1


@pytest.mark.parametrize('left', [0, .5], ids=['empty', 'cut'])
@pytest.mark.parametrize('kind', ['nbi', 'nbc'])
def test_a_cache_file_that_was_cut_off_counts_as_missing(tmp_path, kind, left):
    "numba's issue 10434: such a file is an error at every call. It is written anew: whoever comes next finds it."
    (tmp_path/'kernel.py').write_text('from fastlesson.limit import _jit\n@_jit\ndef double(x): return 2 * x\n')
    def found():
        kernel = runpy.run_path(str(tmp_path/'kernel.py'))['double']   # as a new process has it
        assert kernel(1.5) == 3
        return kernel.stats.cache_hits.total()
    assert (found(), found()) == (0, 1)
    file, = tmp_path.rglob(f'*.{kind}')
    file.write_bytes(file.read_bytes()[:int(left * file.stat().st_size)])
    assert (found(), found()) == (0, 1)


SMALLER = r"""
import torch
from fastlesson import limit
from fastlesson.matmul import error_bound
assert limit.WIDTH == 16
for n, k, m in (49, 1025, 65), (5, 784, 10):
    a, b = torch.randn(n, k), torch.randn(k, m)
    for matmul in limit.matmul_ijk, limit.matmul_ikj, limit.matmul_blocked, limit.matmul_strip, limit.matmul_tiled:
        assert ((matmul(a, b).double() - a.double() @ b.double()).abs() <= error_bound(a, b)).all()
print('right')
"""

def test_one_cache_for_two_processors(compiled, tmp_path):
    "What is compiled for one processor is not taken for one without AVX-512, nor the other way round, nor for what torch takes it for."
    shutil.copytree(compiled, tmp_path, dirs_exist_ok=True)
    out = kept_in(tmp_path, SMALLER, NUMBA_CPU_NAME='generic', NUMBA_CPU_FEATURES='')
    assert 'right\n' in out.stdout and 'data saved' in out.stdout, out.stderr
    for more in {}, {'ATEN_CPU_CAPABILITY': 'default'}:
        out = kept_in(tmp_path, **more)
        assert '105.0\n' in out.stdout and 'data saved' not in out.stdout, out.stderr


def test_leaves_torchs_threads_alone():
    "Numba's threads and torch's may share one OpenMP, which remembers a single number for both."
    for threads in 1, 2:
        assert run(f'import torch; torch.set_num_threads({threads})' + CALL + 'print(torch.get_num_threads())').stdout == f'105.0\n{threads}\n'


IMPORT = r"""
import os, random
import numpy as np, torch
def state(): return (sorted(os.listdir('/proc/self/task')) if os.path.exists('/proc') else [], torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(),
                     torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate(), dict(os.environ))
torch.get_num_threads(), np.random.get_state()
before = state()
import fastlesson.limit, fastlesson.gpu
print(state() == before)
"""

def test_importing_changes_nothing(): assert run(IMPORT).stdout == 'True\n'


FORK = r"""
import os, sys, torch
from fastlesson.limit import fused_forward_backward, matmul_ijk, matmul_tiled
from fastlesson.forward import Params
a = torch.ones(300, 300)
if {first}: a @ a, matmul_tiled(a, a)
params = Params(torch.ones(300, 2), torch.ones(2), torch.ones(2, 1), torch.ones(1))
if child := os.fork():
    print(os.waitpid(child, 0)[1])
else:
    for call in lambda: matmul_ijk(a, a), lambda: matmul_tiled(a, a), lambda: fused_forward_backward(a, torch.ones(300), params):
        try: call()
        except RuntimeError as e: print(e, flush=True)
    os._exit(0)
"""

@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system forks no processes')
@pytest.mark.parametrize('first', [True, False], ids=['threads-started', 'imported'])
def test_a_forked_process_is_told(first):
    "OpenMP's threads don't survive a fork: a child would hang or be killed without a word."
    lines = run(FORK.replace('{first}', str(first))).stdout.splitlines()
    assert len(lines) == 4 and lines[-1] == '0' and all("was forked" in line and "'spawn'" in line for line in lines[:3])


SPAWN = r"""
import multiprocessing, torch
from fastlesson.limit import matmul_tiled
def work(n): return matmul_tiled(torch.ones(n, 5), torch.ones(5, 3)).sum().item()
if __name__ == '__main__':
    work(7)
    with multiprocessing.get_context('spawn').Pool(1) as pool: print(pool.map(work, [7]))
"""

def test_a_spawned_process_works(tmp_path):
    (tmp_path/'main.py').write_text(SPAWN)
    assert subprocess.run([sys.executable, tmp_path/'main.py'], capture_output=True, text=True, timeout=120).stdout == '[105.0]\n'


def test_where_no_cache_can_be_written():
    "The code is compiled again in each process, that is all."
    out = run('import tempfile, torch\ndef full(*args, **kwargs): raise OSError\ntempfile.TemporaryFile = full'
              + CALL.replace('tiled', 'ijk'))   # numba tries its folders with one
    assert out.stdout == '105.0\n', out.stderr


THREADED = r"""
import torch
from concurrent.futures import ThreadPoolExecutor
from fastlesson.limit import matmul_tiled
a = torch.ones(200, 200)
with ThreadPoolExecutor(6) as pool: print({c.sum().item() for c in pool.map(lambda _: matmul_tiled(a, a), range(60))})
"""

def test_from_several_threads_of_pythons_in_numbas_simplest_layer():
    "Its `workqueue` ends the process when two threads use it at once; a Mac without OpenMP has no other."
    out = run(THREADED, {'NUMBA_THREADING_LAYER': 'workqueue'})
    assert out.stdout == '{8000000.0}\n', out.stderr
