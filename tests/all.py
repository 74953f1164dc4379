# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the suites of tests/run, two at a time, and says at the end what passed, what did not, what was not run.

all.py [fast|default|long]
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PYTHONS = ["unit-3.8", "unit-3.9", "unit-3.11", "unit-3.13"]
# Each lane is run in order, the lanes beside each other, each on a processor. One that has ended takes what OPEN still has.
LANES = {
    "fast": [["lint ruff-check ruff-format mypy", "unit"], ["kernel -m fast", "integration -m fast"]],
    "default": [["lint", PYTHONS[0], PYTHONS[-1]], ["unit", "demo", "lab"]],
    "long": [["lint", *PYTHONS], ["unit", "demo", "lab"]],
}
OPEN = {
    "fast": [],
    "default": ["integration", "machines methods", "kernel"],
    "long": [
        "kernel",
        "integration",
        *(f"machines {name}" for name in ("direct", "nat", "stock", "tunnel")),
        "stock",
        *(f"machines {name}" for name in ("methods", "pair")),
    ],
}
NEEDS = {  # disk of the cache, minutes the first time and later
    "fast": (700, 4, 2),
    "default": (6000, 40, 30),
    "long": (6000, 140, 125),
}
LONG = {
    "HYPOTHESIS_PROFILE": "long",
    "LVS_CORES_WANTED": "2.16 2.17 2.18 2.20 2.21",
    "LAB_TIME": "5400",
}
NOT_RUN = 77
REPORT_EVERY = 30


class Run:
    """One suite, its output in a file."""

    def __init__(self, words, environment):
        self.name = words if words.startswith("machines") else words.split()[0]
        self.log = os.memfd_create(self.name)
        self.begin = self.reported = time.monotonic()
        self.process = subprocess.Popen(
            [TESTS / "run", *words.split()],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )

    @property
    def seconds(self):
        return time.monotonic() - self.begin

    def output(self):
        return os.pread(self.log, 1 << 30, 0).decode(errors="replace")

    def last_line(self):
        lines = self.output().strip().splitlines()
        return lines[-1].strip() if lines else ""

    def counts(self):
        """(passed, failed, skipped) as pytest's last line, the lines of the linters or the claims of the demo say."""
        output = self.output()
        closing = re.findall(r"^=+ (.* in [\d.:smh() ]+) =+$", output, re.MULTILINE)
        if closing:
            found = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", closing[-1])}
            failed = found.get("failed", 0) + found.get("error", 0) + found.get("errors", 0)
            return [found.get("passed", 0), failed, found.get("skipped", 0)]
        verdicts = re.findall(r"^\S+ +(ok|failed) +\d+ s$|^(-->|demo: NOT TRUE:) ", output, re.MULTILINE)
        passed = sum(verdict in (("ok", ""), ("", "-->")) for verdict in verdicts)
        return [passed, len(verdicts) - passed, 0]

    def end(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(15)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


def main():
    kind = sys.argv[1] if len(sys.argv) > 1 else "default"
    lanes, left = [list(lane) for lane in LANES[kind]], list(OPEN[kind])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    say_needs(kind)
    begin = time.monotonic()
    running = {}
    done = []
    try:
        while lanes or running:
            for lane in [lane for lane in lanes if id(lane) not in running]:
                if lane or left:
                    suite = (lane or left).pop(0)
                    # many random examples on one Python are enough
                    running[id(lane)] = Run(suite, LONG if kind == "long" and suite not in PYTHONS else {})
                else:
                    lanes.remove(lane)
            for lane, run in list(running.items()):
                if run.process.poll() is not None:
                    done.append(running.pop(lane))
                    tell(run)
                elif time.monotonic() - run.reported > REPORT_EVERY:
                    run.reported = time.monotonic()
                    print(f"  … {run.name} {run.seconds:.0f} s: {run.last_line()[:100]}", flush=True)
            time.sleep(0.1)
    finally:
        for run in running.values():
            print(f"interrupted: {run.name}", flush=True)
            run.end()
    return summary(done, time.monotonic() - begin)


def say_needs(kind):
    disk, first, later = NEEDS[kind]
    needs = [TESTS / "lab" / "env", "needs", str(disk), f"{first} minutes", f"{later}"]
    subprocess.run(needs, check=True)


def tell(run):
    status = run.process.returncode
    passed, failed, skipped = run.counts()
    if status == NOT_RUN:
        print(f"{run.name:<16} not run: {run.last_line()}", flush=True)
        return
    if status:
        print(f"--- output of {run.name}", run.output(), f"--- end of the output of {run.name}", sep="\n")
    verdict = "ok    " if status == 0 else f"FAILED (exit status {status})"
    print(
        f"{run.name:<16} {verdict} {run.seconds:4.0f} s: {passed} passed, {failed} failed, {skipped} skipped",
        flush=True,
    )


def summary(done, seconds):
    total = [0, 0, 0]
    good = True
    print(f"\nSummary after {seconds / 60:.1f} minutes:")
    kernels = (line for run in done for line in re.findall(r"^Kernel: .*", run.output(), re.MULTILINE))
    for kernel in dict.fromkeys(kernels):
        print(f"  {kernel}")
    for run in done:
        tell_again = run.process.returncode
        counts = run.counts()
        if tell_again not in (0, NOT_RUN):
            good = False
            counts[1] = max(counts[1], 1)
        words = (
            f"not run: {run.last_line()}"
            if tell_again == NOT_RUN
            else "{} passed, {} failed, {} skipped".format(*counts)
        )
        print(f"  {run.name:<16} {words}")
        for line in re.findall(r"^(?:FAILED|ERROR|SKIPPED) .*", run.output(), re.MULTILINE):
            print(f"                   {line}")
        total = [sum(pair) for pair in zip(total, counts)]
    skipped = f", {total[2]} skipped" if total[2] else ""
    print(f"{total[0]} passed, {total[1]} failed{skipped}", flush=True)
    return 0 if good and total[0] else 1


if __name__ == "__main__":
    sys.exit(main())
