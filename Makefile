# Two commands do everything: `make docs` and `make test`. Each first brings .venv up to date.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: docs serve quarto test test-gpu bench bench-gpu notebooks mutants clean

docs: _docs/llms.txt         ## build what changed of the site into _docs
	@echo 'To read it: `make serve` and http://127.0.0.1:8000, or open _docs/index.html'

_docs/llms.txt: .venv/ready settings.ini _quarto.yml fastlesson/site.py $(shell find nbs fastlesson -name '[a-z0-9]*.*' -not -path '*/[._]*') $(shell command -v quarto)
	python -c "from fastlesson.site import build; build()"

fastlesson/site.py: nbs/92_site.ipynb | .venv/ready
	nbdev_export --path $<

serve: docs                  ## look at the site on this machine
	python -m http.server --bind 127.0.0.1 --directory _docs 8000

quarto: .venv/ready          ## bring Quarto into .venv where the network lets it
	pip install -q quarto-cli && quarto --version || { echo "Quarto could not be fetched: its package takes it from the releases on GitHub. 'make docs' builds the offline edition without it." >&2; exit 1; }

test: .venv/ready            ## run every notebook as a test, then tests/
	pytest

test-gpu: .venv/ready        ## the same on a CUDA device, with the cells and tests that need one
	FASTLESSON_DEVICE=cuda pytest --cuda tests/test_notebooks.py tests/test_devices.py tests/test_triton.py

bench: .venv/ready           ## measure this machine
	fastlesson-bench

bench-gpu: .venv/ready       ## measure its CUDA device
	FASTLESSON_DEVICE=cuda fastlesson-bench

notebooks: .venv/ready       ## export, run every notebook, store its outputs, clean, write README.md
	nbdev_export
	pytest -q tests/test_notebooks.py --store
	nbdev_clean
	python -c "from fastlesson.site import readme; from pathlib import Path; Path('README.md').write_text(readme())"

mutants: .venv/ready         ## plant faults in the exported cells: how many do the tests notice?
	python tests/mutate.py

clean:                       ## remove all that these commands made
	rm -rf .venv _docs _proc build nbs/nbdev.yml *.egg-info .pytest_cache .hypothesis

.venv/ready: settings.ini constraints.txt setup.py
	@echo "Setting up .venv (once; PyTorch is the large part) ..."
	[ -x .venv/bin/python ] || $(PYTHON) -m venv .venv
	pip install -q -c constraints.txt setuptools wheel
	pip install -q -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@
