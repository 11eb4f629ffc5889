"What only a GPU can show."
import pytest
import torch

from fastlesson.matmul import LADDER, error_bound


@pytest.mark.parametrize('name', LADDER)
def test_product(name, device):
    if device.type != 'cuda': pytest.skip('needs a CUDA device: make test-gpu')
    a, b = (torch.randn(*shape, generator=torch.Generator().manual_seed(0)).to(device) for shape in ((3, 65), (65, 4)))
    c = LADDER[name](a, b)
    assert c.device == a.device
    assert ((c.cpu().double() - a.cpu().double() @ b.cpu().double()).abs() <= error_bound(a, b)).all()
