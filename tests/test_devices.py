"What only a GPU can show, and whether the pretended one shows what a machine without any can."
import numpy as np
import pytest
import torch

from fastlesson.gradcheck import check_grads
from fastlesson.matmul import LADDER, error_bound
from pretend import THERE, pretended


@pytest.mark.parametrize('name', LADDER)
def test_product(name, device):
    if device.type != 'cuda': pytest.skip('needs a CUDA device: make test-gpu')
    a, b = (torch.randn(*shape, generator=torch.Generator().manual_seed(0)).to(device) for shape in ((3, 65), (65, 4)))
    c = LADDER[name](a, b)
    assert c.device == a.device
    assert ((c.cpu().double() - a.cpu().double() @ b.cpu().double()).abs() <= error_bound(a, b)).all()


def test_pretended():
    "It refuses what a GPU does, and nothing else."
    with pretended():
        x, y = torch.ones(3, 3).to(THERE), torch.ones(3, 3)
        for mixed in lambda: x + y, lambda: x @ y, lambda: torch.cat([x, y]), lambda: y.masked_fill(x > 0, 0), lambda: y[x.long()]:
            with pytest.raises(RuntimeError, match='gets tensors on two devices'): mixed()
        for array in x.numpy, lambda: np.asarray(x):
            with pytest.raises(TypeError, match='becomes no array'): array()
        for double in x.double, lambda: x.to(torch.float64), lambda: torch.zeros(3, device=THERE, dtype=torch.float64), lambda: y.double().to(x.device):
            with pytest.raises(TypeError, match='makes torch.float64'): double()
        with pytest.raises(RuntimeError, match='generator of its own'): torch.randn(3, device=THERE, generator=torch.Generator())
        assert {t.device for t in (x, x.T, x[0], x + 1, 2 * x, x.relu(), y.to(x), torch.tensor([1.], device=x.device), torch.zeros_like(x), x + torch.tensor(1.))} == {THERE}
        assert {t.device for t in (y, x.cpu(), x.to('cpu'), x.cpu().double(), torch.zeros(2), y.copy_(x))} == {torch.device('cpu')}
        assert x[torch.tensor([0, 1])].device == THERE and x.cpu().numpy().sum() == x.sum().item() == 9


def test_check_grads_takes_differences_on_the_cpu():
    with pretended():
        x, w = torch.randn(4, 3).to(THERE), torch.randn(3, 2).to(THERE)
        assert check_grads(torch.matmul, lambda x, w, g: (g @ w.T, x.T @ g), x, w).ok
