# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CPUs of this machine, and those on which a process may run: what a kernel with one CPU can't show."""

from __future__ import annotations

import os

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._host import allowed_cpus, possible_cpus
from ansible_collections.linux.lvs.plugins.module_utils._sysctls import parse_cpus


@pytest.fixture
def only_one_cpu():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield min(before)
    os.sched_setaffinity(0, before)


def test_cpus_of_this_machine_are_seen():
    assert os.sched_getaffinity(0) <= parse_cpus(allowed_cpus())
    assert os.sched_getaffinity(0) <= parse_cpus(possible_cpus())


def test_only_allowed_cpus_are_allowed(only_one_cpu):
    assert parse_cpus(allowed_cpus()) == {only_one_cpu}
