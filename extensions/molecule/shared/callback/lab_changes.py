# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes down which tasks of converge.yml change something on which machine: those of check mode, and those that do it."""

import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: lab_changes
type: aggregate
short_description: which tasks change something
description:
  - Lines of a machine and a task each, in the files C(check) and C(run) of the directory E(LAB_CHANGES), of the last run of each.
requirements:
  - enabled in the configuration
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "lab_changes"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._files = {}
        self._wanted = False

    def v2_playbook_on_start(self, playbook):
        self._wanted = os.path.basename(playbook._file_name) == "converge.yml"

    def v2_runner_on_ok(self, result):
        checks = result._task_fields["check_mode"]
        # that of a whole loop is not evaluated, those of its items are
        if self._wanted and result.is_changed() and isinstance(checks, bool):
            self._write("check" if checks else "run", f"{result._host.get_name()} {result._task.get_name()}\n")

    v2_runner_item_on_ok = v2_runner_on_ok

    def _write(self, kind, line):
        if kind not in self._files:
            directory = os.environ["LAB_CHANGES"]
            os.makedirs(directory, exist_ok=True)
            self._files[kind] = open(os.path.join(directory, kind), "w", encoding="utf-8")  # noqa: SIM115 (until Ansible ends)
        self._files[kind].write(line)
        self._files[kind].flush()
