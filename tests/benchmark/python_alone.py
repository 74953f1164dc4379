# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What our own Python takes for a fresh table of ten thousand servers, without a kernel, as rows of a table.

python_alone.py [profile]: the functions that take most of it, instead.
"""

from __future__ import annotations

import cProfile
import pstats
import statistics
import sys
import time

from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import command
from ansible_collections.linux.lvs.plugins.module_utils._plan import make_steps
from ansible_collections.linux.lvs.plugins.module_utils._table import with_table
from ansible_collections.linux.lvs.plugins.module_utils._wire import (
    COMMANDS,
    operation_command,
    pack_message,
    pack_operation,
)
from ansible_collections.linux.lvs.tests.benchmark.options import SERVERS, SERVICES, options_of, row, spec_of

TIMES = 7


def parts(options):
    """Seconds of validating, merging, planning, encoding, and writing the commands down."""
    marks = [time.perf_counter()]

    def mark():
        marks.append(time.perf_counter())

    spec = spec_of(options)
    mark()
    table = with_table({}, spec).table
    mark()
    plan = [operation for step in make_steps({}, table) for operation in step]
    mark()
    messages = [pack_message(26, COMMANDS.index(operation_command(each)), pack_operation(each), 5, 1) for each in plan]
    mark()
    lines = [command(operation) for operation in plan]
    mark()
    assert len(messages) == len(lines) == SERVICES * (SERVERS + 1)
    return [after - before for before, after in zip(marks, marks[1:])]


def main():
    options = options_of(SERVICES, SERVERS)
    if sys.argv[1:] == ["profile"]:
        profile = cProfile.Profile()
        profile.runcall(parts, options)
        pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(15)
        return
    medians = [statistics.median(values) for values in zip(*(parts(options) for _time in range(TIMES)))]
    words = ("validate", "merge", "plan", "encode")
    told = ", ".join(f"{word} {seconds:.2f}" for word, seconds in zip(words, medians))
    row("our own Python for a fresh table, on the host", f"{sum(medians[:4]):.2f} s ({told}; aim: 0.5)")
    row("writing 11,000 commands down", f"{medians[4]:.2f} s")


if __name__ == "__main__":
    main()
