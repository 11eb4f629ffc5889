# Two commands do everything: `make docs` and `make test`. Each first brings .venv up to date.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: docs serve book quarto test test-gpu bench bench-gpu lab notebooks readme mutants clean

docs: _docs/llms.txt         ## build what changed of the site into _docs
	@echo 'To read it: `make serve` and http://127.0.0.1:8000, or open _docs/index.html'

_docs/llms.txt: .venv/ready settings.ini _quarto.yml fastlesson/site.py $(shell find nbs fastlesson -name '[a-z0-9]*.*' -not -path '*/[._]*') $(shell command -v quarto)
	python -c "from fastlesson.site import build; build()"

fastlesson/site.py: nbs/92_site.ipynb | .venv/ready
	nbdev_export --path $<

book: docs                   ## the lessons as one EPUB, beside the site
	python -c "from fastlesson.book import book; book()"

serve: docs                  ## look at the site on this machine
	python -m http.server --bind 127.0.0.1 --directory _docs 8000

quarto: .venv/ready          ## bring Quarto into .venv where the network lets it
	pip install -q quarto-cli && quarto --version || { echo "Quarto could not be fetched: its package takes it from the releases on GitHub. 'make docs' builds the offline edition without it." >&2; exit 1; }

# no process that crashed is replaced: xdist 3.8 would then wait for ever
test: .venv/ready            ## run every notebook as a test, and tests/, in a process for each core and one more
	pytest -n auto --max-worker-restart 0

test-gpu: .venv/ready        ## the same on a CUDA device, with the cells and tests that need one
	FASTLESSON_DEVICE=cuda pytest --cuda tests/test_notebooks.py tests/test_devices.py tests/test_distributed.py tests/test_practice.py tests/test_triton.py

bench: .venv/ready           ## measure this machine, for a pull request: into fastlesson/records
	fastlesson-bench --folder fastlesson/records

bench-gpu: .venv/ready       ## the same for its CUDA device
	FASTLESSON_DEVICE=cuda fastlesson-bench --folder fastlesson/records

lab: .venv/ready             ## open nbs/ and practice/ in Jupyter, with hooks that clean what is saved and merge what is pulled
	python -c 'import jupyterlab, ipykernel' 2>/dev/null || pip install -q -c constraints.txt jupyterlab ipykernel
	HOME='$(CURDIR)/.venv' nbdev_install_hooks   # Jupyter's hook goes into .venv and not into your home
	git config merge.nbdev-merge.driver "'$(CURDIR)/.venv/bin/nbdev_merge' %O %A %B %P"
	printf '#!/bin/sh\n"%s"\n' '$(CURDIR)/.venv/bin/nbdev_trust' > .git/hooks/post-merge
	JUPYTER_CONFIG_PATH='$(CURDIR)/.venv/.jupyter' jupyter lab

notebooks: .venv/ready       ## export, run every notebook (NB=03_init: only that one), store its outputs, clean, write README.md
	nbdev_export
	$(practice)
	pytest -q tests/test_notebooks.py --store -k "$(NB)"
	nbdev_clean
	$(readme)

readme: .venv/ready          ## write README.md anew, as the home page says
	$(readme)
practice = python -c "from fastlesson.processors import write_practice; write_practice()"
readme = python -c "from pathlib import Path; from fastlesson.site import readme; Path('README.md').write_text(readme(), encoding='utf-8')"

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
