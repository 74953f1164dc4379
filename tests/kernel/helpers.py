# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several tests on the kernel need. Their judge is ipvsadm and /proc, never the collection's own reader."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import shlex
import socket
import time
from dataclasses import dataclass

from ansible.module_utils import basic
from ansible.module_utils.common import warnings
from ansible_collections.linux.lvs.plugins.module_utils._errors import LvsError
from ansible_collections.linux.lvs.plugins.module_utils._host import network_namespace
from ansible_collections.linux.lvs.plugins.module_utils._model import Server
from ansible_collections.linux.lvs.plugins.module_utils._netlink import Kernel
from ansible_collections.linux.lvs.plugins.module_utils._plan import Operation
from ansible_collections.linux.lvs.tests.lab.modules import PACKAGE, Modules


class Quick(Modules):
    """Runs modules in this process, which must not have been changed by the test: forking takes most of a run's time."""

    def __call__(self, name, *, check=False, diff=False, timeout=None, **options):
        basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = self._arguments(check, diff, options), "legacy"
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
                importlib.import_module(f"{PACKAGE}.{name}").main()
        finally:
            warnings._global_warnings.clear()
        result = json.loads(out.getvalue())
        assert "Traceback" not in out.getvalue(), result
        return result


@dataclass(frozen=True)
class Seen:
    """A table as others than we see it."""

    save: tuple[str, ...]
    thresholds: tuple[str, ...]
    proc: tuple[str, ...]

    @property
    def configuration(self):
        """Without what differs between namespaces that hold the same: the size of the kernel's hash table."""
        return self.save, tuple(line for line in self.thresholds if not line.startswith("IP Virtual Server"))

    @property
    def limits(self):
        """(upper, lower) threshold by server."""
        rows = (line.split() for line in self.thresholds if line.startswith("  -> ") and "Remote" not in line)
        return {row[1]: (int(row[2]), int(row[3])) for row in rows}


LOOK = "echo ---; ipvsadm -Sn; echo ---; ipvsadm -Ln --thresholds; echo ---; cat /proc/net/ip_vs"


def seen(netns, first="true"):
    """The table, after a line of shell."""
    done = netns.run("sh", "-ec", f"{first}\n{LOOK}")
    assert not done.stderr, done.stderr
    return Seen(
        *(tuple(sorted(line.rstrip() for line in part.splitlines())) for part in done.stdout.split("---\n")[1:])
    )


def played(commands, netns, other):
    """The table of another namespace after the commands that results list, run there by hand."""
    prefix = f"ip netns exec {netns.name} "
    assert all(command.startswith(f"{prefix}ipvsadm ") for command in commands), commands
    return seen(other, "\n".join(shlex.join(command[len(prefix) :].split()) for command in commands))


def singly(one):
    """In place of Kernel.apply: one(kernel, operation) for each operation of a step, until one raises what became of it."""

    def apply(kernel, step):
        outcomes = []
        for operation in step:
            try:
                one(kernel, operation)
            except LvsError as error:
                return [*outcomes, error]
            outcomes.append(None)
        return outcomes

    return apply


_APPLY = Kernel.apply


def carry_out(kernel, operation):
    """One operation by the real kernel; raises what became of it."""
    (outcome,) = _APPLY(kernel, [operation])
    if outcome is not None:
        raise outcome


def put(netns, *entries):
    """What ipvsadm would refuse or rewrite, given to the kernel as it is."""
    with network_namespace(netns.name), contextlib.closing(Kernel()) as kernel:
        for service, entry in entries:
            server = entry.key if isinstance(entry, Server) else None
            carry_out(kernel, Operation(service, server, None, entry))


def proved(run, netns, twin, name="ipvs_table", **options):
    """One task: in check mode, for real, once more, and by its commands in a twin that holds the same.

    Its result, and the table afterwards.
    """
    before = seen(netns)
    predicted = ok(run(name, check=True, diff=True, **options))
    assert seen(netns) == before, "check mode changed the table"
    done = ok(run(name, diff=True, **options))
    for key in ("changed", "commands", "before", "after", "diff"):
        assert predicted[key] == done[key], key
    assert done["changed"] is bool(done["commands"])
    again = ok(run(name, **options))
    assert (again["changed"], again["commands"]) == (False, [])
    after = seen(netns).configuration
    assert played(done["commands"], netns, twin).configuration == after, "by hand it comes out otherwise"
    return done, after


KINDS = {"tcp": (socket.SOCK_STREAM, 0), "udp": (socket.SOCK_DGRAM, 0), "sctp": (socket.SOCK_STREAM, 132)}
SO_MARK = 36  # include/uapi/asm-generic/socket.h


class Traffic:
    """Sockets in namespaces. Nobody accepts what comes in: the kernel does that, and the connection stands."""

    def __init__(self):
        self._open = []

    def _socket(self, netns, kind, address):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with network_namespace(netns.name):
            self._open.append(socket.socket(family, *KINDS[kind]))
        self._open[-1].settimeout(10)
        return self._open[-1]

    def listen(self, netns, kind, port, address="::"):
        server = self._socket(netns, kind, address)
        server.bind((address, port))
        if kind != "udp":
            server.listen(16)
        return server

    def connect(self, netns, kind, address, port, mark=0):
        """A connection with a word sent through it."""
        client = self._socket(netns, kind, address)
        if mark:
            client.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
        client.connect((address, port))
        client.send(b"hello")
        return client

    @staticmethod
    def end(connection):
        """Close it, also where a child process has it too."""
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def close(self):
        for each in self._open:
            each.close()


class Beside:
    """A call that goes on in a process of its own while the test does something else."""

    def __init__(self, call, *arguments, **options):
        self._result, end = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            try:
                os.write(end, json.dumps(call(*arguments, **options)).encode())
            finally:
                os._exit(0)
        os.close(end)

    def result(self):
        """What the call returned, once it has."""
        with open(self._result, encoding="utf-8") as file:
            text = file.read()
        os.waitpid(self._child, 0)
        return json.loads(text)


def eventually(condition, seconds=10):
    """Waits until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.05)


def statistics(netns):
    """{entry: (connections, packets in and out, bytes in and out)} as ipvsadm counts them."""
    lines = netns.ipvsadm("-Ln", "--stats", "--exact").splitlines()[3:]
    return {words[-6]: tuple(map(int, words[-5:])) for words in (line.split() for line in lines)}


def counted_all(netns, service, connections):
    """The statistics once the kernel, which adds up every two seconds, has counted all that was sent."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        counts = statistics(netns)
        servers = [count for entry, count in counts.items() if entry != service]
        if counts[service][0] == connections and counts[service] == tuple(map(sum, zip(*servers))):
            return counts
        time.sleep(0.2)
    raise AssertionError(f"after 20 s the kernel has counted {counts}")


def ok(result):
    assert not result.get("failed"), result.get("msg", result)
    return result


def warned(result):
    """The texts of a result's warnings, which newer Ansible wraps."""
    return [text if isinstance(text, str) else text["event"]["msg"] for text in result.get("warnings", [])]


def failed(result):
    """The message of a result that is a failure: one line, and no traceback."""
    assert result.get("failed") is True, result
    assert "exception" not in result, result
    assert "\n" not in result["msg"], result
    return result["msg"]
