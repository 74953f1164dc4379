# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole machines: up, rebooted with what was written kept, without power, and gone with whoever started them."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

MACHINES = Path(__file__).parent / "machines"
SPEC = {
    "segments": {"outside": {"ipv4": "10.0.0.", "ipv6": "fd00::"}},
    "machines": {"one": {"nics": {"outside": 1}}, "two": {"nics": {"outside": 2}, "manager": "ifupdown"}},
}


def call(*words, check=True, **options):
    return subprocess.run([MACHINES, *words], capture_output=True, text=True, check=check, timeout=300, **options)


def namespaces():
    return subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def owner():
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.fixture
def directory(tmp_path, owner):
    path = tmp_path / "machines"
    call("up", path, input=json.dumps(SPEC), env={**os.environ, "LAB_OWNER": str(owner.pid)})
    yield path
    call("down", path)


def boot(directory):
    return call("ssh", directory, "one", "cat /proc/sys/kernel/random/boot_id", check=False).stdout


def test_machines(directory, owner):
    assert "0% packet loss" in call("in", directory, "ping", "-c1", "-W2", "fd00::2").stdout
    assert call("ssh", directory, "two", "hostname; ip -o -4 address show dev outside").stdout.split()[0] == "two"

    assert "Inst haproxy" in call("ssh", directory, "one", "apt-get --simulate install haproxy").stdout

    before = boot(directory)
    call("ssh", directory, "one", "echo kept >/root/written; systemctl reboot", check=False)
    deadline = time.monotonic() + 120
    while boot(directory) in ("", before):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert call("ssh", directory, "one", "cat /root/written").stdout == "kept\n"

    call("off", directory, "two")
    assert call("in", directory, "ping", "-c1", "-W1", "10.0.0.2", check=False).returncode == 1
    call("on", directory, "two")
    assert call("ssh", directory, "two", "hostname").stdout == "two\n"

    pids = [int((directory / f"{name}.pid").read_text()) for name in SPEC["machines"]]
    name = call("in", directory, "ip", "netns", "identify").stdout.strip()
    assert name in namespaces()
    owner.kill()
    owner.wait()
    deadline = time.monotonic() + 30
    while directory.exists() or name in namespaces():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert [pid for pid in pids if Path("/proc", str(pid)).exists()] == []
