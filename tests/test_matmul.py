"Every version of the product, on shapes, layouts and dtypes drawn at random, against float64 and the bound of rounding."
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlesson.matmul import LADDER, error_bound, matmul_lists

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
    if name == 'lists' and k == 0: return   # lists of no rows have no width: said in the lesson
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


@pytest.mark.parametrize('name', [n for n in LADDER if n != 'lists'])
@pytest.mark.parametrize('a, b', [
    (torch.ones(2, 3), torch.ones(2, 3)), (torch.ones(2, 3), torch.ones(4, 2)), (torch.ones(2, 3), torch.ones(3)), (torch.ones(3), torch.ones(3, 2)),
    (torch.ones(2, 1), torch.ones(3, 2)), (torch.ones(2, 3), torch.ones(1, 2)), (torch.ones(2, 3, 4), torch.ones(4, 2)),
    (torch.ones(2, 3, dtype=torch.int64), torch.ones(3, 2))])
def test_refused(name, a, b):
    with pytest.raises(ValueError, match='a is .* and b is .* we need'): LADDER[name](a, b)


def test_lists_refused():
    with pytest.raises(ValueError, match=r'a has rows of \[2, 3\] numbers, b has 3 rows'): matmul_lists([[1, 2, 3], [1, 2]], [[1], [2], [3]])
