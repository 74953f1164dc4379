# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules files: every spelling of a line, lines that change what is there, every bad line by number."""

from __future__ import annotations

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._errors import InvalidInput
from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import command, parse, render
from ansible_collections.linux.lvs.plugins.module_utils._model import Entry, Service
from ansible_collections.linux.lvs.plugins.module_utils._plan import make_plan
from ansible_collections.linux.lvs.tests.unit.lines import (
    BEFORE,
    CHANGES,
    MARK,
    READ_BY_US,
    REFUSED,
    REFUSED_BY_US,
    SERVERS,
    SERVICES,
    WEB,
)
from ansible_collections.linux.lvs.tests.unit.tables import ANY_TABLES, TABLES, changed_tables
from hypothesis import given
from hypothesis import strategies as st

# fmt: off
WORDS = (
    "-A", "-a", "-At", "-E", "-e", "-D", "-d", "-C", "-Z", "-t", "-u", "-f", "-6", "-s", "-p", "-M", "-b", "-o", "-r",
    "-m", "-i", "-w", "-x", "-y", "-", "--", "--pe=", "--tun-type", "gue", "--tun-port=1", "--ops", "=", "#", ",", "80",
    "1", "\u00e9", "192.0.2.1:80", "192.0.2.1", "[::1]:80", "::1", ":", "[", "]", "\n", "rr", "flag-3", "--sort",
)
# fmt: on
BAD = [case[:2] for case in (*REFUSED, *REFUSED_BY_US)]


def problems_of(text):
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    return caught.value.problems


@pytest.mark.parametrize(("line", "service"), SERVICES, ids=[case[0] for case in SERVICES])
def test_service_is_read_from_any_spelling(line, service):
    assert parse(BEFORE + line) == {**parse(BEFORE), service.key: Entry(service, {})}


@pytest.mark.parametrize(("line", "key", "server"), SERVERS, ids=[case[0] for case in SERVERS])
def test_server_is_read_from_any_spelling(line, key, server):
    before = parse(BEFORE)
    servers = {**before[key].servers, server.key: server}
    assert parse(BEFORE + line) == {**before, key: Entry(before[key].service, servers)}


@pytest.mark.parametrize(("lines", "after"), CHANGES, ids=[case[0] for case in CHANGES])
def test_lines_may_change_what_is_there(lines, after):
    assert parse(BEFORE + lines) == parse(after)


@pytest.mark.parametrize(("line", "noun"), READ_BY_US, ids=[case[0] for case in READ_BY_US])
def test_what_ipvsadm_writes_of_odd_entries_is_read(line, noun):
    table = parse(BEFORE + line)
    found = table[noun.key].service if isinstance(noun, Service) else table[WEB].servers[noun.key]
    assert found == noun


@pytest.mark.parametrize(("line", "problem"), BAD, ids=[case[0] for case in BAD])
def test_bad_line_is_told_with_its_number(line, problem):
    assert problems_of(f"\n# rules\n{BEFORE}\n\n  {line}\n") == (f"line 11: {problem}: {line.strip()}",)


def test_all_problems_of_all_lines_are_told_at_once():
    lines = [
        "-L",
        "-A -t www:http -s RR -b sh-port -p 0",
        "# fine",
        "-a -t 192.0.2.1:80 -r 198.51.100.1 -w x -m -y 5 -x z",
    ]
    assert [problem.rpartition(": ")[0] for problem in problems_of("\n".join(lines))] == [
        "line 1: a line can't begin with -L, only with one of -A, -E, -D, -a, -e, -d, -C, -Z",
        "line 2: --tcp-service: 'www' is not an IPv4 or IPv6 address (names are not resolved);"
        " ipvsadm -S -n writes addresses and ports as numbers",
        "line 2: --scheduler: 'RR' is not a name of 1 to 15 characters out of a-z, 0-9, - and _",
        "line 2: --persistent: 0 is not between 1 and 2678400",
        "line 4: --weight: 'x' is not a whole number between 0 and 2147483647",
        "line 4: --u-threshold: 'z' is not a whole number between 0 and 2147483647",
        "line 4: service tcp 192.0.2.1:80 is not on a line above",
    ]


def test_a_wrong_service_does_not_make_the_lines_of_its_servers_wrong():
    wrong = "-A -t 192.0.2.1:80 -s RR\n"
    server = "-a -t 192.0.2.1:80 -r 198.51.100.1"
    assert len(problems_of(f"{wrong}{server}\n{server} -w 5\n")) == 1
    assert len(problems_of(f"{wrong}{server} -w x\n")) == 2


def test_every_server_of_a_missing_service_is_told():
    server = "-a -t 192.0.2.1:80 -r 198.51.100.1\n"
    assert [problem.partition(":")[0] for problem in problems_of(server * 2)] == ["line 1", "line 2"]


def test_what_ipvsadm_loses_is_not_read_from_thin_air():
    """Without the flag the line would describe another service."""
    assert "write flag-3" in problems_of("-A -f 7 -s sh -b \n")[0]
    assert parse("-A -f 7 -s sh -b flag-3\n")[MARK].service.scheduler_flags == {3}


@pytest.mark.parametrize("text", ["", "\n", "# ipvsadm-save\n\n  # indented\n", " \t\r\n"], ids=repr)
def test_blank_lines_and_comments_are_passed_over(text):
    assert parse(text) == {}
    assert parse(f"{text}\n{BEFORE}\r\n{text}") == parse(BEFORE)


def _assert_commands_lead_from_one_to_the_other(before, after):
    commands = "".join(f"{command(operation)}\n" for operation in make_plan(before, after))
    assert parse(render(before) + commands) == after


@given(ANY_TABLES, ANY_TABLES)
def test_commands_of_a_plan_lead_to_the_table_that_was_planned(before, after):
    _assert_commands_lead_from_one_to_the_other(before, after)


@given(st.data())
def test_commands_of_a_plan_lead_to_a_table_that_differs_in_little(data):
    before = data.draw(TABLES)
    _assert_commands_lead_from_one_to_the_other(before, data.draw(changed_tables(before)))


@given(st.lists(st.sampled_from(WORDS)))
def test_words_in_any_order_are_read_or_refused_in_sentences(words):
    _assert_read_or_refused(" ".join(words))


@given(st.text())
def test_text_of_any_kind_is_read_or_refused_in_sentences(text):
    _assert_read_or_refused(text)
    _assert_read_or_refused(f"-A -t 192.0.2.1:80 {text}")


def _assert_read_or_refused(text):
    try:
        table = parse(text)
    except InvalidInput as error:
        assert error.problems
        assert all(problem.startswith("line ") for problem in error.problems)
    else:
        assert parse(render(table)) == table
