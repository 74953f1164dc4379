# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules files are read as ipvsadm -R reads them: what it makes of a text is what it makes of ours, and what it refuses
is refused.

Nothing of ours touches the kernel here: text goes in by ipvsadm -R and comes out by ipvsadm -Sn.
"""

from __future__ import annotations

import re
from contextlib import closing

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._errors import InvalidInput
from ansible_collections.linux.lvs.plugins.module_utils._host import network_namespace
from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import parse, render, unsayable
from ansible_collections.linux.lvs.plugins.module_utils._model import FLAG_NAMES, SCHEDULERS, Entry, ServerKey
from ansible_collections.linux.lvs.plugins.module_utils._netlink import Kernel
from ansible_collections.linux.lvs.plugins.module_utils._plan import make_plan
from ansible_collections.linux.lvs.tests.unit.lines import (
    BEFORE,
    CHANGES,
    READ_BY_US,
    REFUSED,
    REFUSED_BY_US,
    SERVERS,
    SERVICES,
)
from ansible_collections.linux.lvs.tests.unit.tables import ANY_TABLES
from helpers import seen
from hypothesis import HealthCheck, given, settings

ACCEPTED = [*(case[0] for case in SERVICES), *(case[0] for case in SERVERS), *(case[0] for case in CHANGES)]

# One text into an empty table, and what is there then. Output and exit status of ipvsadm -R come first.
RESTORE = """
ipvsadm -C
ipvsadm -R <<'END_OF_RULES' 2>&1
{text}
END_OF_RULES
echo "status $?"
ipvsadm -Sn
ipvsadm -Ln --thresholds | tail -n +4
echo ======
"""


class Made:
    """What ipvsadm -R made of a text."""

    def __init__(self, output):
        said, _status, rest = output.partition("status ")
        status, _newline, table = rest.partition("\n")
        lines = sorted(line.rstrip() for line in table.splitlines())
        self.said = said.strip()
        self.fine = status == "0" and not self.said
        self.saved = [line for line in lines if line.startswith("-")]
        self.listed = [line for line in lines if not line.startswith("-")]

    @property
    def table(self):
        return self.saved + self.listed

    @property
    def limits(self):
        """Servers with upper and lower threshold."""
        rows = (line.split() for line in self.listed if line.startswith("  ->"))
        return sorted((row[1], int(row[2]), int(row[3])) for row in rows)


def made(netns, texts):
    """What ipvsadm -R makes of each text, all in one run of a shell, which takes most of the time."""
    script = "".join(RESTORE.format(text=text) for text in texts)
    # it prints the table too when that was asked for, and dies of a list of flags without one
    output = netns.run("sh", "-c", script).stdout
    return [Made(part) for part in output.split("======\n")[:-1]]


@pytest.fixture
def before(netns):
    """The table that every line is tried on."""
    (table,) = made(netns, [BEFORE])
    assert table.fine, table.said
    return table


def test_what_ipvsadm_takes_is_read_as_it_reads_it(netns):
    texts = [f"{BEFORE}{line}" for line in ACCEPTED if "#" not in line]
    theirs = made(netns, texts)
    assert {text: table.said for text, table in zip(texts, theirs) if not table.fine} == {}
    ours = list(dict.fromkeys(render(parse(text)) for text in texts))
    remade = {text: table.table for text, table in zip(ours, made(netns, ours))}
    assert {text: remade[render(parse(text))] for text in texts} == {
        text: table.table for text, table in zip(texts, theirs)
    }


def test_what_ipvsadm_refuses_is_refused(netns, before):
    lines = [case[0] for case in REFUSED]
    found = made(netns, [f"{BEFORE}{line}" for line in lines])
    assert [line for line, table in zip(lines, found) if table.fine] == []
    assert [line for line, table in zip(lines, found) if table.table != before.table] == []


def test_lines_that_only_we_refuse_are_taken_by_ipvsadm(netns):
    """Otherwise they would belong to the others."""
    lines = [case[0] for case in REFUSED_BY_US]
    found = made(netns, [f"{BEFORE}{line}" for line in lines])
    refused = {line: table.said for line, table in zip(lines, found) if not table.fine}
    assert refused.keys() == {"-L", "-S"}  # which is what they print
    assert "-A -f 7 -s rr" in refused["-S"]


@pytest.mark.parametrize(("line", "noun"), READ_BY_US, ids=[case[0] for case in READ_BY_US])
def test_lines_that_only_we_read_are_written_by_ipvsadm(netns, before, line, noun):
    """And it refuses or alters them."""
    (table,) = made(netns, [f"{BEFORE}{line}"])
    assert not table.fine or line not in table.table
    made(netns, [BEFORE])
    current, desired = parse(BEFORE), parse(BEFORE + line)
    (operation,) = make_plan(current, desired)
    assert unsayable(operation)
    with network_namespace(netns.name), closing(Kernel()) as kernel:
        assert kernel.apply([operation]) == [None]
    assert line in netns.save()


def test_what_ipvsadm_writes_where_names_are_numeric_is_read(netns):
    lines = ["-A -t 192.0.2.1:8765 -s rr -p 60", "-a -t 192.0.2.1:8765 -r 198.51.100.1:9876 -m -w 2"]
    netns.restore("\n".join([*lines, "-A -u [2001:db8::1]:8765 -s wlc", ""]))
    table = parse(netns.run("ipvsadm", "-S").stdout)
    assert len(table) == 2
    assert table == parse("\n".join(netns.save()))


def test_comments_are_for_ipvsadm_restore(netns, tmp_path, before):
    """ipvsadm -R stops at one; those that begin a line are taken out before."""
    text = f"# ours\n{BEFORE}\n\n"
    assert not made(netns, [text])[0].fine
    rules = tmp_path / "rules"
    rules.write_text(text)
    assert list(seen(netns, f"ipvsadm-restore < {rules}").save) == before.saved
    assert parse(text) == parse(BEFORE)


def test_marks_that_ipvsadm_writes_as_negative_numbers_are_told(netns):
    netns.restore("-A -f 4294967295 -s rr\n-A -f 2147483648 -6 -s rr\n-A -f 2147483647 -s rr\n")
    saved = netns.save()
    assert saved == ["-A -f -1 -s rr", "-A -f -2147483648 -6 -s rr", "-A -f 2147483647 -s rr"]
    with pytest.raises(InvalidInput) as caught:
        parse("\n".join(saved))
    told = [re.fullmatch(r"line (\d): .*; write (\d+): .*", problem).groups() for problem in caught.value.problems]
    assert told == [("1", "4294967295"), ("2", "2147483648")]


def test_flag_that_ipvsadm_loses_is_told(netns):
    netns.restore("-A -t 192.0.2.1:80 -s mh -b flag-3\n")
    saved = netns.ipvsadm("-Sn")
    assert not made(netns, [saved])[0].fine
    with pytest.raises(InvalidInput, match=r"^line 1: --sched-flags needs a value; .*: write flag-3: -A"):
        parse(saved)


# Any table


def _on_this_kernel(address):
    """Without a route the kernel calls neither loopback networks nor addresses of a link unicast."""
    return not address.startswith(("127.", "fe8", "fe9", "fea", "feb", "::ffff:"))


def _sayable_service(service):
    scheduler = service.scheduler if service.scheduler in SCHEDULERS[:-1] else "none"  # twos is not in older kernels
    one_packet = service.one_packet and service.key.protocol in ("udp", None)
    return service._replace(scheduler=scheduler, one_packet=one_packet)


def _sayable_server(service, server):
    if server.forwarding != "nat" and not service.fwmark:
        server = server._replace(key=ServerKey(server.key.address, service.port))
    if server.tunnel_type == "gre" and server.tunnel_checksum == "remcsum":
        server = server._replace(tunnel_checksum="csum")
    return server


def _sayable(table):
    """A table that ipvsadm takes on this kernel, and can write."""
    made_sayable = {}
    for key, entry in table.items():
        service = _sayable_service(entry.service._replace(key=key._replace(fwmark=min(key.fwmark, 2**31 - 1))))
        servers = [
            _sayable_server(service.key, server)
            for server in entry.servers.values()
            if _on_this_kernel(server.key.address)
        ]
        made_sayable[service.key] = Entry(service, {server.key: server for server in servers})
    return made_sayable


def _as_saved(entry):
    """Without what ipvsadm -S leaves out."""
    lost = frozenset({3}) if entry.service.scheduler in FLAG_NAMES else frozenset()
    service = entry.service._replace(scheduler_flags=entry.service.scheduler_flags - lost)
    servers = {key: it._replace(upper_threshold=0, lower_threshold=0) for key, it in entry.servers.items()}
    return Entry(service, servers)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(ANY_TABLES.map(_sayable))
def test_any_table_is_restored_and_saved_by_ipvsadm_as_it_was(netns, table):
    (found,) = made(netns, [render(table)])
    assert found.fine, found.said
    saved = "\n".join(line[: -len(" -b")] if line.endswith(" -b") else line for line in found.saved)
    assert parse(saved) == {key: _as_saved(entry) for key, entry in table.items()}
    servers = [server for entry in table.values() for server in entry.servers.values()]
    assert found.limits == sorted((str(it.key), it.upper_threshold, it.lower_threshold) for it in servers)
