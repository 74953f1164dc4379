# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks share: the table that they are about, and how a figure is printed."""

from __future__ import annotations

from ansible_collections.linux.lvs.plugins.module_utils._table import SCOPES, TableSpec, read_entries

SERVICES, SERVERS = 1000, 10


def row(what, figure):
    print(f"| {what} | {figure} |", flush=True)


def options_of(services, servers):
    """A table as a user declares it."""
    return [
        {
            "address": f"10.{number // 250}.{number % 250}.1",
            "port": 80,
            "scheduler": "wrr",
            "servers": [
                {
                    "address": f"172.{16 + server // 200}.{server % 200}.{number % 250 + 1}",
                    "forwarding": "nat",
                    "weight": 1,
                    "upper_threshold": 1000,
                }
                for server in range(servers)
            ],
        }
        for number in range(services)
    ]


def spec_of(options):
    """It as ipvs_table understands it with state overridden."""
    problems = []
    entries = read_entries(options, "services", problems)
    assert not problems
    return TableSpec(SCOPES["overridden"], tuple(entries), allowed_actions=("add", "update", "remove"))
