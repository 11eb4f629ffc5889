"Every version of the product, on shapes, layouts and dtypes drawn at random, against float64 and the bound of rounding."
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlesson.matmul import LADDER, error_bound, matmul_lists, product_sizes

size = st.integers(0, 7)


def draw(shape, dtype, layout, generator):
    "A matrix of the given shape that lies in memory in one of four ways."
    n, m = shape
    big = (torch.randn(2*n, 2*m, generator=generator, dtype=torch.float64) * 4).to(dtype)
    return {'plain': big[:n, :m].clone(), 'strided': big[::2, ::2], 'transposed': big[:n, :m].T.contiguous().T, 'flipped': big[:n, :m].flip(1)}[layout]


layouts = st.sampled_from(['plain', 'strided', 'transposed', 'flipped'])


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.int32], ids=str)
@pytest.mark.parametrize('name', LADDER)
@settings(deadline=None, max_examples=40, derandomize=True)
@given(n=size, k=size, m=size, layout_a=layouts, layout_b=layouts, seed=st.integers(0, 2**32))
def test_product(name, dtype, n, k, m, layout_a, layout_b, seed):
    generator = torch.Generator().manual_seed(seed)
    a, b = draw((n, k), dtype, layout_a, generator), draw((k, m), dtype, layout_b, generator)
    a_before, b_before = a.clone(), b.clone()
    c = LADDER[name](a, b)
    assert c.shape == (n, m) and c.dtype == dtype and torch.equal(a, a_before) and torch.equal(b, b_before)
    exact = a.double() @ b.double()
    bound = error_bound(a, b) if dtype.is_floating_point else torch.zeros(n, m, dtype=torch.float64)
    if dtype == torch.float64: bound *= 2   # `exact` is rounded as well
    assert ((c.double() - exact).abs() <= bound).all()


@pytest.mark.parametrize('name', LADDER)
def test_nan_and_infinity(name):
    a = torch.tensor([[1., float('nan')], [float('inf'), 1.], [1., 1.]])
    b = torch.tensor([[0., 1.], [1., 1.]])
    torch.testing.assert_close(LADDER[name](a, b), a @ b, equal_nan=True)


@pytest.mark.parametrize('name', LADDER)
@pytest.mark.parametrize('a, b', [
    (torch.ones(2, 3), torch.ones(2, 3)), (torch.ones(2, 3), torch.ones(4, 2)), (torch.ones(2, 3), torch.ones(3)), (torch.ones(3), torch.ones(3, 2)),
    (torch.ones(2, 1), torch.ones(3, 2)), (torch.ones(2, 3), torch.ones(1, 2)), (torch.ones(2, 3, 4), torch.ones(4, 2)),
    (torch.ones(2, 3, dtype=torch.int64), torch.ones(3, 2)), (torch.ones(2, 3, dtype=torch.bool), torch.ones(3, 2, dtype=torch.bool)),
    (torch.ones(2, 3).numpy(), torch.ones(3, 2)), (torch.ones(2, 3), [[1.], [2.], [3.]])])
def test_refused(name, a, b):
    with pytest.raises(ValueError, match='a is .* and b is .* we need'): LADDER[name](a, b)


@pytest.mark.parametrize('name', LADDER)
def test_negative_view(name):
    "Numbers that are marked as negative, not yet negated in memory."
    a = torch.tensor([[1 + 2j, 3j]]).conj().imag
    assert a.is_neg() and LADDER[name](a, torch.ones(2, 2)).tolist() == [[-5, -5]]


def test_sizes(): assert product_sizes(torch.ones(2, 3), torch.ones(3, 4)) == (2, 3, 4)


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64], ids=str)
@pytest.mark.parametrize('name', LADDER)
def test_integers_wrap_around(name, dtype):
    "A product that is too large for its dtype is what is left of it modulo a power of two, in all versions alike."
    bits, low = torch.iinfo(dtype).bits, torch.iinfo(dtype).min
    a = torch.tensor([[torch.iinfo(dtype).max, 3], [low, 100]], dtype=dtype)
    exact = [[sum(p * q for p, q in zip(row, column)) for column in a.T.tolist()] for row in a.tolist()]
    assert LADDER[name](a, a).tolist() == [[(v - low) % 2**bits + low for v in row] for row in exact]


@pytest.mark.parametrize('name', LADDER)
def test_gradients_are_kept_or_refused(name):
    "No version loses a gradient in silence."
    a, b = torch.randn(2, 3, dtype=torch.float64, requires_grad=True), torch.randn(3, 4, dtype=torch.float64)
    if name == 'lists':
        with pytest.raises(ValueError, match='lists carry no gradients'): LADDER[name](a, b)
        with torch.no_grad(): torch.testing.assert_close(LADDER[name](a, b), a @ b)
    else:
        LADDER[name](a, b).sum().backward()
        torch.testing.assert_close(a.grad, b.sum(1).expand(2, 3))


@pytest.mark.parametrize('a, b', [
    ([[1, 2, 3], [1, 2]], [[1], [2], [3]]),   # rows of a
    ([[1, 1]], [[1], [2, 3]]), ([[1, 1]], [[1, 2], [3]]), ([], [[1], [2, 3]]),   # rows of b
    ([[1, 2]], [[1]]), ([[1]], [])])
def test_lists_refused(a, b):
    with pytest.raises(ValueError, match=r'a has rows of \[.*\] numbers, b has . rows of \[.*\]'): matmul_lists(a, b)


def test_empty_lists():
    assert matmul_lists([], [[1, 2]]) == [] and matmul_lists([[], []], []) == [[], []]


@pytest.mark.parametrize('dtype, last', [(torch.bfloat16, 255), (torch.float16, 2047)], ids=str)
def test_bound_where_it_fails(dtype, last):
    "The theorem asks for k u < 1: up to there the bound is a number, and from there on it is infinite, never negative."
    for k in (last, last + 1, last + 2, 4 * last):
        a, b = torch.ones(1, k, dtype=dtype), torch.ones(k, 2, dtype=dtype)
        bound = error_bound(a, b)
        assert bound.shape == (1, 2) and (bound >= 0).all() and (bound.isinf().all() if k > last else bound.isfinite().all())
        assert ((a @ b).double() - k <= bound).all()


@pytest.mark.parametrize('a, b', [(torch.ones(2, 3), torch.ones(2, 3)), (torch.ones(2, 3), torch.ones(3, 2).double())])
def test_bound_refused(a, b):
    with pytest.raises(ValueError, match='we need'): error_bound(a, b)
    for dtype in torch.int32, torch.complex64:
        with pytest.raises(ValueError, match=f'a and b are {dtype}: the bound is for a floating dtype'): error_bound(*2 * [torch.ones(2, 2, dtype=dtype)])
