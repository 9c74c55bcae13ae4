# make run       sets everything up and opens the app on the embedded Hub
# make test      sets everything up and runs all tests, the browser's too
# make check     the rules that a tool can hold the code to (ruff.toml); a part of make test
# make messages  brings lora_hub/locale up to date with the sentences in the code
# make test-gpu  the tests marked gpu, on a machine that has one
# make hub-suite  the client's own tests against the embedded Hub (a chosen set of them is part of make test)
# make bench     the benchmarks in tests/bench, one after another
# make help      these lines
PYTHON ?= python3
BIN := .venv/bin
STAMPS := .venv/.stamps
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Where this is set, each process that trains compiles 3,400 modules for itself: 7 of the 11 seconds that it takes to
# load its libraries.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check help messages test-gpu hub-suite bench clean

run: $(STAMPS)/app
	@$(BIN)/python app.py

test: $(STAMPS)/app $(STAMPS)/tests $(STAMPS)/hub-suite check
	@sh tests/find_chromium.sh >/dev/null
	LORA_HUB_CHROMIUM="$$(sh tests/find_chromium.sh)" OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -q -m "not gpu" --ignore=tests/bench --durations=8 -n 3 --dist loadfile --no-loadscope-reorder

check: $(STAMPS)/tests
	@$(BIN)/ruff check -q app.py lora_hub spaces tests
	@$(BIN)/ruff format -q --check app.py lora_hub spaces tests

messages: $(STAMPS)/app
	@$(BIN)/python -m lora_hub.locale.update

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

test-gpu: $(STAMPS)/app $(STAMPS)/tests
	$(BIN)/python -m pytest tests -q -m gpu --ignore=tests/bench

hub-suite: $(STAMPS)/app $(STAMPS)/tests $(STAMPS)/hub-suite
	$(BIN)/python tests/hub_suite/run.py whole

bench: $(STAMPS)/app $(STAMPS)/tests
	@status=0; for file in tests/bench/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || status=1; done; exit $$status

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "LoRA Hub needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make run PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/app: requirements.txt $(STAMPS)/venv
	$(BIN)/pip install -q --no-compile -r requirements.txt
	@touch $@

$(STAMPS)/tests: tests/requirements.txt $(STAMPS)/app
	$(BIN)/pip install -q --no-compile -r tests/requirements.txt
	@touch $@

# the source distribution of the pinned client, for its tests
$(STAMPS)/hub-suite: requirements.txt $(STAMPS)/app
	@rm -rf .venv/hub-suite && mkdir -p .venv/hub-suite
	$(BIN)/pip download -q --no-deps --no-binary huggingface_hub -d .venv/hub-suite "$$(grep '^huggingface_hub==' requirements.txt)"
	@touch $@

clean:
	rm -rf .venv
