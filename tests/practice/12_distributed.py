"Wrong answers to the tasks of lesson 12 with words that the report must say, and right ones written in another way."
import torch


def in_place(grads, rows):
    total = grads[0]
    total *= rows[0]
    for g, n in zip(grads[1:], rows[1:]): total += g * n
    return total / sum(rows)

def whole_shares(grads, rows): return sum(g * (n // sum(rows)) for g, n in zip(grads, rows))
def by_ranks(grads, rows): return (grads * torch.tensor(rows, device=grads.device)[:, None, None]).mean(0)
def einsum_mean(grads, rows):
    shares = torch.tensor(rows, dtype=grads.dtype, device=grads.device) / sum(rows)
    return torch.einsum('r,rdh->dh', shares, grads)

def bias_with_each(x, w, v, b): return torch.stack([b + torch.clamp(x @ w_r, min=0) @ v_r for w_r, v_r in zip(w, v)]).sum(0)
def no_bias(x, w, v, b): return torch.relu(x @ torch.cat(w, 1)) @ torch.cat(v)
def late_relu(x, w, v, b): return (x @ torch.cat(w, 1) @ torch.cat(v)).clamp(min=0) + b
def side_by_side(x, w, v, b): return torch.cat([(x @ w_r).relu() @ v_r for w_r, v_r in zip(w, v)], 1) + b
def joined(x, w, v, b): return torch.addmm(b, (x @ torch.cat(w, 1)).clamp(min=0), torch.cat(v))

def one_round(sizes, ranks, alpha, beta):
    time = 0.
    for size in sizes:
        for _ in range(ranks - 1): time += alpha + beta * size / ranks
    return time
def alpha_once(sizes, ranks, alpha, beta): return 2 * (ranks - 1) * alpha + 2 * (ranks - 1) / ranks * sum(sizes) * beta
def whole_bucket(sizes, ranks, alpha, beta): return 2 * (ranks - 1) * (len(sizes) * alpha + sum(sizes) * beta)
def whole_part(sizes, ranks, alpha, beta): return sum(2 * (ranks - 1) * (alpha + size // ranks * beta) for size in sizes)
def counted(sizes, ranks, alpha, beta):
    messages = 2 * (ranks - 1)
    return messages * len(sizes) * alpha + messages / ranks * beta * sum(sizes)


WRONG = {
    '12.1': [(lambda grads, rows: grads.sum(0) / grads.shape[0], 'plain mean'), (by_ranks, 'not by the number of ranks'),
             (whole_shares, 'zero everywhere'), (in_place, 'changes its argument `grads`')],
    '12.2': [(bias_with_each, 'in the output once'), (no_bias, 'bias is missing'), (late_relu, 'after the sum'), (side_by_side, 'It raises')],
    '12.3': [(one_round, '2(p − 1) messages, not p − 1'), (alpha_once, 'the time of one bucket'), (whole_bucket, 'only a p-th'),
             (whole_part, 'wrong in 4 of 5 cases')]}
OTHER = {'12.1': einsum_mean, '12.2': joined, '12.3': counted}
