# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests on the kernel, beside those of the lab."""

import os
import sys
import sysconfig
import time
from pathlib import Path

import pytest
from ansible_collections.linux.lvs.tests.lab.fixtures import command
from ansible_collections.linux.lvs.tests.profiles import load_profile
from helpers import Quick, Traffic

load_profile(quick=40, long=150)


@pytest.fixture
def quick(netns, tmp_path):
    """As `module`, in this process: a twentieth of the time."""
    return Quick(netns.name, tmp_path)


@pytest.fixture
def traffic(make_netns):
    """Sockets that are closed before their namespaces go."""
    sockets = Traffic()
    yield sockets
    sockets.close()


def unload_ipvs():
    names = [line.split()[0] for line in Path("/proc/modules").read_text().splitlines()]
    # those that others need come last
    for name in sorted((name for name in names if name.startswith("ip_vs")), key=len, reverse=True):
        command("rmmod", name, check=False)
    return not Path("/proc/net/ip_vs").exists()


@pytest.fixture
def ipvs_unloaded():
    """A kernel that has not loaded IPVS yet."""
    if os.environ["LVS_LAB"] == "native":
        pytest.skip("would unload this machine's own IPVS")
    deadline = time.monotonic() + 60  # namespaces of earlier tests take their services along a moment later
    while not unload_ipvs():
        assert time.monotonic() < deadline, Path("/proc/modules").read_text()
        time.sleep(0.2)
    yield
    command("modprobe", "ip_vs")


@pytest.fixture
def initial_namespace():
    """The machine's first network namespace, where some sysctls are that no other one has."""
    if os.environ["LVS_LAB"] == "native":
        pytest.skip("would change this machine's own network; here is one of the tests' own")


@pytest.fixture
def bare(tmp_path):
    """Options for module.subprocess: a Python that has Ansible and nothing else."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "ansible").symlink_to(Path(sysconfig.get_path("purelib")) / "ansible")
    return {"python": str(python), "pythonpath": [packages]}
