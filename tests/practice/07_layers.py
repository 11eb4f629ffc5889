"Wrong answers to the tasks of lesson 7 with words that the report must say, and right ones written in another way."
import torch
from torch import nn


class KeepsInput:
    def __call__(self, x):
        self.x = x
        return torch.tanh(x)
    def backward(self, y_grad): return y_grad - y_grad * self.x * self.x

class NotSquared:
    def __call__(self, x):
        self.y = torch.tanh(x)
        return self.y
    def backward(self, y_grad): return y_grad - y_grad * self.y

class NoUpstream(NotSquared):
    def backward(self, y_grad): return 1 - self.y**2

class Twice(NotSquared):
    def backward(self, y_grad): return y_grad / self.y.cosh()**2

class First(NotSquared):
    def __call__(self, x):
        if not hasattr(self, 'y'): self.y = x.tanh()
        return x.tanh()
    def backward(self, y_grad): return y_grad * (1 - self.y.square())

class AnotherTanh:
    def __call__(self, x):
        self.slope = 1 / x.cosh()**2
        return x.tanh()
    def backward(self, y_grad): return self.slope * y_grad


class Base(nn.Module):
    hold, scale_as, act = nn.ModuleList, nn.Parameter, staticmethod(torch.relu)
    def __init__(self, sizes):
        super().__init__()
        self.scale = type(self).scale_as(torch.ones(1))
        self.layers = type(self).hold([nn.Linear(*pair) for pair in zip(sizes[:-1], sizes[1:])])
    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = layer(self.act(x) if i else x)
        return self.scale * x

class StillAList(Base): hold = list
class ScaleLost(Base): scale_as = nn.Buffer
class NothingFound(Base):
    hold = tuple
    scale_as = torch.clone
class NoReLU(Base): act = staticmethod(lambda x: x)

class AsSequential(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        linears = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]
        self.net = nn.Sequential(*[m for layer in linears for m in (layer, nn.ReLU())][:-1])
    def forward(self, x): return self.net(x) * self.scale


class Skip:
    def __init__(self, layers): self.layers = layers
    def __call__(self, x):
        y = x
        for layer in self.layers: y = layer(y)
        return y + x
    def backward(self, y_grad):
        grad, self.grads = y_grad, []
        for layer in self.layers[::-1]:
            grad = layer.backward(grad)
            self.grads = [*layer.grads, *self.grads]
        return self.back(grad, y_grad)
    def back(self, grad, y_grad): return grad + y_grad

class OneWayBack(Skip):
    def back(self, grad, y_grad): return grad

class Around(Skip):
    def back(self, grad, y_grad): return y_grad

class NoSkip(Skip):
    def __call__(self, x): return super().__call__(x) - x

class BackwardOrder(Skip):
    def back(self, grad, y_grad):
        self.grads = [g for layer in self.layers[::-1] for g in layer.grads]
        return grad + y_grad

class LastOnly(Skip):
    def back(self, grad, y_grad):
        self.grads = self.layers[-1].grads
        return grad + y_grad


def equal_parts(grads, rows): return torch.stack(grads).mean(0)
def added(grads, rows): return torch.stack(grads).sum(0)
def not_divided(grads, rows): return torch.einsum('i,i...->...', torch.tensor(rows, dtype=grads[0].dtype, device=grads[0].device), torch.stack(grads))
def inverse(grads, rows): return sum(g.div(n) for g, n in zip(grads, rows))
def add_to_first(grads, rows):
    for g, n in zip(grads, rows): g.mul_(n)
    return (grads[0] + grads[1] + grads[2]) / sum(rows)


class Plain(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, strength):
        ctx.by = strength
        return x.clone()
    @staticmethod
    def backward(ctx, y_grad): return y_grad.clone(), None

class OneResult(Plain):
    @staticmethod
    def backward(ctx, y_grad): return y_grad * -ctx.by

class NoStrength(Plain):
    @staticmethod
    def backward(ctx, y_grad): return y_grad.neg(), None

class SameSign(Plain):
    @staticmethod
    def backward(ctx, y_grad): return y_grad * ctx.by, None

class ForwardToo(Plain):
    @staticmethod
    def forward(ctx, x, strength):
        ctx.by = strength
        return x * -strength
    @staticmethod
    def backward(ctx, y_grad): return -ctx.by * y_grad, None

class Right(Plain):
    @staticmethod
    def backward(ctx, y_grad): return y_grad.mul(-1).mul(ctx.by), None


class NotDoubled(nn.Module):
    def forward(self, x): return torch.bernoulli(torch.full_like(x, .5)) * x if self.training else x

class Always(nn.Module):
    def forward(self, x): return nn.functional.dropout(x, .5)

class Fixed(nn.Module):
    def forward(self, x):
        if not self.training: return x
        return 2 * x * (torch.rand(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype) < .5)

class HalfPrediction(nn.Module):
    def forward(self, x): return 2 * x * torch.bernoulli(torch.full_like(x, .5)) if self.training else x / 2

class WholeColumns(nn.Module):
    def forward(self, x): return x * 2 * torch.bernoulli(torch.full_like(x[0], .5)) if self.training else x

class OtherShare(nn.Module):
    def forward(self, x): return torch.where(torch.rand_like(x) < .9, 2 * x, 0 * x) if self.training else x

class ByBernoulli(nn.Module):
    def forward(self, x):
        if self.training: return x * torch.bernoulli(torch.full_like(x, .5)) / .5
        return x


WRONG = {
    '07.1': [(KeepsInput, 'takes the input for the output'), (NotSquared, 'not squared'), (NoUpstream, '`y_grad` is missing'), (Twice, 'is wrong in'), (First, 'first call')],
    '07.2': [(StillAList, 'is a parameter not registered?'), (ScaleLost, 'is a parameter not registered?'), (NothingFound, 'is a parameter not registered?'), (NoReLU, 'ReLU between the layers is missing')],
    '07.3': [(OneWayBack, 'add `y_grad`'), (Around, 'path through the layers is missing'), (NoSkip, 'missing in the forward pass'), (BackwardOrder, 'in the order of the backward pass'),
             (LastOnly, '4 results instead of 6')],
    '07.4': [(equal_parts, 'count the same'), (added, 'each part in full'), (not_divided, 'division by all rows is missing'), (inverse, 'upside down'), (add_to_first, 'changes its argument')],
    '07.5': [(Plain, 'comes back as it is'), (OneResult, '`None` for the strength'), (NoStrength, 'strength is missing'), (SameSign, 'sign'), (ForwardToo, 'leave the numbers as they are')],
    '07.6': [(NotDoubled, 'not doubled'), (Always, 'A prediction drops units'), (Fixed, 'the same in each call'), (HalfPrediction, 'too small by the factor 2'), (WholeColumns, 'Whole columns'),
             (OtherShare, 'another share than half')],
}
OTHER = {
    '07.1': AnotherTanh,
    '07.2': AsSequential,
    '07.3': Skip,
    '07.4': lambda grads, rows: sum(g * (n / sum(rows)) for g, n in zip(grads, rows)),
    '07.5': Right,
    '07.6': ByBernoulli,
}
