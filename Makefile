# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# On a bare Debian: apt install make git python3-venv
.PHONY: help demo test test-fast test-all lint unit benchmark update-pins clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo:  ## the classical example on a real IPVS kernel, set up, answered, changed, drained, repaired
	@tests/demo/run

test:  ## what a change must pass
	@exec python3 tests/all.py

test-fast:  ## a selection, in less than two minutes
	@exec python3 tests/all.py fast

test-all:  ## test, with every scenario and ansible-core, long random tests, and all on kernels that are not the lab's own
	@exec python3 tests/all.py long

lint:  ## all linters, sanity tests too
	@tests/run lint

unit:  ## unit tests on this machine's Python
	@tests/run unit

benchmark:  ## figures to look at
	@tests/benchmark/run

update-pins:  ## the newest versions that go together, into tests/requirements.txt
	@tests/lab/update-pins

clean:  ## remove the cache: environments, Pythons and kernel
	@tests/lab/env clean
