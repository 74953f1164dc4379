# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels in user mode stay on the processor that they were put on (see own_processor): here they are moved when it has
too much to do while another one has nothing to do, as machines wait for each other most of the time.
"""

import contextlib
import os
import re
import time
from pathlib import Path

EVERY = 0.5  # seconds
# shares of that in which a processor did nothing: at least, where one may go; at most, where it comes from
IDLE, BUSY = 0.4, 0.5
ALONE = 0.8  # who takes so much of a processor has it for itself, and gains nothing elsewhere
TICKS = os.sysconf("SC_CLK_TCK")


class Balance:
    """Looks after sessions, each of which is one kernel with the processes that run on it."""

    def __init__(self):
        self._seen = time.monotonic(), idle_times(), {}

    def look(self, sessions):
        """Call it often: it moves at most one of the sessions every half second."""
        now = time.monotonic()
        then, idle_before, used_before = self._seen
        if now - then < EVERY:
            return
        idle, members = idle_times(), members_of(sessions)
        self._seen = now, idle, {process: used for processes in members.values() for process, used in processes.items()}
        elapsed = now - then
        # a container may number its processors otherwise in one place than in the other
        known = os.sched_getaffinity(0) & set(idle) & set(idle_before)
        spare = {number: (idle[number] - idle_before[number]) / elapsed for number in known}
        share = {
            session: sum(used - used_before.get(process, used) for process, used in processes.items()) / elapsed
            for session, processes in members.items()
        }
        places = {session: processor_of(session) for session in members}
        moved, processor = chosen(spare, share, places) or (None, None)
        places[moved] = processor
        for session, processes in members.items():  # all of them each time: new ones begin where their parent was
            for process in processes:
                keep_on(process, places[session])


def chosen(spare, share, places):
    """Which session is to move to which processor, or None.

    By processor the share of time in which it did nothing, by session that in which it did something, and where it is.
    """
    target = max(spare, key=spare.get, default=None)
    if target is None or spare[target] < IDLE:
        return None
    # what wait for each other leave their processor some time, though each would have got more elsewhere
    movable = [
        session
        for session, place in places.items()
        if spare.get(place, 1) < BUSY and 0 < share[session] < min(ALONE, spare[target] - spare[place])
    ]
    return (max(movable, key=share.get), target) if movable else None


def keep_on(process, processor):
    """All threads of it."""
    threads = []
    with contextlib.suppress(OSError):
        threads = os.listdir(f"/proc/{process}/task")
    for thread in map(int, threads if processor is not None else []):
        with contextlib.suppress(OSError):
            if os.sched_getaffinity(thread) != {processor}:
                os.sched_setaffinity(thread, {processor})


def processor_of(session):
    """The only one that it may run on, or None."""
    with contextlib.suppress(OSError):
        allowed = os.sched_getaffinity(session)
        if len(allowed) == 1:
            return allowed.pop()
    return None


def idle_times():
    """Seconds that each processor did nothing, by number (proc_stat(5))."""
    lines = re.findall(r"^cpu(\d+) (.*)", Path("/proc/stat").read_text(), re.MULTILINE)
    return {int(number): sum(map(int, times.split()[3:5])) / TICKS for number, times in lines}


def members_of(sessions):
    """The processes of each session and the seconds of processor time that each had (proc_pid_stat(5))."""
    members = {session: {} for session in sessions}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                # a name may be cut in the middle of a character
                fields = Path("/proc", entry, "stat").read_text(errors="replace").rpartition(")")[2].split()
                if int(fields[3]) in members:
                    members[int(fields[3])][int(entry)] = (int(fields[11]) + int(fields[12])) / TICKS
    return members
