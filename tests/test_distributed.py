"Many processes: every split equals one process, faults are named in time, nothing is left behind."
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from multiprocessing.connection import Client, Listener
from threading import Thread

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from fastlesson.data import default_device
from fastlesson.distributed import (_load, _save, allreduce_time, column_linear, fit_parallel, main, mean_gradients, ring_all_reduce,
                                    row_linear, shard, spawn, unshard)
from fastlesson.init import init_params
from fastlesson.layers import Linear, Model, ReLU
from fastlesson.train import CrossEntropy, fit

F32, F64 = torch.float32, torch.float64
CUDA = default_device().type == 'cuda'   # make test-gpu: then with NCCL, a GPU for each rank
MOST = min(4, torch.cuda.device_count()) if CUDA else 4


def left(): return [p for p in multiprocessing.active_children() if p.is_alive()]

@pytest.fixture(autouse=True)
def nothing_left(pool):
    before = len(left())
    yield
    assert len(left()) == before


def moved(x, device):
    "A tensor, or all tensors in a tuple or list, on another device."
    if isinstance(x, torch.Tensor): return x.to(device)
    return type(x)(moved(v, device) for v in x) if type(x) in (tuple, list) else x

def serve(rank, address):
    "In each process of the pool: run what is asked for, in the group of the first so many ranks."
    if CUDA: torch.cuda.set_device(rank)
    groups = [dist.new_group(range(size), backend='nccl' if CUDA else 'gloo') for size in range(1, dist.get_world_size() + 1)]
    device = torch.device('cuda', rank) if CUDA else torch.device('cpu')
    with Client(address, authkey=b'pool') as pipe:
        pipe.send(rank)
        while (job := pipe.recv()) is not None:
            fn, size, args = job
            try: pipe.send((moved(fn(groups[size - 1], *moved(args, device)), 'cpu'), None))
            except Exception as e: pipe.send((None, e))


@pytest.fixture(scope='module')   # not the session: lesson 12 counts the processes that are left
def pool():
    "Call it with fn, a world size and arguments: fn(group, *args) in that many of up to four processes that live as long as the tests."
    with Listener(authkey=b'pool') as listener:
        def serve_all():
            try: spawn(serve, MOST, listener.address, timeout=600.)
            except RuntimeError as e:
                print(e, file=sys.stderr)
                Client(listener.address, authkey=b'pool').close()   # wake who waits for a rank that never comes
        thread = Thread(target=serve_all, daemon=True)
        thread.start()
        pipes = {}
        for _ in range(MOST):
            pipe = listener.accept()
            pipes[pipe.recv()] = pipe
        def call(fn, size, *args):
            for rank in range(size): pipes[rank].send((fn, size, args))
            answers = [pipes[rank].recv() for rank in range(size)]
            for _, error in answers:
                if error: raise error
            return [result for result, _ in answers]
        yield call
        for pipe in pipes.values(): pipe.send(None)
        thread.join(20)
        assert not thread.is_alive()


def randn(seed, *shape, dtype=F64): return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))
def near(dtype): return dict(rtol=0, atol=200 * torch.finfo(dtype).eps)   # sums of at most some twenty terms of size one, twice

sizes, ranks, dtypes = st.integers(1, 12), st.integers(1, MOST), st.sampled_from([F32, F64])
many = settings(max_examples=25, deadline=None, derandomize=True)


def there_and_back(group, x, dim): return unshard(shard(x, dim, group), dim, group)

@many
@given(ranks, sizes, sizes, dtypes, st.integers(0, 1))
def test_shard_unshard(pool, p, n, d, dtype, dim):
    x = randn(0, n, d, dtype=dtype)
    for back in pool(there_and_back, p, x, dim): assert torch.equal(back, x)


def counted_ring(group, shape, dtype):
    sent, talk = [], dist.batch_isend_irecv
    def count(ops): sent.extend(op.tensor.nbytes for op in ops if op.op is dist.isend); return talk(ops)
    dist.batch_isend_irecv = count
    try: x = moved(randn(dist.get_rank(group), *shape, dtype=dtype), 'cuda' if CUDA else 'cpu'); return ring_all_reduce(x, group), sent, x
    finally: dist.batch_isend_irecv = talk

@many
@given(ranks, st.lists(sizes, max_size=3), dtypes)
def test_ring(pool, p, shape, dtype):
    "The sum, and 2(p − 1)/p of the bytes from each rank (on average, where the parts differ)."
    answers = pool(counted_ring, p, shape, dtype)
    right = sum(randn(rank, *shape, dtype=dtype) for rank in range(p))
    for got, _, x in answers:
        assert_close(got, right, **near(dtype))
        assert torch.equal(got, answers[0][0])   # the same bits everywhere
    assert sum(sum(sent) for _, sent, _ in answers) == 2 * (p - 1) * right.numel() * right.element_size()
    if right.numel() % p == 0: assert {sum(sent) for _, sent, _ in answers} == {2 * (p - 1) * right.numel() // p * right.element_size()}


def split_mean(group, x, t, w):
    mine, target = shard(x, group=group), shard(t, group=group)
    w = w.clone().requires_grad_()
    grad, = torch.autograd.grad(F.mse_loss(mine @ w, target), w) if len(mine) else (torch.full_like(w, float('nan')),)
    return mean_gradients([grad, grad[0]], len(mine), group)

@many
@given(ranks, sizes, sizes, sizes, dtypes)
def test_mean_gradients(pool, p, n, d, h, dtype):
    x, t, w = (randn(k, *s, dtype=dtype) for k, s in enumerate(((n, d), (n, h), (d, h))))
    w.requires_grad_()
    right, = torch.autograd.grad(F.mse_loss(x @ w, t), w)
    for grads in pool(split_mean, p, x, t, w.detach()):
        assert_close(grads, [right, right[0]], rtol=0, atol=200 * torch.finfo(dtype).eps * max(1, right.abs().max().item()))


def split_layers(group, x, w1, b1, w2, b2, y_grad):
    x, b2, *mine = (v.clone().requires_grad_() for v in (x, b2, shard(w1, 1, group), shard(b1, 0, group), shard(w2, 0, group)))
    y = row_linear(column_linear(x, mine[0], mine[1], group).relu(), mine[2], b2, group)
    x_grad, b2_grad, w1_grad, b1_grad, w2_grad = torch.autograd.grad(y, [x, b2, *mine], y_grad)
    return y.detach(), x_grad, unshard(w1_grad, 1, group), unshard(b1_grad, 0, group), unshard(w2_grad, 0, group), b2_grad

def check_layers(pool, p, n, d, h, m, dtype):
    tensors = [randn(k, *s, dtype=dtype).requires_grad_() for k, s in enumerate(((n, d), (d, h), (h,), (h, m), (m,)))]
    x, w1, b1, w2, b2 = tensors
    y_grad, y = randn(9, n, m, dtype=dtype), (x @ w1 + b1).relu() @ w2 + b2
    right = y.detach(), *torch.autograd.grad(y, tensors, y_grad)
    for got in pool(split_layers, p, *(t.detach() for t in tensors), y_grad):
        for a, b in zip(got, right): assert_close(a, b, rtol=0, atol=500 * torch.finfo(dtype).eps * max(1, b.abs().max().item()))

@many
@given(ranks, sizes, sizes, sizes, sizes, dtypes)
def test_column_then_row(pool, p, n, d, h, m, dtype): check_layers(pool, p, n, d, h, m, dtype)

@pytest.mark.parametrize('p, n, h', [(p, 7, 50) for p in (4, 3) if p <= MOST])
def test_uneven(pool, p, n, h): check_layers(pool, p, n, 20, h, 10, F64)


def network(device='cpu'):
    w1, b1, w2, b2 = (p.double().to(device) for p in init_params(20, 9, 4, generator=torch.Generator().manual_seed(0)))
    return Model([Linear(w1, b1, input_grad=False), ReLU(), Linear(w2, b2)], CrossEntropy())

def fitted(group, data, checkpoint=None, epochs=3, fit=fit_parallel):
    model, kw = network(data[0].device), {} if group is None else {'group': group, 'checkpoint': checkpoint}
    return fit(model, *data, epochs=epochs, batch_size=10, **kw), [p.clone() for p in model.params]

def made_up(n=43):   # the last batch has three rows: too few for four ranks
    x, t = randn(1, n, 20), torch.randint(4, (n,), generator=torch.Generator().manual_seed(2))
    return x, t, x[:15], t[:15]

@pytest.mark.parametrize('p', range(1, MOST + 1))
def test_fit_parallel(pool, p):
    right, params = fitted(None, made_up(), fit=fit)
    for history, ours in pool(fitted, p, made_up()):
        assert_close(history.loss, right.loss, rtol=0, atol=1e-10)
        assert history.accuracy == right.accuracy
        assert_close(ours, params, rtol=0, atol=1e-10)


def test_goes_on_from_a_checkpoint(pool, tmp_path):
    "With another number of processes, to the same bits of a training without a break or to rounding."
    right = fitted(None, made_up(), fit=fit)
    pool(fitted, min(2, MOST), made_up(), tmp_path/'c', 2)
    for answer in pool(fitted, min(3, MOST), made_up(), tmp_path/'c', 3): assert_close(list(answer[1]), right[1], rtol=0, atol=1e-10)
    assert_close(answer[0].loss, right[0].loss, rtol=0, atol=1e-10)
    assert {f.name for f in tmp_path.iterdir()} == {'c', 'c.old'}

def cut(file): file.write_bytes(file.read_bytes()[:-100])
def ours_not(file): torch.save({'hello': 1}, file)
def wrong_size(file):
    state = torch.load(file)
    torch.save(state | {'params': state['params'][::-1]}, file)
def pickled(file): torch.save({'epoch': os.system}, file)

@pytest.mark.parametrize('spoil, message', [(cut, 'c'), (ours_not, 'no checkpoint of fit_parallel'), (wrong_size, 'shapes'), (pickled, 'c')])
def test_spoilt_checkpoint(pool, tmp_path, spoil, message):
    file, params = tmp_path/'c', network().params
    assert _load(file, params) is None
    pool(fitted, 1, made_up(), file, 2)
    spoil(file)
    with pytest.warns(match=message): assert _load(file, params)['epoch'] == 1   # the last good one
    spoil(tmp_path/'c.old') if spoil is cut else ours_not(tmp_path/'c.old')
    with pytest.raises(ValueError, match=f'no checkpoint can be used.*{file.name}'): _load(file, params)

def test_a_kill_while_saving_loses_nothing(tmp_path, monkeypatch):
    file, state = tmp_path/'c', {'epoch': 1, 'order': 0, 'params': [], 'velocity': [], 'loss': [], 'accuracy': []}
    params = [torch.zeros(1)]
    state |= {'params': params, 'velocity': params}
    _save(file, state)
    for name in ('fsync', 'replace'):   # killed before the first, and before the second renaming
        for nth in range(1 + (name == 'replace')):
            calls, real = [], getattr(os, name)
            def dies(*args):
                calls.append(args)
                if len(calls) > nth: raise KeyboardInterrupt
                return real(*args)
            with monkeypatch.context() as m:
                m.setattr(os, name, dies)
                with pytest.raises(KeyboardInterrupt): _save(file, state | {'epoch': 2})
            assert _load(file, params)['epoch'] == 1


def raises(rank):
    if rank == 1: raise KeyError('the reason')
    dist.barrier()
def leaves(rank):
    if rank == 1: os._exit(3)
    dist.barrier()
def is_killed(rank):
    if rank == 1: os.kill(os.getpid(), signal.SIGKILL)
    dist.barrier()
def loops(rank):
    while rank == 1: time.sleep(.01)
    dist.barrier()
def other_shape(rank): dist.all_reduce(torch.zeros(1000 + 1000 * rank))
def other_size_of_parts(rank): dist.all_gather([torch.zeros(2), torch.zeros(2)], torch.zeros(2 + rank))

@pytest.mark.parametrize('fn, timeout, message', [(raises, 20., r"rank 1 of 2 failed \(raised\):(.|\n)*in raises(.|\n)*KeyError: 'the reason'"),
    (leaves, 20., r'rank 1 of 2 failed \(died\):\n.*exit code 3'), (is_killed, 20., r'rank 1 of 2 failed \(died\):\n.*exit code -9'),
    (loops, 4., r'ranks \[0, 1\] of 2 failed \(hung\):\n.*within 4 s(.|\n)*in loops'),
    (other_shape, 20., r'rank [01] of 2 failed \(died\):\n.*exit code -6'), (other_size_of_parts, 20., r'rank 1 of 2 failed \(raised\)(.|\n)*invalid tensor size')],
    ids=lambda x: getattr(x, '__name__', ''))
def test_faults(fn, timeout, message):
    begin = time.monotonic()
    with pytest.raises(RuntimeError, match=message): spawn(fn, 2, timeout=timeout)
    assert time.monotonic() - begin < timeout + 3

def addresses(rank):
    "Where this process's sockets listen or are connected, in hexadecimal."
    dist.barrier()
    mine = {os.stat(f'/proc/self/fd/{n}').st_ino for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}')}
    lines = [line.split() for name in ('tcp', 'tcp6') for line in open(f'/proc/self/net/{name}').readlines()[1:]]
    return [words[1] for words in lines if int(words[9]) in mine]

@pytest.mark.skipif(not os.path.exists('/proc/self/net/tcp'), reason='reads /proc')
def test_loopback_only():
    found = spawn(addresses, 2)
    assert all(found) and all(a.startswith('0100007F') for a in sum(found, [])), found   # 127.0.0.1

def test_functions_of_a_notebook():
    scale = 3   # a local function can't be imported by another process
    assert spawn(lambda rank, y: (rank, scale * y), 2, 5) == [(0, 15), (1, 15)]

def test_refused():
    with pytest.raises(ValueError, match='world_size is 0'): spawn(loops, 0)
    with pytest.raises(ValueError, match='ranks is 0'): allreduce_time(8, 0, 1, 1)

def test_processes_end_with_their_parent(tmp_path):
    "Kill whoever called spawn: its processes end too."
    script = tmp_path/'s.py'
    script.write_text('import os, sys, time\nfrom fastlesson.distributed import spawn\ndef f(rank):\n'
                      f'    open({str(tmp_path)!r} + f"/{{rank}}", "w").write(str(os.getpid()))\n    time.sleep(60)\n'
                      'if __name__ == "__main__": spawn(f, 2)\n')
    parent = subprocess.Popen([sys.executable, script])
    try:
        end = time.monotonic() + 60
        while not all((tmp_path/str(r)).exists() and (tmp_path/str(r)).read_text() for r in (0, 1)):
            assert time.monotonic() < end and parent.poll() is None
            time.sleep(.1)
    finally: parent.kill(); parent.wait()
    pids, end = [int((tmp_path/str(r)).read_text()) for r in (0, 1)], time.monotonic() + 10
    def alive(pid):
        try: return open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[0] != 'Z'
        except OSError: return False
    while any(map(alive, pids)):
        assert time.monotonic() < end
        time.sleep(.1)


@pytest.fixture
def alone(monkeypatch):
    "As torchrun sets the environment for a single rank, on a port that is free."
    with socket.create_server(('127.0.0.1', 0)) as s: port = s.getsockname()[1]
    for name, value in {'RANK': 0, 'WORLD_SIZE': 1, 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': port}.items(): monkeypatch.setenv(name, str(value))
    return port

@pytest.mark.parametrize('name', ['RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'])
def test_missing_variable(alone, monkeypatch, capsys, name):
    monkeypatch.delenv(name)
    with pytest.raises(SystemExit): main([])
    assert f'{name} not set: torchrun sets them' in capsys.readouterr().err

def test_port_in_use(alone):
    begin = time.monotonic()
    with socket.create_server(('127.0.0.1', alone)), pytest.raises(RuntimeError, match='in use'): main(['--timeout', '5'])
    assert time.monotonic() - begin < 5

@pytest.mark.parametrize('gpus, world, here, chosen', [
    (2, 2, {'LOCAL_WORLD_SIZE': '2', 'LOCAL_RANK': '1'}, ['cuda:1', 'nccl']), (2, 4, {'LOCAL_WORLD_SIZE': '2', 'LOCAL_RANK': '0'}, ['cuda:0', 'nccl']),   # half of the processes are elsewhere
    (1, 2, {'LOCAL_WORLD_SIZE': '2', 'LOCAL_RANK': '1'}, ['gloo']), (0, 1, {}, ['gloo']), (1, 1, {}, ['cuda:0', 'nccl']), (1, 2, {}, ['gloo'])])
def test_a_gpu_for_each_process_here_or_none(alone, monkeypatch, gpus, world, here, chosen):
    "Processes of this machine take a GPU each, by their number here; where there are too few, all take the CPU."
    class Chosen(Exception): pass
    seen = []
    def join(backend, **_):
        seen.append(backend)
        raise Chosen
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: gpus)
    monkeypatch.setattr(torch.cuda, 'set_device', lambda device: seen.append(str(device)))
    monkeypatch.setattr(dist, 'rendezvous', lambda *_, **__: iter([(dist.HashStore(), 0, world)]))
    monkeypatch.setattr(dist, 'init_process_group', join)
    for name, value in here.items(): monkeypatch.setenv(name, value)
    with pytest.raises(Chosen): main([])
    assert seen == chosen

def test_torchrun_starts_again(tmp_path):
    "Rank 0 dies while it writes the second checkpoint; torchrun starts both ranks again, and they go on from the first."
    (tmp_path/'sitecustomize.py').write_text("""import os
if os.environ.get('RANK') == '0' and os.environ['TORCHELASTIC_RESTART_COUNT'] == '0':
    fsync, calls = os.fsync, []
    def dies(file):
        calls.append(file)
        if len(calls) == 2:
            open(os.path.dirname(__file__) + '/died', 'w').close()
            os._exit(1)
        fsync(file)
    os.fsync = dies
""")
    env = {k: v for k, v in os.environ.items() if k not in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')}
    env |= {'FASTLESSON_DATASET': 'digits', 'PYTHONPATH': os.pathsep.join([str(tmp_path), *sys.path])}
    start = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2', '--max-restarts', '1', '-m', 'fastlesson.distributed']
    done = subprocess.run([*start, '--epochs', '2', '--checkpoint', tmp_path/'c'], env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 and '2 processes, 2 epochs: ' in done.stdout, done.stderr
    one, two = (torch.load(tmp_path/name) for name in ('c.old', 'c'))
    assert (one['epoch'], two['epoch']) == (1, 2) and two['loss'][:len(one['loss'])] == one['loss']   # the first epoch wasn't done again
    assert (tmp_path/'died').exists()

@pytest.mark.skipif(not CUDA, reason='needs a CUDA device: make test-gpu')
def test_command_on_a_gpu(alone, monkeypatch, capsys):
    monkeypatch.setenv('FASTLESSON_DATASET', 'digits')
    main(['--epochs', '1'])
    assert '1 processes, 1 epochs' in capsys.readouterr().out
