# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many examples of each property are tried here."""

from __future__ import annotations

from ansible_collections.linux.lvs.tests.profiles import load_profile

load_profile(quick=60, long=1000)
