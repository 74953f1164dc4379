# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans: cases are directories in plans/ (current.save and desired.save, expected.txt; drained.txt when what goes is
drained first), rules are properties."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._desired import drained_first
from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import command, parse
from ansible_collections.linux.lvs.plugins.module_utils._model import Entry, Server, ServerKey, Service, ServiceKey
from ansible_collections.linux.lvs.plugins.module_utils._plan import Operation, led_back, make_plan, touched
from ansible_collections.linux.lvs.tests.unit.tables import (
    NEAR_SERVERS,
    NEAR_SERVICES,
    TABLES,
    applied,
    changed_tables,
    near_servers,
    near_services,
)
from hypothesis import given
from hypothesis import strategies as st

CASES = sorted(path for path in (Path(__file__).parent / "plans").iterdir() if path.is_dir())


@st.composite
def _pairs(draw):
    table = draw(TABLES)
    return table, draw(changed_tables(table))


@st.composite
def _chains(draw):
    """Three tables: a run that drains goes over the second one to the third."""
    first, second = draw(_pairs())
    return first, second, draw(changed_tables(second))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_plan_is_the_expected_commands(case):
    current, desired = (parse((case / name).read_text()) for name in ("current.save", "desired.save"))
    plan = make_plan(current, desired)
    assert [command(operation) for operation in plan] == (case / "expected.txt").read_text().splitlines()


@pytest.mark.parametrize(
    "case", [case for case in CASES if (case / "drained.txt").exists()], ids=lambda case: case.name
)
def test_plan_that_drains_first_is_the_expected_commands(case):
    current, desired = (parse((case / name).read_text()) for name in ("current.save", "desired.save"))
    middle = drained_first(current, desired)[0]
    plan = make_plan(current, middle) + make_plan(middle, desired)
    assert [command(operation) for operation in plan] == (case / "drained.txt").read_text().splitlines()


@given(_pairs())
def test_plan_leads_to_what_is_desired(pair):
    current, desired = pair
    assert applied(current, make_plan(current, desired)) == desired


@given(TABLES)
def test_second_plan_is_empty(table):
    assert make_plan(table, dict(table)) == ()


@given(_pairs(), st.randoms(use_true_random=False))
def test_order_of_the_input_has_no_influence(pair, chance):
    current, desired = pair
    assert make_plan(_shuffled(current, chance), _shuffled(desired, chance)) == make_plan(current, desired)


@given(_pairs())
def test_service_never_lacks_a_server_that_it_has_before_and_after(pair):
    current, desired = pair
    plan = make_plan(current, desired)
    serving = {key for key in current if key in desired and _serves(current[key]) and _serves(desired[key])}
    for count in range(len(plan) + 1):
        table = applied(current, plan[:count])
        assert not [key for key in serving if not _serves(table[key])], plan[count - 1]


@given(_pairs())
def test_nothing_is_deleted_and_added(pair):
    plan = make_plan(*pair)
    entries = [(operation.service, operation.server) for operation in plan]
    assert len(entries) == len(set(entries))


@given(_pairs())
def test_server_never_has_a_weight_of_neither_table(pair):
    for operation in make_plan(*pair):
        if operation.server is not None and operation.after is not None:
            assert operation.after == pair[1][operation.service].servers[operation.server]


@given(_pairs())
def test_touched_are_the_services_that_differ(pair):
    current, desired = pair
    plan = make_plan(current, desired)
    assert touched(plan, current) == {key: entry for key, entry in current.items() if desired.get(key) != entry}
    assert touched(plan, desired) == {key: entry for key, entry in desired.items() if current.get(key) != entry}


@given(_chains(), st.data())
def test_led_back_from_any_step_is_the_snapshot(chain, data):
    first, second, third = chain
    plan = make_plan(first, second) + make_plan(second, third)
    journal = plan[: data.draw(st.integers(0, len(plan)))]
    assert led_back(applied(first, journal), first, journal) == (first, ())


def test_server_that_was_drained_and_removed_and_is_back_was_changed_by_nobody_else():
    key, name = ServiceKey("ipv4", "tcp", "192.0.2.1", 80), ServerKey("198.51.100.1", 80)
    server = Server(name, weight=5)
    idle = server._replace(weight=0)
    before = {key: Entry(Service(key), {name: server})}
    journal = [Operation(key, name, server, idle), Operation(key, name, idle, None)]
    assert led_back({key: Entry(Service(key), {})}, before, journal) == (before, ())
    assert led_back(before, before, journal) == (before, ())


@given(_pairs(), st.data())
def test_led_back_leaves_what_a_rival_added_elsewhere(pair, data):
    current, desired = pair
    plan = make_plan(current, desired)
    journal = plan[: data.draw(st.integers(0, len(plan)))]
    now = applied(current, journal)
    key = ServiceKey("ipv4", "tcp", "203.0.113.9", 9)
    rivals = Entry(data.draw(near_services(key)), {})
    assert led_back({**now, key: rivals}, current, journal) == ({**current, key: rivals}, ())


@given(_pairs(), st.data())
def test_led_back_leaves_and_reports_a_server_that_a_rival_changed(pair, data):
    current, desired = pair
    journal = make_plan(current, desired)
    now = applied(current, journal)
    candidates = [operation for operation in journal if operation.server is not None and operation.service in now]
    if not candidates:
        return
    operation = data.draw(st.sampled_from(candidates))
    theirs = data.draw(
        near_servers(operation.server).filter(lambda new: new not in (operation.before, operation.after))
    )
    entry = now[operation.service]
    now[operation.service] = Entry(entry.service, {**entry.servers, operation.server: theirs})
    back, foreign = led_back(now, current, journal)
    assert operation.entry in foreign
    assert back[operation.service].servers[operation.server] == theirs
    if operation.service in current:
        ours = current[operation.service]
        mixed = Entry(ours.service, {**ours.servers, operation.server: theirs})
    else:
        mixed = Entry(back[operation.service].service, {operation.server: theirs})
    assert back == {**current, operation.service: mixed}


@given(_pairs(), st.data())
def test_led_back_leaves_and_reports_a_service_that_a_rival_changed(pair, data):
    current, desired = pair
    journal = make_plan(current, desired)
    now = applied(current, journal)
    candidates = [operation for operation in journal if operation.server is None and operation.service in now]
    if not candidates:
        return
    operation = data.draw(st.sampled_from(candidates))
    theirs = data.draw(
        near_services(operation.service).filter(lambda new: new not in (operation.before, operation.after))
    )
    now[operation.service] = Entry(theirs, now[operation.service].servers)
    back, foreign = led_back(now, current, journal)
    assert foreign == (operation.entry,)
    before = current[operation.service].servers if operation.service in current else {}
    assert back == {**current, operation.service: Entry(theirs, before)}


@given(_chains(), st.data())
def test_led_back_undoes_two_rounds_wherever_no_rival_came_between(chain, data):
    first, rivals, third = chain
    middle = data.draw(changed_tables(first))
    journal = make_plan(first, middle) + make_plan(rivals, third)
    back, foreign = led_back(third, first, journal)
    alone = {key for key in {**first, **middle, **rivals, **third} if middle.get(key) == rivals.get(key)}
    assert {key: back.get(key) for key in alone} == {key: first.get(key) for key in alone}
    assert not {str(key) for key in alone} & {entry.split(" -> ")[0] for entry in foreign}


def test_led_back_keeps_a_service_of_ours_that_holds_a_rivals_server():
    key, name = NEAR_SERVICES[0], NEAR_SERVERS[0]
    journal = [Operation(key, None, None, Service(key))]
    now = {key: Entry(Service(key), {name: Server(name)})}
    assert led_back(now, {}, journal) == (now, (str(key),))


def test_led_back_does_not_bring_back_a_service_that_a_rival_added_again():
    key = NEAR_SERVICES[0]
    journal = [Operation(key, None, Service(key), None)]
    now = {key: Entry(Service(key, scheduler="rr"), {})}
    assert led_back(now, {key: Entry(Service(key), {})}, journal) == (now, (str(key),))


def test_led_back_reports_a_service_that_a_rival_removed():
    key, name = NEAR_SERVICES[0], NEAR_SERVERS[0]
    snapshot = {key: Entry(Service(key), {name: Server(name)})}
    journal = [Operation(key, name, Server(name), Server(name, weight=2))]
    assert led_back({}, snapshot, journal) == ({}, (f"{key} -> {name}",))


def test_led_back_reports_a_removed_server_whose_service_a_rival_removed():
    key, name = NEAR_SERVICES[0], NEAR_SERVERS[0]
    snapshot = {key: Entry(Service(key), {name: Server(name)})}
    journal = [Operation(key, name, Server(name), None)]
    assert led_back({}, snapshot, journal) == ({}, (f"{key} -> {name}",))


def test_led_back_undoes_two_writes_of_one_service_that_was_not_there():
    """A rival changed the service that we had just added, and we set it right again."""
    key = NEAR_SERVICES[0]
    wanted, rivals = Service(key, scheduler="rr"), Service(key, scheduler="sh")
    journal = [Operation(key, None, None, wanted), Operation(key, None, rivals, wanted)]
    assert led_back({key: Entry(wanted, {})}, {}, journal) == ({key: Entry(rivals, {})}, (str(key),))


VERBS = (
    ("add", None, 1, "add tcp 192.0.2.1:80 -> 198.51.100.1:80"),
    ("update", 1, 2, "update tcp 192.0.2.1:80 -> 198.51.100.1:80"),
    ("remove", 1, None, "remove tcp 192.0.2.1:80 -> 198.51.100.1:80"),
)


@pytest.mark.parametrize(("verb", "before", "after", "words"), VERBS, ids=[case[0] for case in VERBS])
def test_operation_says_what_it_does(verb, before, after, words):
    old, new = (None if weight is None else Server(NEAR_SERVERS[0], weight=weight) for weight in (before, after))
    operation = Operation(NEAR_SERVICES[0], NEAR_SERVERS[0], old, new)
    assert (operation.verb, str(operation)) == (verb, words)


def test_operation_on_a_service_names_the_service():
    key = ServiceKey("ipv6", fwmark=7)
    operation = Operation(key, None, Service(key), Service(key)._replace(scheduler="rr"))
    assert operation.entry == "fwmark 7 (ipv6)"


def _shuffled(table, chance):
    keys = list(table)
    chance.shuffle(keys)
    shuffled = {}
    for key in keys:
        names = list(table[key].servers)
        chance.shuffle(names)
        shuffled[key] = Entry(table[key].service, {name: table[key].servers[name] for name in names})
    return shuffled


def _serves(entry):
    return any(server.weight > 0 for server in entry.servers.values())
