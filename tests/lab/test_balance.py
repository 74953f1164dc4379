# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernel is moved to which processor."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible_collections.linux.lvs.tests.lab import balance
from ansible_collections.linux.lvs.tests.lab.balance import chosen, keep_on, members_of, processor_of

BOTH_ON_0 = {7: 0, 8: 0}
CASES = {
    "one of two that share one while the other idles": ({0: 0.0, 1: 1.0}, {7: 0.4, 8: 0.6}, BOTH_ON_0, (8, 1)),
    "none to one that has something to do": ({0: 0.0, 1: 0.3}, {7: 0.4, 8: 0.6}, BOTH_ON_0, None),
    "from one that has some time left": ({0: 0.2, 1: 1.0}, {7: 0.3, 8: 0.5}, BOTH_ON_0, (8, 1)),
    "none from one that has time left": ({0: 0.6, 1: 1.0}, {7: 0.2, 8: 0.2}, BOTH_ON_0, None),
    "none that would only turn it round": ({0: 0.2, 1: 0.6}, {7: 0.4, 8: 0.4}, BOTH_ON_0, None),
    "none that has one for itself": ({0: 0.0, 1: 1.0}, {7: 0.0, 8: 1.0}, BOTH_ON_0, None),
    "the one that fits beside what is there": ({0: 0.0, 1: 0.5}, {7: 0.4, 8: 0.6}, BOTH_ON_0, (7, 1)),
    "none that may run anywhere": ({0: 0.0, 1: 1.0}, {7: 0.4}, {7: None}, None),
    "none where there is one processor": ({0: 0.0}, {7: 0.4, 8: 0.6}, BOTH_ON_0, None),
    "none where nothing is known of processors": ({}, {7: 0.4}, {7: 0}, None),
    "none of none": ({0: 0.0, 1: 1.0}, {}, {}, None),
}


@pytest.mark.parametrize(("spare", "share", "places", "move"), CASES.values(), ids=CASES)
def test_chosen(spare, share, places, move):
    assert chosen(spare, share, places) == move


def test_session_moves_as_a_whole():
    words = ["sh", "-c", "sleep 60 & echo; wait"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as shell:
        try:
            shell.stdout.readline()
            (members,) = members_of([shell.pid]).values()
            assert len(members) == 2
            processor = max(os.sched_getaffinity(0))
            for process in members:
                keep_on(process, processor)
            assert {processor_of(process) for process in members} == {processor}
        finally:
            os.killpg(shell.pid, 9)


def test_processes_with_any_name_are_looked_at(monkeypatch):
    """Also those of others, whose name was cut in the middle of a character: the machines ended with their keeper once."""
    monkeypatch.setattr(balance, "EVERY", 0)
    program = r"import ctypes; ctypes.CDLL(None).prctl(15, b'abc\xe2\x80', 0, 0, 0); print(flush=True); input()"
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as named:
        named.stdout.readline()
        kept = balance.Balance()
        for _time in range(2):
            kept.look([named.pid])
        assert list(members_of([named.pid])[named.pid]) == [named.pid]
        named.communicate(b"\n")
