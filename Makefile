# Thin names for the command line and the tests; every target makes what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DESIGN := rtl_out/unet_w4a6
SAMPLE := rtl_out/tiny_w4a4
PYTEST := $(BIN)/python -m pytest -q
JOBS := 2
# A file of tests is one process's, so that what its tests share is built once; in order, since short
# files come last.
SPREAD := -n $(JOBS) --dist loadfile --no-loadscope-reorder

.PHONY: help venv train-venv pnr-venv generate sim synth test test-slow formal grid fuzz train-test \
  table1 studies sim-16 sim-paper paper-fit sweep lint sample clean

help:
	@echo "make generate   Verilog of the bundled network, in $(DESIGN)"
	@echo "make sim        simulate it on an image, compare every bit"
	@echo "make synth      its size on each FPGA family, and in gates"
	@echo "make test       the tests that take seconds each; test-slow: the others"
	@echo "make formal     the proofs; grid: all widths; fuzz: random networks; train-test: PyTorch"
	@echo "make table1     the paper's Table 1, trained here: hours, goes on after a break"
	@echo "make studies    the smaller studies; results of both in docs/results"
	@echo "make sim-paper  the paper's network on a whole image in Verilator, every code compared;"
	@echo "                sim-16: the same with 16 channels, in a minute or two"
	@echo "make paper-fit  the paper's network on an ECP5 and a Zynq: what it takes there, how fast"
	@echo "make sweep      area, speed, energy and dice of many designs; goes on after a break"
	@echo "make lint       the linters"
	@echo "make sample     renew the committed sample, $(SAMPLE)"
	@echo "make venv       $(VENV) with the pinned packages; train-venv: with PyTorch too,"
	@echo "                pnr-venv: with place and route too"
	@echo "make clean      remove builds and caches"

venv: $(VENV)/.stamp

$(VENV)/.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[dev]'
	touch $@

train-venv: $(VENV)/.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[dev,train]'

pnr-venv: $(VENV)/.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[dev,pnr]'

generate: $(VENV)/.stamp
	$(BIN)/fxhw generate --wbits 4 --abits 6 -o $(DESIGN)

$(DESIGN)/manifest.json: | $(VENV)/.stamp
	$(BIN)/fxhw generate --wbits 4 --abits 6 -o $(DESIGN)

sim: $(DESIGN)/manifest.json
	$(BIN)/fxhw sim $(DESIGN)

synth: $(DESIGN)/manifest.json
	$(BIN)/fxhw synth --target all $(DESIGN)

test: $(VENV)/.stamp
	$(PYTEST) $(SPREAD) -m "not slow"

test-slow: $(VENV)/.stamp
	$(PYTEST) $(SPREAD) -m slow

formal: $(VENV)/.stamp
	$(PYTEST) -n $(JOBS) -m formal

grid: $(VENV)/.stamp
	$(PYTEST) -n $(JOBS) tests/cosim/test_width_grid.py

fuzz: $(VENV)/.stamp
	$(PYTEST) tests/cosim/test_random_networks.py -k many

train-test: train-venv
	$(PYTEST) $(SPREAD) tests/train tests/studies

table1: train-venv
	$(BIN)/python -m fxhw.studies table1 --processes $(JOBS)

studies: train-venv
	for study in weights dropout ends activation-time full-size; do \
	  $(BIN)/python -m fxhw.studies $$study --processes $(JOBS) || exit; done

sim-16: $(VENV)/.stamp
	$(PYTEST) tests/studies/test_paper_sim.py -k sixteen

sim-paper: $(VENV)/.stamp
	$(BIN)/python -m fxhw.studies paper-sim
	$(BIN)/python -m fxhw.studies paper-sim --lanes 16 --bus-width 128

paper-fit: pnr-venv
	$(BIN)/python -m fxhw.studies paper-fit

# A few accelerators of fewer lanes first: they tell how the rest of one grows with its lanes.
# Then the designs of TernaryNet, of binary networks and of INQ, and arrays of multiplier blocks.
SWEEP := $(BIN)/fxhw sweep --targets ecp5-85k --metrics docs/results/table1.json -o runs/sweep

sweep: $(VENV)/.stamp
	$(SWEEP) --wbits 4 --abits 6 --styles lut --pin 2,4 --pout 2,4
	$(SWEEP) --quantizers ternary --activations relu,ternary --abits 4,6 --styles lut
	$(SWEEP) --quantizers binary --activations relu,sign --abits 6 --styles lut
	$(SWEEP) --quantizers inq --abits 8 --styles lut --scopes array
	$(SWEEP) --wbits 4 --abits 6 --styles dsp,mixed --pout 4 --pixels 2 --scopes array
	$(SWEEP) --wbits 1-4,6,8 --abits 2,4,6,8 --styles lut,generic --results docs/results
	cp docs/results/sweep.json fxhw/bundled/sweep.json

lint: $(VENV)/.stamp
	$(BIN)/ruff check fxhw tests sim examples
	$(BIN)/python -m fxhw.cosim.lint $(SAMPLE)/tiny_w4a4.v

sample: $(VENV)/.stamp
	$(BIN)/fxhw generate --checkpoint $(SAMPLE)/checkpoint.safetensors --pin 2 --pout 2 -o $(SAMPLE)

clean:
	rm -rf build runs .pytest_cache .ruff_cache .hypothesis
