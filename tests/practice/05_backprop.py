"Wrong answers to the tasks of lesson 5 with words that the report must say, and right ones written in another way."
import torch


def relu_like(x, y_grad): return y_grad.masked_fill(x <= 0, 0)
def no_upstream(x, y_grad): return x.sign()
def minus(x, y_grad): return torch.where(x < 0, y_grad, -y_grad) * (x != 0)
def divided(x, y_grad): return y_grad * x / x.abs()

def abs_in_place(x, y_grad):
    y_grad[x < 0] *= -1
    y_grad[x == 0] = 0
    return y_grad

def abs_looped(x, y_grad):
    out = torch.zeros_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            if x[i, j] > 0: out[i, j] = y_grad[i, j]
            elif x[i, j] < 0: out[i, j] = -y_grad[i, j]
    return out


def naive_sigmoid(x, y_grad):
    e = torch.exp(-x)
    return y_grad * e / (1 + e)**2

def sigmoid_alone(x, y_grad):
    y = x.sigmoid()
    return y - y**2

def of_output(x, y_grad): return y_grad * (x - x * x)
def tanh_like(x, y_grad): return y_grad / x.cosh()**2
def sigmoid_float(x, y_grad): return (y_grad * x.sigmoid() * (-x).sigmoid()).float()


def only_target(output, target, weight): return 2 / len(output) * weight * (output - target.unsqueeze(1))
def forgot_two(output, target, weight): return weight[:, None] * (output - target[:, None]) / len(target)
def forgot_n(output, target, weight): return 2 * ((output.squeeze(1) - target) * weight)[:, None]
def both_rows(output, target, weight): return 2 * weight * (output - target) / len(output)
def flat(output, target, weight): return 2 * weight * (output[:, 0] - target) / len(output)
def turned(output, target, weight): return 2 * weight[:, None] * (target[:, None] - output) / len(output)
def inner(output, target, weight): return 2 * ((output[:, 0] - target) * weight * output[:, 0])[:, None] / len(output)


def w_untransposed(x, w, y_grad): return y_grad.matmul(w), x.T @ y_grad, y_grad.sum(dim=0)
def bias_by_outputs(x, w, y_grad): return y_grad @ w.T, x.T @ y_grad, y_grad @ y_grad.new_ones(y_grad.shape[1])
def means(x, w, y_grad): return y_grad @ w.T, (y_grad.T @ x).T / x.shape[0], y_grad.sum(0)
def w_turned(x, w, y_grad): return y_grad @ w.T, y_grad.T @ x, y_grad.sum(0)
def swapped(x, w, y_grad): return x.T @ y_grad, y_grad @ w.T, y_grad.sum(0)
def kept(x, w, y_grad): return y_grad @ w.T, x.T @ y_grad, y_grad.sum(0, keepdim=True)
def two_only(x, w, y_grad): return y_grad @ w.T, x.T @ y_grad

def bias_by_ones(x, w, y_grad): return y_grad @ w.T, x.T @ y_grad, y_grad.T @ torch.ones(len(x))

def rows_looped(x, w, y_grad):
    w_grad = torch.zeros_like(w)
    for a, b in zip(x, y_grad): w_grad = w_grad + torch.outer(a, b)
    return y_grad @ w.T, w_grad, y_grad.sum(0)


def square_without_two(x, w): return x.T @ (x @ w)
def square_by_input(x, w): return 2 * x @ (w @ w.T)
def square_negative(x, w): return -2 * (x.T @ x @ w)
def square_mean(x, w): return 2 * x.T @ x @ w / len(x)


def second_only(x, w, y_grad): return w.T @ x.T @ y_grad
def first_only(x, w, y_grad): return x.T @ (y_grad @ w.T)
def doubled(x, w, y_grad): return w.T @ (x.T @ y_grad) * 2
def twice_without_upstream(x, w, y_grad):
    ones = torch.ones_like(y_grad)
    return x.T @ ones @ w.T + (x @ w).T @ ones


def softmax_diagonal(x, y_grad):
    y = x.softmax(-1)
    return y_grad * (y - y * y)

def softmax_naive(x, y_grad):
    e = x.exp()
    y = e / e.sum(1, keepdim=True)
    return y * (y_grad - (y_grad * y).sum(1, keepdim=True))

def softmax_columns(x, y_grad):
    y = torch.softmax(x, dim=0)
    return y * y_grad - y * (y * y_grad).sum(dim=0)

def softmax_one_term(x, y_grad): return torch.softmax(x, 1).mul(y_grad)

def softmax_not_kept(x, y_grad):
    y = x.softmax(1)
    return y * (y_grad - (y_grad * y).sum(1))


def log_diagonal(x, y_grad): return y_grad - y_grad * x.softmax(1)
def log_fixed(x, y_grad): return y_grad - x.log_softmax(1).exp()
def log_columns(x, y_grad): return y_grad - x.softmax(1) * torch.einsum('ij->j', y_grad)
def log_not_kept(x, y_grad): return y_grad - x.softmax(1) * y_grad.sum(1)
def log_in_place(x, y_grad): return y_grad.sub_(x.softmax(1) * y_grad.sum(1, keepdim=True))
def log_naive(x, y_grad): return y_grad - x.exp() / x.exp().sum(1, keepdim=True) * y_grad.sum(1, keepdim=True)


def norm_constant(x, y_grad): return y_grad / (x.var(1, unbiased=False, keepdim=True) + 1e-5)**.5

def norm_sample(x, y_grad):
    s = (x.var(1, keepdim=True) + 1e-5).sqrt()
    y = (x - x.mean(1, keepdim=True)) / s
    g = y_grad - y_grad.mean(1, keepdim=True)
    return (g - y * (y_grad * y).mean(1, keepdim=True)) / s

def norm_no_scale(x, y_grad):
    s = (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    return y_grad / s - (y_grad / s).mean(1, keepdim=True)

def norm_of(s, mean=torch.mean, scale=torch.mean):
    def grad(x, y_grad, eps=1e-5):
        y = (x - x.mean(1, keepdim=True)) / s(x, eps)
        return (y_grad - mean(y_grad, 1, keepdim=True) - y * scale(y * y_grad, 1, keepdim=True)) / s(x, eps)
    return grad

def biased(x, eps): return (x.var(1, correction=0, keepdim=True) + eps).sqrt()
def norm_sample_constant(x, y_grad, eps=1e-5): return y_grad / (x.var(1, keepdim=True) + eps).sqrt()

def norm_sample_no_scale(x, y_grad, eps=1e-5):
    s = (x.var(1, keepdim=True) + eps).sqrt()
    return (y_grad - y_grad.mean(1, keepdim=True)) / s

norm_sums, norm_one_sum = norm_of(biased, torch.sum, torch.sum), norm_of(biased, scale=torch.sum)
norm_without_eps = norm_of(lambda x, eps: x.std(1, keepdim=True, correction=0))
norm_eps_outside = norm_of(lambda x, eps: x.std(1, keepdim=True, correction=0) + eps)

def norm_columns(x, y_grad):
    s = (x.var(0, correction=0, keepdim=True) + 1e-5).sqrt()
    y = (x - x.mean(0, keepdim=True)) / s
    return (y_grad - y_grad.mean(0, keepdim=True) - y * (y_grad * y).mean(0, keepdim=True)) / s


def deep(x, target, weights, factor=2, mask=True, reverse=True, unsqueeze=True, last=False):
    values = [x]
    for i, w in enumerate(weights):
        z = values[-1] @ w
        values.append(z.clamp(min=0) if i < len(weights) - 1 or last else z)
    g = factor * (values[-1] - (target.unsqueeze(1) if unsqueeze else target)) / x.shape[0]
    grads = []
    for i in range(len(weights) - 1, -1, -1):
        if i < len(weights) - 1 and mask: g = g * (values[i + 1] > 0)
        grads.append(torch.einsum('nd,nh->dh', values[i], g))
        g = g @ weights[i].T
    return grads[::-1] if reverse else grads

def deep_unmasked(x, target, weights): return deep(x, target, weights, mask=False)
def deep_backward_order(x, target, weights): return deep(x, target, weights, reverse=False)
def deep_without_two(x, target, weights): return deep(x, target, weights, factor=1)
def deep_minus(x, target, weights): return deep(x, target, weights, factor=-2)
def deep_last_relu(x, target, weights): return deep(x, target, weights, last=True)
def deep_last_relu_turned(x, target, weights): return deep(x, target, weights, last=True, reverse=False)
def deep_row(x, target, weights): return deep(x, target, weights, unsqueeze=False)
def deep_times_n(x, target, weights): return [len(x) * g for g in deep(x, target, weights)]

def deep_masked_by_output(x, target, weights):
    values = [x]
    for w in weights[:-1]: values.append((values[-1] @ w).relu())
    g, grads = 2 * (values[-1] @ weights[-1] - target[:, None]) / len(x), []
    for h, w in zip(values[::-1], weights[::-1]):
        grads.insert(0, h.T @ g)
        g = (g @ w.T) * (h @ w > 0)
    return grads

def deep_first_only(x, target, weights): return deep(x, target, weights)[:1]


WRONG = {
    '05.1': [(relu_like, 'gradient of a ReLU'), (no_upstream, '`y_grad` is missing'), (minus, 'sign is wrong'), (divided, 'NaN'),
             (abs_in_place, 'changes its argument `y_grad`'), (abs_looped, 'it loops, where whole tensors would do')],
    '05.2': [(naive_sigmoid, 'overflows, or 0 is divided by 0. It goes wrong only with large inputs'), (sigmoid_alone, '`y_grad` is missing'),
             (of_output, 'takes `x` for the output'), (tanh_like, 'gradient of `tanh`'), (sigmoid_float, 'type of the inputs is lost')],
    '05.3': [(only_target, 'weights are still a row'), (forgot_two, 'too small by the factor 2'), (forgot_n, 'too large by the factor `len(output)`'),
             (both_rows, 'A column `(n, 1)` may have met a row'), (flat, 'not their shape'), (turned, 'sign is wrong'), (inner, 'is 1, not $z_i$')],
    '05.4': [(w_untransposed, 'In the gradient of `x`, the weight has to be transposed'), (bias_by_outputs, 'The rows share a bias'),
             (means, 'too small by the factor `len(x)`'), (w_turned, 'transposed'), (swapped, 'what the gradient of `w` should be'),
             (kept, 'not their shape'), (bias_by_ones, 'with float32 it runs. Made with'), (two_only, '2 results instead of 3'), (rows_looped, 'it loops, where whole tensors would do')],
    '05.5': [(square_without_two, 'too small by the factor 2'), (square_by_input, 'with respect to `x`'), (square_negative, 'sign is wrong'),
             (square_mean, 'too small by the factor `len(x)`')],
    '05.6': [(second_only, 'Only the path through the second'), (first_only, 'Only the path through the first'), (doubled, 'taken to be the same'),
             (twice_without_upstream, '`y_grad` is missing')],
    '05.7': [(softmax_diagonal, 'Only the diagonal'), (softmax_naive, 'overflows'), (softmax_columns, 'runs over the columns'),
             (softmax_one_term, 'second term is missing'), (softmax_not_kept, 'has to keep its dimension')],
    '05.8': [(log_diagonal, 'reaches every output'), (log_fixed, 'sums to 1'), (log_columns, 'sum runs over the rows'), (log_naive, 'overflows'),
             (log_not_kept, 'keep its dimension: `keepdim=True`'), (log_in_place, 'The numbers are right, but it changes its argument `y_grad`')],
    '05.9': [(norm_constant, 'taken for constants'), (norm_sample, 'd − 1'), (norm_no_scale, 'path through the standard deviation'),
             (norm_columns, 'wrong axis'), (norm_sample_constant, 'two of the three paths are missing. The variance divides by d − 1'),
             (norm_sample_no_scale, 'standard deviation is missing. The variance divides by d − 1'), (norm_sums, 'both are sums'), (norm_one_sum, 'factor 1/d'),
             (norm_without_eps, 'is `2.3378`, and should be `2.3377`'), (norm_eps_outside, 'added to the variance')],
    '05.10': [(deep_unmasked, 'pass the ReLUs'), (deep_backward_order, 'last layer first'), (deep_without_two, 'too small by the factor 2'),
              (deep_minus, 'sign is wrong'), (deep_first_only, '1 result instead of 2'),
              (deep_last_relu, 'A ReLU comes after the last layer, too:'), (deep_last_relu_turned, 'last layer first. A ReLU comes after the last layer'),
              (deep_row, 'their difference is `(n, n)`'), (deep_masked_by_output, 'Here its output is asked'),
              (deep_times_n, 'The same holds for the gradient of `weights[1]`, the gradient of `weights[2]` and the gradient of `weights[3]`.')],
}
OTHER = {
    '05.1': lambda x, y_grad: torch.where(x > 0, y_grad, -y_grad).masked_fill(x == 0, 0),
    '05.2': lambda x, y_grad: torch.sigmoid(x) * torch.sigmoid(-x) * y_grad,
    '05.3': lambda output, target, weight: (2 / len(target) * weight * (output[:, 0] - target)).unsqueeze(1),
    '05.4': lambda x, w, y_grad: (torch.einsum('nh,dh->nd', y_grad, w), (y_grad.T @ x).T, y_grad.T @ x.new_ones(len(x))),
    '05.5': lambda x, w: 2 * (x.T @ x) @ w,
    '05.6': lambda x, w, y_grad: w.T @ x.T @ y_grad + x.T @ y_grad @ w.T,
    '05.7': lambda x, y_grad: (y := x.log_softmax(-1).exp()) * y_grad - y * torch.einsum('nd,nd->n', y, y_grad)[:, None],
    '05.8': lambda x, y_grad: y_grad - torch.einsum('nd,ne->nd', x.softmax(-1), y_grad),
    '05.9': lambda x, y_grad: torch.func.vjp(lambda x: torch.nn.functional.layer_norm(x, x.shape[1:]), x)[1](y_grad)[0],
    '05.10': deep,
}
