# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a table of ten thousand servers costs, as rows of a table; compared in one boot. Runs in the lab."""

from __future__ import annotations

import contextlib
import gc
import json
import operator
import os
import resource
import socket
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

from ansible_collections.linux.lvs.plugins.module_utils import _host, _netlink, _wire
from ansible_collections.linux.lvs.plugins.module_utils._apply import Task, converge
from ansible_collections.linux.lvs.plugins.module_utils._genetlink import Link
from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import render
from ansible_collections.linux.lvs.plugins.module_utils._netlink import Kernel
from ansible_collections.linux.lvs.plugins.module_utils._options import DrainSpec
from ansible_collections.linux.lvs.plugins.module_utils._plan import make_steps
from ansible_collections.linux.lvs.plugins.module_utils._table import declared, with_table
from ansible_collections.linux.lvs.tests.benchmark.options import SERVERS, SERVICES, options_of, row, spec_of
from ansible_collections.linux.lvs.tests.lab.fixtures import Namespace, command

TIMES = 3
BESIDE = 7
ROUNDS = int(os.environ.get("ROUNDS", "10"))  # of plays, which differ by less than one of them does from time to time
GROWTH = (500, 1000, 2000, 4000)
LOOPED = 100  # tasks of `command: ipvsadm`
HUGE = 100_000
NOTHING = """\
from ansible.module_utils.basic import AnsibleModule

spec = {"services": {"type": "list", "elements": "dict"}, "state": {"type": "str"}, "netns": {"type": "str"}}
AnsibleModule(argument_spec=spec, supports_check_mode=True).exit_json(changed=False)
"""
PLAY = """\
- hosts: localhost
  connection: local
  gather_facts: false
  vars_files: [table.json]
  tasks:
    - {module}: {{netns: {netns}, state: {state}, services: "{{{{ services }}}}"}}
"""
LOOP = """\
- hosts: localhost
  connection: local
  gather_facts: false
  vars_files: [commands.json]
  tasks:
    - ansible.builtin.command: "{{ item }}"
      loop: "{{ commands }}"
"""


def seconds(call, before=lambda: None, times=TIMES):
    """The median of several calls."""
    taken = []
    for _time in range(times):
        before()
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def beside(calls, before=lambda: None, times=BESIDE):
    """The medians of calls that take turns, so that what slows the machine down for a while slows all of them."""
    rounds = [[seconds(call, before, 1) for call in calls] for _round in range(times)]
    return [statistics.median(column) for column in zip(*rounds)]


def emptied(netns):
    """The namespace anew, as after a boot: what was flushed slows down whoever fills the table next."""
    netns.close()
    netns.__init__(netns.name)


def against(what, ours, theirs, aim):
    row(what, f"{ours:.2f} s / {theirs:.2f} s = {ours / theirs:.2f} (aim: {aim})")


class Bare:
    """What a Python socket takes for messages that are packed already, one at a time: the limit for a program in Python."""

    def __init__(self):
        with contextlib.closing(_netlink._open()) as link:
            self.family = link.family
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        self._socket.bind((0, 0))

    def change(self, messages):
        for message in messages:
            self._socket.send(message)
            self._socket.recv(65536)

    def dump(self, messages):
        for message in messages:
            self._socket.send(message)
            while self._socket.recv(65536)[4:6] != b"\3\0":  # NLMSG_DONE
                pass


number = _wire.COMMANDS.index


def packed(family, steps):
    flags = _wire.NLM_F_REQUEST | _wire.NLM_F_ACK
    return [
        _wire.pack_message(family, number(_wire.operation_command(each)), _wire.pack_operation(each), flags, 1)
        for step in steps
        for each in step
    ]


def inside(netns, options):
    """Parts of a run, in one process."""
    table = declared(spec_of(options).entries)
    steps = make_steps({}, table)
    with _host.network_namespace(netns.name), contextlib.closing(Kernel()) as kernel:

        def flush():
            netns.ipvsadm("-C")

        bare = Bare()
        messages = packed(bare.family, steps)
        limit, ours = beside((lambda: bare.change(messages), lambda: [kernel.apply(step) for step in steps]), flush)
        against("applying alone, against packed messages through a bare socket", ours, limit, "1.5")
        assert kernel.table() == table
        before = resource.getrusage(resource.RUSAGE_SELF)
        with counted_calls() as calls:
            kernel.table()
        after = resource.getrusage(resource.RUSAGE_SELF)
        theirs, reading = beside((lambda: netns.ipvsadm("-Sn"), kernel.table))
        against("reading alone, against `ipvsadm -Sn`", reading, theirs, "0.8")
        user = after.ru_utime - before.ru_utime
        row("one reading: system calls on the socket, user CPU time", f"{len(calls)}, {user:.2f} s")
        dumps = [
            _wire.pack_message(bare.family, number("GET_DEST"), _wire.pack_service_key(key), 0x301, 1)
            for key in kernel.table()
        ]
        row("reading through a bare socket, nothing decoded", f"{seconds(lambda: bare.dump(dumps)):.2f} s")


@contextlib.contextmanager
def counted_calls():
    calls, send, receive = [], Link._send, Link._receive

    def counted(method):
        def call(*arguments):
            calls.append(method)
            return method(*arguments)

        return call

    Link._send, Link._receive = counted(send), counted(receive)
    try:
        yield calls
    finally:
        Link._send, Link._receive = send, receive


def plays(netns, options, text, directory):
    """Whole plays, less the same play with a module that takes the same argument and does nothing, run beside them."""
    Path(directory, "library").mkdir()
    Path(directory, "library", "nothing.py").write_text(NOTHING)
    Path(directory, "table.json").write_text(json.dumps({"services": options}))

    def play(module, state="overridden"):
        path = Path(directory, "play.yml")
        path.write_text(PLAY.format(module=module, netns=netns.name, state=state))
        return command("ansible-playbook", path, timeout=1800).stdout

    weights = "".join(
        f"-e -t {each['address']}:80 -r {each['servers'][0]['address']}:80 -m -w 9 -x 1000\n" for each in options[:100]
    )
    kinds = {
        "a module that takes the table and does nothing": ("nothing", lambda: None),
        "`ipvs_table`, fresh table": ("linux.lvs.ipvs_table", lambda: emptied(netns)),
        "`ipvs_table`, nothing to do": ("linux.lvs.ipvs_table", lambda: None),
        "`ipvs_table`, 100 weights": ("linux.lvs.ipvs_table", lambda: netns.restore(weights)),
    }
    rounds = [
        [seconds(partial(play, module), before, 1) for module, before in kinds.values()]
        + [
            seconds(lambda: netns.ipvsadm("-Sn"), times=1),
            seconds(lambda: netns.restore(text), lambda: emptied(netns), 1),
        ]
        for _round in range(ROUNDS)
    ]
    assert len(netns.save()) == SERVICES * (SERVERS + 1)
    columns = list(zip(*rounds[1:]))  # the first round fills caches
    for name, column in zip(kinds, columns):
        row(f"whole play: {name}", f"{statistics.median(column):.2f} s ({min(column):.2f} to {max(column):.2f})")
    nothing, *ours, save, restore = columns
    fresh, idle, _some = (statistics.median(map(operator.sub, column, nothing)) for column in ours)
    row(
        "beside the plays: `ipvsadm -R`, `ipvsadm -Sn`",
        f"{statistics.median(restore):.2f} s, {statistics.median(save):.2f} s",
    )
    against("fresh table, against `ipvsadm -R`", fresh, statistics.median(restore), "0.6")
    against("nothing to do, against `ipvsadm -Sn`", idle, statistics.median(save), "2.5")
    more = statistics.median(map(operator.sub, ours[2], ours[1]))
    row("100 weights of 10,000 changed: more than nothing to do", f"{more:.2f} s")
    against(
        "whole play: 100 weights changed, against nothing to do", *map(statistics.median, (ours[2], ours[1])), "1.2"
    )
    return statistics.median(ours[0])


def looped(netns, fresh, directory):
    """One `command: ipvsadm` an entry; a part is measured."""
    lines = render(declared(spec_of(options_of(LOOPED // 10, 9)).entries)).splitlines()
    words = [f"ip netns exec {netns.name} ipvsadm {line}" for line in lines]
    Path(directory, "commands.json").write_text(json.dumps({"commands": words}))
    path = Path(directory, "loop.yml")
    path.write_text(LOOP)
    netns.ipvsadm("-C")
    one = seconds(lambda: command("ansible-playbook", path, timeout=3000), times=1) / len(words)
    every = one * SERVICES * (SERVERS + 1)
    row(f"a task of `command: ipvsadm` for each entry ({len(words)} measured)", f"{every:.0f} s for 11,000")
    row("that, against one task for the table", f"{every / fresh:.0f} times (aim: 500)")


def converged(netns, options):
    """A run within one process: (seconds, peak memory in MB)."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        begin = time.perf_counter()
        with _host.network_namespace(netns.name), contextlib.closing(Kernel()) as kernel:
            spec = spec_of(options)
            task = Task(
                read=kernel.table,
                again=kernel.table,
                desire=lambda table: with_table(table, spec),
                drain=DrainSpec(),
                templates_expire=lambda: True,
                lock=lambda: _host.lock("benchmark"),
                log=lambda line: None,
            )
            assert len(converge(kernel, task).operations) == len(options) * (1 + len(options[0]["servers"]))
        taken = time.perf_counter() - begin
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        os.write(write_end, json.dumps([taken, peak]).encode())
        os._exit(0)
    os.close(write_end)
    with open(read_end, encoding="utf-8") as file:
        answer = file.read()
    assert os.waitpid(child, 0)[1] == 0
    return json.loads(answer)


def growth(netns):
    sizes = [options_of(count, SERVERS) for count in GROWTH]
    texts = [render(declared(spec_of(options).entries)) for options in sizes]
    rounds = [[grown(netns, options, text) for options, text in zip(sizes, texts)] for _round in range(TIMES)]
    last = None
    for count, column in zip(GROWTH, zip(*rounds)):
        restore, taken, peak = map(statistics.median, zip(*column))
        times = f", {taken / last[1]:.2f} times the time of the row above (aim: 2.2)" if last else ""
        theirs = f" ({restore / last[0]:.2f} times)" if last else ""
        row(
            f"read, plan, apply, verify {count} services x {SERVERS}, in one process; `ipvsadm -R` of them",
            f"{taken:.2f} s, {peak:.0f} MB{times}; {restore:.2f} s{theirs}",
        )
        last = (restore, taken)
    emptied(netns)
    taken, peak = converged(netns, options_of(HUGE // 100, 100))
    row(f"{HUGE} servers in {HUGE // 100} services, in one process", f"{taken:.1f} s, peak {peak:.0f} MB")


def grown(netns, options, text):
    """Seconds of ipvsadm -R, those of a run, its peak memory in MB."""
    restore = seconds(lambda: netns.restore(text), lambda: emptied(netns), 1)
    emptied(netns)
    return (restore, *converged(netns, options))


def main():
    gc.disable()  # as the module does
    netns = Namespace("benchmark")
    try:
        options = options_of(SERVICES, SERVERS)
        text = render(declared(spec_of(options).entries))
        restore = seconds(lambda: netns.restore(text), lambda: emptied(netns))
        save = seconds(lambda: netns.ipvsadm("-Sn"))
        row(f"`ipvsadm -R` of {SERVICES} services x {SERVERS} servers", f"{restore:.2f} s")
        row("`ipvsadm -Sn` of it", f"{save:.2f} s")
        with tempfile.TemporaryDirectory() as directory:
            inside(netns, options)
            fresh = plays(netns, options, text, directory)
            looped(netns, fresh, directory)
        growth(netns)
    finally:
        netns.close()


if __name__ == "__main__":
    main()
