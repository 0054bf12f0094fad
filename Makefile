# Set-up and everyday commands; `make` lists them.
#
# A machine needs Python >= 3.11 and a Python package index, nothing else. A pinned uv in .tools/
# installs exactly requirements.lock into .venv/, checking every hash, and then the project itself.

UV_VERSION := 0.13.9
UV := .tools/uv-$(UV_VERSION)/bin/uv
VENV_PYTHON := .venv/bin/python
INSTALLED := .venv/.installed

# Interpreter that .venv is made from, say /usr/bin/python3.12. Empty: the first that is new enough.
PYTHON ?=
# TORCH=cpu takes PyTorch's own build without CUDA (0.2 GB instead of 3 GB on Linux), from its own
# index. It is remembered in .venv; TORCH=lock goes back to the locked build.
TORCH ?= $(or $(shell cat .venv/.torch 2>/dev/null),lock)
# Processes that run tests. Each runs torch on one thread.
WORKERS ?= 2
# Passed on, for example LOCK_OPTIONS=--upgrade, LAB_OPTIONS="--no-browser --port 9999", or
# BUILD_OPTIONS=--force to run lessons again whose source has not changed.
LOCK_OPTIONS ?=
BUILD_OPTIONS ?=
LAB_OPTIONS ?=
LIVE_PORT ?= 8765

export UV_PYTHON_DOWNLOADS := never

ONE_THREAD := OMP_NUM_THREADS=1

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
CANDIDATES := $(if $(PYTHON),"$(PYTHON)",python3 python3.14 python3.13 python3.12 python3.11 python)

# Shell: sets $python, or ends the recipe with an error that names the fix.
define find_python
for python in $(CANDIDATES) ""; do \
	"$$python" -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && break; \
done; \
if [ -z "$$python" ]; then \
	echo 'No Python >= 3.11 among:' '$(CANDIDATES)' >&2; \
	echo 'Install one, or name it: make PYTHON=/path/to/python3.12' >&2; \
	exit 1; \
fi
endef

# Shell: uv takes packages from where pip is told to take them.
define as_pip_does
pip_says() { "$$python" -m pip config get "$$1" 2>/dev/null || true; }; \
export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$(pip_says global.index-url)}}"; \
export SSL_CERT_FILE="$${SSL_CERT_FILE:-$${PIP_CERT:-$$(pip_says global.cert)}}"; \
[ -n "$$UV_DEFAULT_INDEX" ] || unset UV_DEFAULT_INDEX; \
[ -n "$$SSL_CERT_FILE" ] || unset SSL_CERT_FILE
endef

# An environment whose interpreter has gone, that was moved, or that has another torch is made anew.
HERE := import importlib.util as u, os; assert u.find_spec("tagvis_lite").origin.startswith(os.getcwd() + os.sep)
ifneq ($(wildcard $(INSTALLED)),)
ifneq ($(shell $(VENV_PYTHON) -P -c '$(HERE)' 2>/dev/null && \
	(cat .venv/.torch 2>/dev/null || echo lock)),$(TORCH))
$(shell rm -f $(INSTALLED) .venv/pyvenv.cfg)
endif
endif

.PHONY: help demo test test-lowest lint notebooks lab site live lock clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1	\2/p' Makefile

demo: $(INSTALLED) ## a shipped model on a small video: tags, instances, scores
	$(VENV_PYTHON) -m tagvis_lite demo

test: lint ## all that has to pass: lint, tests, lessons as committed, and with another SEED
	$(ONE_THREAD) $(VENV_PYTHON) -m pytest -n $(WORKERS) --dist loadfile
	$(ONE_THREAD) $(VENV_PYTHON) -m pytest -n $(WORKERS) --dist loadfile \
		--nbval-lax --nbval-current-env notebooks
	$(ONE_THREAD) $(VENV_PYTHON) -m tagvis_lite notebooks --profile toy --seed 1 --jobs $(WORKERS)

test-lowest: $(INSTALLED) ## the package's tests on the lowest versions that pyproject.toml allows
	$(UV) venv --quiet --clear --python $(VENV_PYTHON) build/lowest
	$(UV) pip install --quiet --python build/lowest/bin/python --resolution lowest-direct \
		--only-binary :all: --no-binary tagvis-lite --editable '.[lab]' --group test
	$(ONE_THREAD) build/lowest/bin/python -m pytest -p no:cacheprovider $(LOWEST_SKIPS)

# Of browser, site and lessons; trackeval, which asks for exact versions, is not installed there.
LOWEST_SKIPS := $(addprefix --ignore ,tests/browser tests/live tests/test_site.py \
	tests/course/test_colab.py tests/course/test_notebooks.py tests/commands/test_export.py)

notebooks: $(INSTALLED) ## rebuild the lessons whose source in notebooks/src has changed
	$(ONE_THREAD) $(VENV_PYTHON) -m tagvis_lite.study.report
	$(ONE_THREAD) $(VENV_PYTHON) -m tagvis_lite.course.build $(BUILD_OPTIONS)

lint: $(INSTALLED) ## style, formatting and types
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy

lab: $(INSTALLED) ## JupyterLab on the lessons; it serves the whole clone, so that their links lead on
	$(VENV_PYTHON) -m jupyterlab --ServerApp.root_dir="$(CURDIR)" \
		--LabApp.default_url=/lab/tree/notebooks $(LAB_OPTIONS)

site: $(INSTALLED) ## the lessons, the ledger, the report and the API as a site in build/site
	$(ONE_THREAD) $(VENV_PYTHON) -m sphinx -b html -c docs -W --keep-going -q \
		-d build/doctrees . build/site
	@echo "Open build/site/index.html"

live: $(INSTALLED) ## the page where the network runs in the browser, built and served (needs npm)
	$(VENV_PYTHON) docs/_ext/live.py build/live
	@echo "Open http://127.0.0.1:$(LIVE_PORT)/ (Ctrl+C ends)"
	@$(VENV_PYTHON) -m http.server --bind 127.0.0.1 --directory build/live $(LIVE_PORT)

lock: $(UV) ## refresh requirements.lock and environment.yml from pyproject.toml
	@$(find_python); $(as_pip_does); \
	$(UV) pip compile pyproject.toml --output-file requirements.lock \
		--universal --python-version 3.11 --extra lab --extra export --group dev --generate-hashes \
		--no-emit-index-url --custom-compile-command 'make lock' --quiet $(LOCK_OPTIONS)
	@sed 's/^  - python .*/  - python '"$$(sed -n 's/^requires-python = "\(.*\)"/\1/p' pyproject.toml)/" \
		environment.yml >environment.new && mv environment.new environment.yml

clean: ## remove what make installed, and caches; runs and data stay
	rm -rf .venv .tools .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Lines of the lock that TORCH=cpu leaves out, with their hashes.
CUDA_BUILD := ^(torch|torchvision|triton|nvidia-[a-z0-9-]+|cuda-[a-z-]+)==

$(INSTALLED): requirements.lock pyproject.toml | $(UV)
	@$(find_python); $(as_pip_does); \
	[ -f .venv/pyvenv.cfg ] && $(VENV_PYTHON) -c '$(NEW_ENOUGH)' 2>/dev/null || { \
		rm -rf .venv; \
		$(UV) venv --python "$$("$$python" -c 'import sys; print(sys.executable)')" .venv; \
	}; \
	lock=requirements.lock; \
	if [ "$(TORCH)" = cpu ]; then \
		lock=.venv/without-cuda.lock; \
		awk '/^[a-z]/ {cuda = ($$0 ~ /$(CUDA_BUILD)/)} !cuda' requirements.lock >$$lock; \
	fi; \
	set -ex; \
	$(UV) pip sync --python $(VENV_PYTHON) --require-hashes --compile-bytecode $$lock; \
	if [ "$(TORCH)" = cpu ]; then \
		$(UV) pip install --python $(VENV_PYTHON) --torch-backend cpu \
			$$(grep -Eo '^(torch|torchvision)==[0-9.]+' requirements.lock); \
	fi; \
	$(UV) pip install --python $(VENV_PYTHON) --no-deps --no-build-isolation --editable .; \
	echo "$(TORCH)" >.venv/.torch
	@touch $@

$(UV):
	@$(find_python); \
	echo "Installing uv $(UV_VERSION) into .tools with $$python"; \
	export PIP_REQUIRE_VIRTUALENV=0 PIP_USER=0; \
	if "$$python" -m pip --version >/dev/null 2>&1; then \
		"$$python" -m pip install --quiet --upgrade --target .tools/uv-$(UV_VERSION) uv==$(UV_VERSION); \
	elif "$$python" -m venv .tools/uv-$(UV_VERSION) >/dev/null 2>&1; then \
		.tools/uv-$(UV_VERSION)/bin/python -m pip install --quiet uv==$(UV_VERSION); \
	else \
		echo "$$python has neither pip nor venv. On Debian: apt install python3-venv;" >&2; \
		echo "or name another: make PYTHON=..., or a uv that is there: make UV=/path/to/uv" >&2; \
		exit 1; \
	fi
