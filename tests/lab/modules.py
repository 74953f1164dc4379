# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module of the collection with arguments in the form that Ansible gives it, and returns its result."""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback

from ansible.module_utils import basic

PACKAGE = "ansible_collections.linux.lvs.plugins.modules"

# In an interpreter of its own: what of this file a forked child does
PROGRAM = f"""
import importlib, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = sys.stdin.buffer.read(), "legacy"
importlib.import_module("{PACKAGE}." + sys.argv[1]).main()
"""


class Modules:
    """netns: the option of that name where a call has none; `netns=None` leaves it out."""

    def __init__(self, netns, directory):
        self._netns = netns
        self._directory = directory

    def __call__(self, name, *, check=False, diff=False, timeout=120, **options):
        """In a forked child, which has Ansible and pyroute2 imported already."""
        main = importlib.import_module(f"{PACKAGE}.{name}").main
        arguments = self._arguments(check, diff, options)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            status = _forked(main, arguments, out, err, timeout)
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode())
        return _result(name, status, *texts)

    def subprocess(
        self,
        name,
        *,
        check=False,
        diff=False,
        timeout=120,
        python=sys.executable,
        pythonpath=(),
        env=None,
        prefix=(),
        **options,
    ):
        """In an interpreter of its own. pythonpath comes before what is there; prefix: a command that runs commands."""
        paths = [*map(str, pythonpath), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        done = subprocess.run(
            [*prefix, python, "-c", PROGRAM, name],
            input=self._arguments(check, diff, options),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **(env or {})},
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return _result(name, done.returncode, done.stdout.decode(), done.stderr.decode())

    def _arguments(self, check, diff, options):
        options = {"netns": self._netns, **options}
        given = {key: value for key, value in options.items() if key != "netns" or value is not None}
        internal = {
            "_ansible_check_mode": check,
            "_ansible_diff": diff,
            "_ansible_remote_tmp": str(self._directory),
            "_ansible_tmpdir": str(self._directory),
            "_ansible_keep_remote_files": True,
        }
        return json.dumps({"ANSIBLE_MODULE_ARGS": {**given, **internal}}).encode()


def _forked(main, arguments, out, err, timeout):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(timeout)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            sys.stdout, sys.stderr = io.TextIOWrapper(io.FileIO(1, "w")), io.TextIOWrapper(io.FileIO(2, "w"))
            basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = arguments, "legacy"
            main()
        except SystemExit as end:
            status = end.code or 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _result(name, status, out, err):
    told = f"{name} exited with {status}\n--- stdout\n{out}\n--- stderr\n{err}"
    assert "Traceback" not in out + err, told
    lines = out.strip().splitlines()
    assert lines, told
    try:
        result = json.loads(lines[-1])
    except ValueError:
        raise AssertionError(told) from None
    assert bool(status) == bool(result.get("failed")), told
    return result
