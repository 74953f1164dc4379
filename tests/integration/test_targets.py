# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own form of integration tests, which `ansible-test integration` finds too."""

from __future__ import annotations

from pathlib import Path

import pytest

TARGETS = sorted(path.name for path in (Path(__file__).parent / "targets").iterdir())


@pytest.mark.parametrize("target", TARGETS)
def test_target(newest_ansible, target):
    assert newest_ansible.play("target.yml", "-e", f"target={target}").recap["failed"] == 0
