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

.PHONY: help demo test lint notebooks lab site live lock clean

help: ## list these commands
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1	\2/p' Makefile

demo: $(INSTALLED) ## a shipped model on a small video: tags, instances, scores
	$(VENV_PYTHON) -m tagvis_lite demo

test: lint ## everything that has to pass: lint, all tests, then every lesson by nbval and papermill
	$(ONE_THREAD) $(VENV_PYTHON) -m pytest -n $(WORKERS) --dist loadfile
	$(ONE_THREAD) $(VENV_PYTHON) -m pytest -n $(WORKERS) --dist loadfile \
		--nbval-lax --nbval-current-env notebooks
	$(ONE_THREAD) $(VENV_PYTHON) -m tagvis_lite notebooks --profile toy --jobs $(WORKERS)

notebooks: $(INSTALLED) ## rebuild the lessons whose source in notebooks/src has changed
	$(ONE_THREAD) $(VENV_PYTHON) -m tagvis_lite.study.report
	$(ONE_THREAD) $(VENV_PYTHON) -m tagvis_lite.course.build $(BUILD_OPTIONS)

lint: $(INSTALLED) ## style, formatting and types
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy

lab: $(INSTALLED) ## JupyterLab on the lessons
	$(VENV_PYTHON) -m jupyterlab $(LAB_OPTIONS) notebooks

site: $(INSTALLED) ## the lessons, the ledger, the report and the API as a site in build/site
	$(ONE_THREAD) $(VENV_PYTHON) -m sphinx -b html -c docs -W --keep-going -q \
		-d build/doctrees . build/site
	@echo "Open build/site/index.html"

live: $(INSTALLED) ## the page where the network runs in the browser, built and served (needs npm)
	$(VENV_PYTHON) docs/_ext/live.py build/live
	@echo "Open http://127.0.0.1:$(LIVE_PORT)/ (Ctrl+C ends)"
	@$(VENV_PYTHON) -m http.server --bind 127.0.0.1 --directory build/live $(LIVE_PORT)

lock: $(UV) ## refresh requirements.lock from pyproject.toml, keeping versions that still fit
	$(UV) pip compile pyproject.toml --output-file requirements.lock \
		--universal --python-version 3.11 --extra lab --extra export --group dev --generate-hashes \
		--no-emit-index-url --custom-compile-command 'make lock' --quiet $(LOCK_OPTIONS)

clean: ## remove what make installed, and caches; runs and data stay
	rm -rf .venv .tools .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.lock pyproject.toml | $(UV)
	@$(VENV_PYTHON) -c '$(NEW_ENOUGH)' 2>/dev/null || { \
		$(find_python); \
		$(UV) venv --clear --python "$$("$$python" -c 'import sys; print(sys.executable)')" .venv; \
	}
	$(UV) pip sync --python $(VENV_PYTHON) --require-hashes --compile-bytecode requirements.lock
	$(UV) pip install --python $(VENV_PYTHON) --no-deps --no-build-isolation --editable .
	@touch $@

$(UV):
	@$(find_python); \
	echo "Installing uv $(UV_VERSION) into .tools with $$python"; \
	if "$$python" -m pip --version >/dev/null 2>&1; then \
		"$$python" -m pip install --quiet --upgrade --target .tools/uv-$(UV_VERSION) uv==$(UV_VERSION); \
	else \
		"$$python" -m venv .tools/uv-$(UV_VERSION) && \
		.tools/uv-$(UV_VERSION)/bin/python -m pip install --quiet uv==$(UV_VERSION); \
	fi
