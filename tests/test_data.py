"Files that are cut off, servers that fail, and two readers at once: `_mnist` returns the right data or names the fault."
import gzip
import hashlib
import multiprocessing
import os
import signal
import struct
import tempfile
import threading
import time
import tracemalloc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import prod
from pathlib import Path
from urllib.parse import unquote

import pytest
import torch

from fastlesson import data


def idx(shape, numbers=None):
    "An IDX file of bytes."
    largest = 10 if len(shape) == 1 else 251   # labels are digits
    return struct.pack(f'>4B{len(shape)}i', 0, 0, 8, len(shape), *shape) + bytes(i % largest for i in range(prod(shape) if numbers is None else numbers))


SHAPES = dict(zip(data.MNIST, [(60, 28, 28), (60,), (10, 28, 28), (10,)]))
FILES = {name: gzip.compress(idx(shape)) for name, shape in SHAPES.items()}
NAME = next(iter(FILES))


@pytest.fixture(autouse=True)
def small_mnist(monkeypatch, tmp_path):
    "MNIST is four small files, the cache is a fresh folder, and nothing is set in the environment."
    monkeypatch.setattr(data, 'MNIST', {n: (SHAPES[n], hashlib.sha256(f).hexdigest()) for n, f in FILES.items()})
    monkeypatch.setattr(data.pooch, 'os_cache', lambda name: tmp_path/'cache')
    monkeypatch.setattr(data, 'TIMEOUT', .5)
    for variable in ('FASTLESSON_DATA', 'FASTLESSON_DATASET'): monkeypatch.delenv(variable, raising=False)


class Server(BaseHTTPRequestHandler):
    "Serves FILES well under /good/, and badly in the way that the first part of the path says."
    halfway = threading.Event()
    def log_message(self, *args): pass
    def do_GET(self):
        how, name = unquote(self.path).strip('/').split('/')
        body = FILES[name]
        if how == 'missing': return self.send_error(404)
        if how == 'silent': return time.sleep(1.5)
        if how == 'drips': body = body[:1] * 1000
        if how == 'endless': body *= 1000
        if how == 'wrong': body = body[:-1] + bytes([body[-1] ^ 1])
        self.send_response(200)
        for i in range(20 if how == 'drips before' else 0):   # a header now and then
            self.send_header(f'Header-{i}', 'more')
            self.flush_headers()
            time.sleep(.05)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if how in ('cut', 'slow'):
            self.wfile.write(body[:len(body)//2])
            self.wfile.flush()
            if how == 'slow':
                self.halfway.set()
                time.sleep(.4)
        elif how == 'drips':
            for i in range(20):   # a little now and then is not silence
                self.wfile.write(body[50*i:50*i+50])
                time.sleep(.05)
        else: self.wfile.write(body)


@pytest.fixture
def serve(monkeypatch):
    "Make the mirrors serve in the given ways."
    server = ThreadingHTTPServer(('127.0.0.1', 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield lambda *ways: monkeypatch.setattr(data, 'MIRRORS', [f'http://127.0.0.1:{server.server_port}/{way}/' for way in ways])
    server.shutdown()


def check(tensors):
    for tensor, file in zip(tensors, FILES.values(), strict=True):
        assert tensor.flatten().tolist() == list(gzip.decompress(file)[-tensor.numel():])


@pytest.mark.parametrize('content, fault', [
    (gzip.compress(idx((3, 2)), mtime=0)[:-9], 'cut off or damaged'),
    (b'\x1f\x8b' + bytes(30), 'cut off or damaged'),
    (b'', 'not an IDX file'),
    (b'<html>Moved</html>', "not an IDX file of bytes: it starts with '3c 68 74'"),
    (struct.pack('>4Bi', 0, 0, 13, 1, 1) + bytes(4), 'not an IDX file of bytes'),   # floats
    (idx((3, 2))[:6], r'impossible shape, \(0, 0\)'),   # cut off within the header
    (b'\0\0\x08', 'impossible shape'),
    (idx(()), 'impossible shape'),
    (idx((0, 28, 28)), r'impossible shape, \(0, 28, 28\)'),
    (struct.pack('>4B3i', 0, 0, 8, 3, -2, -3, 4) + bytes(24), r'impossible shape, \(-2, -3, 4\)'),   # their product is right
    (idx((3, 2), 5), r'promises 6 numbers, shape \(3, 2\), and holds 5'),
    (idx((3, 2), 7), 'holds more'),
    (gzip.compress(idx((3, 2)) + bytes(50_000_000)), 'holds more'),   # unpacked no further than promised
    (struct.pack('>4B2i', 0, 0, 8, 2, 2**30, 2**30) + bytes(3), r'impossible shape, \(1073741824')])
def test_bad_file(tmp_path, content, fault):
    path = tmp_path/'file'
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(ValueError, match=fault) as e: data.read_idx(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(path) in str(e.value) and most < 5_000_000


def test_folder(tmp_path, monkeypatch):
    monkeypatch.setenv('FASTLESSON_DATA', str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f'FASTLESSON_DATA is .*no {NAME}'): data.load_data()
    for name, file in FILES.items(): (tmp_path/name).write_bytes(file)
    check(data._mnist())
    (tmp_path/NAME).rename(tmp_path/'unpacked')
    (tmp_path/NAME.removesuffix('.gz')).write_bytes(gzip.decompress((tmp_path/'unpacked').read_bytes()))
    check(data._mnist())
    (tmp_path/NAME).write_bytes(gzip.compress(idx((60, 27, 28))))
    with pytest.raises(ValueError, match=r'holds numbers of shape \(60, 27, 28\), and MNIST'): data._mnist()


@pytest.mark.parametrize('called', [lambda name: name, lambda name: name.removesuffix('.gz').replace('-idx', '.idx')], ids=['original', 'kaggle'])
def test_home_folder(tmp_path, monkeypatch, called):
    "`~` is the user's home, Kaggle's names are known, and a folder that is called like a file is no file."
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('USERPROFILE', str(tmp_path))
    monkeypatch.setenv('FASTLESSON_DATA', '~/mnist')
    for name, file in FILES.items():
        path = tmp_path/'mnist'/called(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(file if path.suffix == '.gz' else gzip.decompress(file))
        if path.suffix != '.gz': (path.parent/name.removesuffix('.gz')).mkdir()
    check(data._mnist())


def test_labels_above_nine(tmp_path, monkeypatch):
    monkeypatch.setenv('FASTLESSON_DATA', str(tmp_path))
    for name, file in FILES.items(): (tmp_path/name).write_bytes(file)
    labels = tmp_path/list(FILES)[1]
    labels.write_bytes(gzip.compress(idx((60,))[:-1] + bytes([10])))
    with pytest.raises(ValueError, match='holds the label .*, and the labels of digits are 0 to 9') as e: data._mnist()
    assert str(labels) in str(e.value)


@pytest.mark.parametrize('way, fault', [('missing', '404'), ('silent', 'timed out'), ('wrong', 'hash'), ('cut', 'IncompleteRead'), ('drips', 'not there after 0.1 seconds'), ('drips before', 'not there after 0.1 seconds'), ('endless', 'more than 40000 bytes')])
def test_bad_server(serve, tmp_path, monkeypatch, way, fault):
    monkeypatch.setattr(data, 'LARGEST', 40_000)
    if 'drips' in way: monkeypatch.setattr(data, 'LONGEST', .1)
    serve(way)
    with pytest.raises(ConnectionError, match=fault) as e: data._mnist()
    assert NAME in str(e.value) and 'FASTLESSON_DATA' in str(e.value)
    assert list((tmp_path/'cache').iterdir()) == []
    monkeypatch.setattr(data, 'LONGEST', 60)
    serve(way, 'good')   # the second mirror helps
    check(data._mnist())


def test_auto(serve, capsys):
    serve('missing')
    assert data.load_data().source == 'digits'
    assert 'FASTLESSON_DATA' in capsys.readouterr().out
    with pytest.raises(ConnectionError): data.load_data('mnist')


def test_damaged_cache_heals(serve, tmp_path):
    serve('good')
    data._mnist()
    (tmp_path/'cache'/NAME).write_bytes(b'rot')
    check(data._mnist())


def test_read_only_cache(serve, monkeypatch):
    serve('good')
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        monkeypatch.setattr(data.pooch, 'os_cache', lambda name: Path(folder))
        user = os.geteuid()
        if user == 0: os.seteuid(65534)   # root may write anywhere: be nobody for a moment
        try:
            with pytest.raises(ConnectionError, match=f'Permission denied.*{folder}'): data._mnist()
        finally: os.seteuid(user)


def fetch_in_process(mirrors, mnist, cache):
    "What another process does: fetch all, and fail if it is not right."
    data.MIRRORS, data.MNIST, data.pooch.os_cache = mirrors, mnist, lambda name: cache
    check(data._mnist())


@pytest.fixture
def process(tmp_path):
    "Start another process that fetches into the same cache. (A fresh one: torch's threads don't survive a fork.)"
    def start():
        new = multiprocessing.get_context('spawn').Process(target=fetch_in_process, args=(data.MIRRORS, data.MNIST, tmp_path/'cache'))
        new.start()
        return new
    return start


def test_two_at_once(serve, process, tmp_path):
    serve('slow', 'good')   # long enough for the two to overlap
    readers = [process(), process()]
    for reader in readers: reader.join(60)
    assert [reader.exitcode for reader in readers] == [0, 0]
    assert sorted(p.name for p in (tmp_path/'cache').iterdir()) == sorted(FILES)


def test_killed_while_fetching(serve, process, tmp_path):
    serve('slow')
    Server.halfway.clear()
    reader = process()
    assert Server.halfway.wait(60)
    os.kill(reader.pid, signal.SIGKILL)
    reader.join(60)
    assert not (tmp_path/'cache'/NAME).exists()
    serve('good')
    check(data._mnist())


def test_choices(monkeypatch):
    with pytest.raises(ValueError, match="'mnits'.*'auto', 'mnist' or 'digits'"): data.load_data('mnits')
    monkeypatch.setenv('FASTLESSON_DATASET', 'imagenet')
    with pytest.raises(ValueError, match='FASTLESSON_DATASET'): data.load_data()
    monkeypatch.setenv('FASTLESSON_DATASET', 'digits')
    images = data.load_data(normalize=False, flat=False, device='cpu')
    assert images.source == 'digits' and images.x_valid.shape == (257, 28, 28) and images.x_train.max() == 1
    rows = data.load_data(device='cpu')
    torch.testing.assert_close(rows.x_test, (images.x_test.flatten(1) - rows.mean) / rows.std)
    monkeypatch.setenv('FASTLESSON_DEVICE', 'meta')
    assert data.default_device() == torch.device('meta')
    monkeypatch.setenv('FASTLESSON_DEVICE', 'bogus')
    with pytest.raises(ValueError, match="FASTLESSON_DEVICE is 'bogus'"): data.load_data('digits')
    monkeypatch.setenv('FASTLESSON_DEVICE', 'xpu' if torch.cuda.is_available() else 'cuda')
    with pytest.raises(ValueError, match="FASTLESSON_DEVICE is '(xpu|cuda)'"): data.default_device()   # known, but not here


def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path/'pipe')
    for path in tmp_path/'pipe', tmp_path, Path('/dev/zero'):
        with pytest.raises(ValueError, match='is no file'): data.read_idx(path)


def test_digits_are_centred():
    "In both directions the centre of mass is in the middle, as near as whole pixels allow, and nothing was rolled over an edge."
    images = data._digits()[0].double()
    pixels, mass = torch.arange(28).double(), images.sum((1, 2))
    for axis in 1, 2: assert ((images.sum(axis) @ pixels / mass - 13.5).abs() < .52).all()
    assert (images[:, [0, -1]] == 0).all() and (images[:, :, [0, -1]] == 0).all()


def test_normalised_by_the_training_images():
    raw, normal = (data.load_data('digits', normalize=flag, device='cpu') for flag in (False, True))
    mean, std = raw.x_train.mean(), raw.x_train.std(correction=0)
    for name in 'x_train', 'x_valid', 'x_test': torch.testing.assert_close(getattr(normal, name), (getattr(raw, name) - mean) / std, rtol=1e-5, atol=1e-5)
    assert abs(raw.x_valid.mean() - mean) > 1e-3, 'the other sets have another mean, so this can fail'


@pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16], ids=str)
def test_torch_defaults(dtype):
    "The digits are the same whatever torch's default dtype and device are."
    before = data.load_data('digits', device='cpu')
    torch.set_default_dtype(dtype)
    torch.set_default_device('meta')
    try: after = data.load_data('digits', device='cpu')
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    for old, new in zip(before, after):
        if isinstance(old, torch.Tensor): assert new.dtype == old.dtype and torch.equal(new, old)
        else: assert new == old


def test_no_console(serve, monkeypatch):
    "A program without standard error fetches without a progress bar."
    serve('good')
    monkeypatch.setattr('sys.stderr', None)
    check(data._mnist())
