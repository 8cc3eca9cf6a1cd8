# `make` lists what there is.  The environment is .venv; nothing is installed outside it but TeX, and that only by apt,
# where this user may: as root, or with a sudo that asks no password.

PYTHON ?= python3
EXTRAS ?= test,exact
OUT    ?= out
RUN    ?= runs/digits_mlp
VENV   := .venv
BIN    := $(VENV)/bin
TEX    := texlive-latex-recommended texlive-pictures lmodern latexmk
DEMO   := examples/digits_mlp.toml

.PHONY: help demo test lint bench errata golden mutants tex clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*##/make \1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(VENV)/.installed tex  ## install; then equations to derivation, checks, code, and training on real digits
	@echo; echo "symbp check $(DEMO)"; $(BIN)/symbp check $(DEMO)
	@echo; echo "symbp derive $(DEMO) --out $(OUT)"; $(BIN)/symbp derive $(DEMO) --out $(OUT)
	@echo; echo "symbp generate $(DEMO) --out $(OUT)/digits_mlp.py"; $(BIN)/symbp generate $(DEMO) --out $(OUT)/digits_mlp.py
	@echo; echo "symbp train $(DEMO) --out $(RUN)"; $(BIN)/symbp train $(DEMO) --out $(RUN)

test: $(VENV)/.with-$(EXTRAS) tex  ## install, and run all tests (EXTRAS=test,exact,torch compares with PyTorch, too)
	$(BIN)/python -m pytest -q -n auto --dist worksteal

lint: $(VENV)/.with-$(EXTRAS)  ## the style of the code
	$(BIN)/ruff check .

golden: $(VENV)/.with-$(EXTRAS)  ## write the golden files anew; look at the difference before you commit it
	$(BIN)/python -m pytest -q -n auto --update-golden

errata: $(VENV)/.with-$(EXTRAS)  ## docs/errata.md anew: what is wrong in the texts of examples/claims (runs their code)
	$(BIN)/symbp verify examples/claims --run-code --errata --format md --out docs/errata.md; test $$? -le 1

bench: $(VENV)/.with-$(EXTRAS)  ## the figures of docs/benchmarks.md (with EXTRAS=test,exact,torch also beside PyTorch)
	$(BIN)/python benchmarks/derive_mlp.py
	$(BIN)/python benchmarks/derive_items.py
	$(BIN)/python benchmarks/decide_equality.py
	$(BIN)/python benchmarks/generate_mlp.py
	$(BIN)/python benchmarks/train_step.py
	$(BIN)/python -c 'import torch' 2>/dev/null || { echo "without PyTorch: no convolution.py, pools.py, torch_twin.py"; exit 0; }; \
	    $(BIN)/python benchmarks/convolution.py && $(BIN)/python benchmarks/pools.py && $(BIN)/python benchmarks/torch_twin.py

mutants: $(VENV)/.with-$(EXTRAS)  ## each small change of the calculus must fail a test (about an hour)
	$(BIN)/python benchmarks/mutate.py

clean:  ## remove what was made here
	rm -rf $(VENV) $(OUT) runs build dist *.egg-info

tex:
	@if command -v pdflatex >/dev/null && command -v latexmk >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(TEX); \
	elif sudo -n true 2>/dev/null && command -v apt-get >/dev/null; then \
	    sudo apt-get update -q && sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(TEX); \
	else echo "TeX is missing, so there will be no PDF; to have it: apt install $(TEX)"; fi

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "symbp needs Python 3.11 or newer: apt install python3, or make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "Python's venv is missing: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

$(VENV)/.with-$(EXTRAS): $(VENV)/.installed
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[$(EXTRAS)]'
	@touch $@
