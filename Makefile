# make demo · make test · make check     (each sets up .venv first)
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo demo-real test slow faults kills fuzz mutants coverage web check setup clean

setup: $(VENV)/.ready

# The stamp is written last, so an interrupted set-up starts again.
$(VENV)/.ready: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || \
	    { echo "earful needs Python 3.11 or newer: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	    "earful needs Python 3.11 or newer, this is %d.%d; name another: make PYTHON=python3.12" % sys.version_info[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "$(PYTHON) cannot make environments: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV): some minutes, without a word; some gigabytes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "torch"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[curves,denoise,export,hf,listen,mandarin,media,parquet,plots,serve,speak,tune,vad,wyoming]" --group dev --group recipes
	touch $@

demo: setup
	$(BIN)/earful demo
	@echo "Before you type earful in this terminal: . $(BIN)/activate"

demo-real: setup
	$(BIN)/python -m recipes.corpora demo

# A worker for each core, each on one thread: tests are small, and threads that wait for each other are no help. What
# is compiled is kept, whatever the environment says: else each worker compiles all tests anew, for 8 s of processor time.
test: setup
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

slow: setup
	$(BIN)/python -m pytest -m slow

# Does earful keep what it promises of recordings and models (docs/promises.md)? Twenty minutes; hours; hours.
faults: setup
	OMP_NUM_THREADS=1 PYTHONPATH=src:tests $(BIN)/python -m faults.campaign --json bench/faults.json

kills: setup
	OMP_NUM_THREADS=1 PYTHONPATH=src:tests $(BIN)/python -m faults.kills --times 50 --json bench/kills.json

fuzz: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group fuzz
	OMP_NUM_THREADS=1 PYTHONPATH=src:tests $(BIN)/python -m faults.fuzz --seconds 600 --keep --json bench/fuzz.json

# Do the tests notice small changes to the code, and what of it do they run (docs/testing.md)? Hours; an hour.
mutants: setup
	OMP_NUM_THREADS=1 $(BIN)/python bench/mutants.py --out bench/mutants.json

coverage: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group coverage
	rm -rf build/coverage && mkdir -p build/coverage
	OMP_NUM_THREADS=1 PYTHONPATH=. CPU_TIMES=build/coverage/times.jsonl \
	    $(BIN)/coverage run -m pytest -m "not slow" -p bench.cpu_times \
	    --deselect tests/end_to_end/test_commands.py::test_a_disk_that_is_really_full  # coverage could not write, too
	$(BIN)/coverage combine --quiet && $(BIN)/coverage json --quiet -o build/coverage/report.json
	$(BIN)/python bench/covered.py build/coverage/report.json --times build/coverage/times.jsonl --out bench/covered.json

# The page of `earful export --to web` and the studio of `earful serve`, built of web/ into the package; the result is
# committed. It wants node and npm.
web:
	npm ci --prefix web --ignore-scripts --no-audit --no-fund
	npm run --prefix web check
	npm run --prefix web build

check: setup $(VENV)/.docs-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python bench/tables.py --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# What builds the documents is only needed here.
$(VENV)/.docs-ready: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group docs
	touch $@

clean:
	rm -rf $(VENV) demo site
