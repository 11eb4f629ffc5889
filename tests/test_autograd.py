"The tape against PyTorch's on random expressions, and where a tape goes wrong: order, sharing, threads, dtypes, memory."
import gc
import threading
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from fastlesson.autograd import Var, no_grad, unbroadcast

SHAPES = st.sampled_from([(), (1,), (3,), (4, 1), (1, 3), (4, 3), (2, 1, 3), (2, 4, 1)])
UNARY = {'-': lambda a: -a, 'exp': lambda a: (a * .3).exp(), 'log': lambda a: (a * a + 1).log(), 'relu': lambda a: a.relu(), '**3': lambda a: a**3,
         '2-': lambda a: 2 - a, '2/': lambda a: 2 / (a * a + 1), '**-.5': lambda a: (a * a + 1)**-.5, '**0': lambda a: a**0,
         'sum': lambda a: a.sum(), 'mean': lambda a: a.mean(), 'flat': lambda a: a.reshape(-1), 'twice': lambda a: a * a + a,
         'last': lambda a: a.sum(-1, True) if a_ndim(a) else a, 'first': lambda a: a[0] if a_ndim(a) else a,
         'repeat': lambda a: a.reshape(-1)[[0, 0, -1]], 'slice': lambda a: a[..., ::2] if a_ndim(a) else a, 'T@': lambda a: a.T @ a if a_ndim(a) == 2 else a}
BINARY = {'+': lambda a, b: a + b, '-': lambda a, b: a - b, '*': lambda a, b: a * b, '/': lambda a, b: a / (b * b + 1)}


def a_ndim(a): return (a.value if isinstance(a, Var) else a).ndim
def shape(a): return (a.value if isinstance(a, Var) else a).shape
def fits(*shapes):
    try: return torch.broadcast_shapes(*shapes).numel() < 1000
    except RuntimeError: return False


@st.composite
def expressions(draw):
    "Leaves' shapes, and steps: each takes earlier values by position, so values are used twice and paths join."
    shapes = draw(st.lists(SHAPES, min_size=1, max_size=3))
    steps = draw(st.lists(st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8))
    return shapes, steps, draw(st.integers(0, 2**31))


def evaluate(leaves, steps):
    "Run the steps on tensors or on Vars; the result is a number that all values feed."
    values = list(leaves)
    for name, i, j in steps:
        a, b = values[i % len(values)], values[j % len(values)]
        if name in UNARY: values.append(UNARY[name](a))
        elif fits(shape(a), shape(b)): values.append(BINARY[name](a, b))
    total = values[0].mean()
    for v in values[1:]: total = total + v.mean()
    return total


@settings(max_examples=300, deadline=None)
@given(expressions())
def test_random_expressions(expression):
    shapes, steps, seed = expression
    rand = torch.Generator().manual_seed(seed)
    tensors = [torch.randn(s, generator=rand, dtype=torch.float64).requires_grad_() for s in shapes]
    vars = [Var(t) for t in tensors]
    theirs, ours = evaluate(tensors, steps), evaluate(vars, steps)
    assert_close(ours.value, theirs.detach())
    ours.backward()
    for v, g in zip(vars, torch.autograd.grad(theirs, tensors)): assert_close(v.grad, g, rtol=1e-9, atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(SHAPES, SHAPES)
def test_unbroadcast_is_sum_to_size(small, large):
    if not fits(small, large): return
    grad = torch.randn(torch.broadcast_shapes(small, large), dtype=torch.float64)
    assert_close(unbroadcast(grad, small), grad.sum_to_size(small))


@pytest.mark.parametrize('dim', [None, 0, 1, -1])
@pytest.mark.parametrize('keepdim', [False, True])
def test_reductions(dim, keepdim):
    x = torch.tensor([[1., 5., 5.], [2., 0., 2.]], dtype=torch.float64)   # with ties
    for name, reference in {'sum': torch.sum, 'mean': torch.mean, 'max': torch.amax}.items():
        if dim is None and keepdim: continue
        t, v = x.clone().requires_grad_(), Var(x.clone())
        theirs = reference(t, *([] if dim is None else [dim]), **({} if dim is None else {'keepdim': keepdim}))
        ours = getattr(v, name)(*([] if dim is None else [dim, keepdim]))
        assert_close(ours.value, theirs.detach())
        out_grad = torch.randn(theirs.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        ours.backward(out_grad)
        assert_close(v.grad, torch.autograd.grad(theirs, t, out_grad)[0])


def test_the_largest_beside_minus_infinity():
    x = Var(torch.tensor([1., -torch.inf]))
    (largest := x.max()).backward()
    assert largest.value.item() == 1 and x.grad.tolist() == [1, 0]


def test_batched_products_and_constants_on_either_side():
    rand = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 4, 3, generator=rand), torch.randn(3, 5, generator=rand)
    for fn in (lambda a, b: a @ b, lambda a, b: (2 * a - 1) @ (1 / (b * b + 1))):
        ts, vs = [t.clone().requires_grad_() for t in (a, b)], [Var(a), Var(b)]
        fn(*ts).sum().backward()
        fn(*vs).sum().backward()
        for t, v in zip(ts, vs): assert_close(v.grad, t.grad)
    w = Var(b)
    (a @ w).sum().backward()   # a tensor on the left is a constant
    t = b.clone().requires_grad_()
    (a @ t).sum().backward()
    assert_close(w.grad, t.grad)
    for result in (a + Var(torch.ones(3)), a * Var(torch.ones(3)), a - Var(torch.ones(3)), a / Var(torch.ones(3))): assert isinstance(result, Var)


def test_gradients_are_of_the_leaf_and_its_own():
    "Of its dtype, never the same tensor as another leaf's, never a view that can't be written."
    half, single = Var(torch.ones(3, dtype=torch.bfloat16)), Var(torch.ones(3))
    (half * single).sum().backward()
    assert half.grad.dtype == torch.bfloat16 and single.grad.dtype == torch.float32
    a, b = Var(torch.ones(3)), Var(torch.ones(3))
    (a + b).sum().backward()
    a.grad.mul_(2)
    assert b.grad.tolist() == [1, 1, 1] and a.grad.tolist() == [2, 2, 2]
    upstream = torch.ones(3)
    (c := Var(torch.ones(3)) * 1).backward(upstream, keep=True)
    c.grad.zero_()
    assert upstream.tolist() == [1, 1, 1]


def test_a_refused_pass_changes_no_gradient():
    a, b = Var(torch.ones(2)), Var(torch.ones(2))
    loss = (a * b).sum() + a.sum()
    b.value += 1
    with pytest.raises(RuntimeError, match='changed in place'): loss.backward()
    assert a.grad is None and b.grad is None


def test_results_that_a_vjp_holds_are_watched_too():
    x = Var(torch.ones(2))
    y = x.exp()   # its VJP looks at the result
    loss = y.sum()
    y.value += 1
    with pytest.raises(RuntimeError, match='changed in place'): loss.backward()
    constant = torch.ones(2)
    loss = (Var(torch.ones(2)) * constant).sum()
    constant += 1
    with pytest.raises(RuntimeError, match='changed in place'): loss.backward()


def test_the_tape_is_freed():
    x = Var(torch.ones(3))
    y = x.exp()
    held = weakref.ref(y)
    loss = y.sum()
    loss.backward()
    del y
    gc.collect()
    assert held() is None


def test_no_grad_nests_ends_after_an_error_and_is_each_threads_own():
    x = Var(torch.ones(2))
    try:
        with no_grad():
            with no_grad(): pass
            assert not (x * x).made_from
            raise ValueError
    except ValueError: pass
    assert (x * x).made_from
    recorded = []
    with no_grad():
        thread = threading.Thread(target=lambda: recorded.append(bool((x * x).made_from)))
        thread.start()
        thread.join()
    assert recorded == [True]
    @no_grad()
    def evaluated(): return x * x
    assert not evaluated().made_from


def test_long_chains_need_no_recursion():
    x = Var(torch.ones((), dtype=torch.float64))
    y = x
    for _ in range(20_000): y = y + x
    y.backward()
    assert x.grad.item() == 20_001
    del y   # nor does letting go of one that was never used
    y = x
    for _ in range(100_000): y = y + 1
    del y


@pytest.mark.parametrize('other', [np.float64(2.), np.float32(2.), np.array([2., 3.], np.float32)], ids=lambda v: type(v).__name__)
def test_numpy_on_the_left(other):
    "NumPy would make an array of objects, a Var for each of its numbers."
    v = Var(torch.tensor([4., 5.]))
    out = other * v - other / v
    assert isinstance(out, Var)
    out.sum().backward()
    assert_close(v.grad, torch.as_tensor(other).float() * (1 + 1 / v.value**2))


def test_a_tensor_stays_on_its_device():
    torch.set_default_device('meta')
    try: assert Var(torch.ones(2, device='cpu')).value.device.type == 'cpu'
    finally: torch.set_default_device(None)
