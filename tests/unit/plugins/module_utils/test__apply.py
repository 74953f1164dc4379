# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a plan to a kernel that is a table in memory: settled, led back, waited for."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest
from ansible_collections.linux.lvs.plugins.module_utils import _apply
from ansible_collections.linux.lvs.plugins.module_utils._apply import (
    ATTEMPTS,
    LOG_LINE,
    LOG_SINGLY,
    Task,
    converge,
    log_lines,
    predict,
)
from ansible_collections.linux.lvs.plugins.module_utils._desired import Desired, with_drained_server, without_service
from ansible_collections.linux.lvs.plugins.module_utils._errors import (
    Busy,
    Conflict,
    InvalidInput,
    LvsError,
    Refused,
    Unsettled,
)
from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import command
from ansible_collections.linux.lvs.plugins.module_utils._model import (
    Connections,
    Entry,
    Server,
    ServerKey,
    Service,
    ServiceKey,
)
from ansible_collections.linux.lvs.plugins.module_utils._options import DrainSpec, ServerSpec
from ansible_collections.linux.lvs.plugins.module_utils._plan import make_plan
from ansible_collections.linux.lvs.tests.unit.tables import TABLES, applied, changed_tables
from hypothesis import given
from hypothesis import strategies as st

HTTP = ServiceKey("ipv4", "tcp", "192.0.2.1", 80)
RIPS = tuple(ServerKey(f"198.51.100.{number}", 80) for number in (1, 2))
PAIR = {HTTP: Entry(Service(HTTP, "rr"), {name: Server(name, "nat") for name in RIPS})}
DRAINED = (HTTP, RIPS[0])


class World:
    """A kernel in memory, with all that a task reaches of the world."""

    def __init__(self, table):
        self.table = dict(table)
        self.refuse = None  # the number of the operation that the kernel refuses
        self.rival = lambda count: None  # called before each operation, and before each look at connections
        self.count = 0
        self.now = 0.0
        self.locked = False
        self.lines = []
        self.waits = []  # (seconds, whether the lock was held)
        self.left = lambda now: {}  # connections by server

    def apply(self, step):
        """As the real one: what follows a failure is not tried."""
        outcomes = []
        for operation in step:
            try:
                self._apply(operation)
            except LvsError as error:
                return [*outcomes, error]
            outcomes.append(None)
        return outcomes

    def _apply(self, operation):
        self.rival(self.count)
        self.count += 1
        if self.count - 1 == self.refuse:
            raise Refused(f"{operation}: no")
        assert self.locked
        entry = self.table.get(operation.service)
        if operation.server is not None and entry is None:
            raise Conflict(f"{operation}: gone")
        there = entry and (entry.service if operation.server is None else entry.servers.get(operation.server))
        if (there is None) != (operation.before is None):
            raise Conflict(f"{operation}: not so")
        if there is not None:
            operation = operation._replace(before=there)  # the kernel does not compare what it overwrites
        self.table = applied(self.table, [operation])

    def connections(self, service):
        assert not self.locked
        self.rival(self.count)
        return {} if service not in self.table else self.left(self.now)

    def read(self):
        return dict(self.table)

    @contextmanager
    def lock(self):
        assert not self.locked
        self.locked = True
        yield
        self.locked = False

    def sleep(self, seconds):
        self.waits.append((seconds, self.locked))
        self.now += max(seconds, 0.001)

    def task(self, desire, drain=None, expire=True):
        return Task(
            self.read,
            lambda known, touched: self.read(),
            desire,
            drain or DrainSpec(),
            lambda: expire,
            self.lock,
            self.lines.append,
        )


@pytest.fixture
def clock(monkeypatch):
    """Gives a world its own time."""

    def use(world):
        monkeypatch.setattr(_apply.time, "monotonic", lambda: world.now)
        monkeypatch.setattr(_apply.time, "sleep", world.sleep)
        return world

    return use


@st.composite
def _pairs(draw):
    table = draw(TABLES)
    return table, draw(changed_tables(table))


@given(_pairs())
def test_run_reaches_what_was_desired_as_predicted_and_a_second_one_does_nothing(pair):
    current, wanted = pair
    world = World(current)
    task = world.task(lambda table: Desired(wanted, warnings=("careful",)))
    predicted = predict(task)
    assert (world.table, world.lines) == (current, [])
    outcome = converge(world, task)
    assert world.table == outcome.after == predicted.after == wanted
    assert outcome.before == predicted.before == current
    assert outcome.operations == predicted.operations
    assert outcome.warnings == predicted.warnings == ("careful",)
    assert world.lines == [command(operation) for operation in outcome.operations]
    assert converge(world, task).operations == ()


@given(_pairs(), st.data())
def test_refused_operation_leads_back_and_says_what_was_done(pair, data):
    current, wanted = pair
    plan = make_plan(current, wanted)
    if not plan:
        return
    world = World(current)
    world.refuse = data.draw(st.integers(0, len(plan) - 1))
    done = ", ".join(str(operation) for operation in plan[: world.refuse])
    with pytest.raises(Refused) as caught:
        converge(world, world.task(lambda table: Desired(wanted)))
    assert world.table == current
    report = f"done before: {done}, and led back" if done else "nothing was changed"
    assert str(caught.value) == f"{plan[world.refuse]}: no; {report}"
    assert caught.value.done == ()


def test_table_that_is_as_desired_is_read_once():
    world = World(PAIR)
    readings = []
    task = replace(world.task(Desired), read=lambda: readings.append(1) or world.read())
    assert converge(world, task).operations == ()
    assert len(readings) == 1


def test_refused_operation_leaves_what_a_rival_changed_and_reports_it():
    world = World({})
    theirs = Server(RIPS[0], "nat", 9)

    def rival(count):
        if count == 2:
            world.table[HTTP] = Entry(world.table[HTTP].service, {RIPS[0]: theirs})

    world.rival, world.refuse = rival, 2
    with pytest.raises(Refused, match="as somebody else changed it") as caught:
        converge(world, world.task(lambda table: Desired(PAIR)))
    assert world.table == {HTTP: Entry(PAIR[HTTP].service, {RIPS[0]: theirs})}
    assert str(caught.value).endswith(
        "; left as somebody else changed it meanwhile: tcp 192.0.2.1:80 -> 198.51.100.1:80, tcp 192.0.2.1:80"
    )


def test_failure_to_lead_back_is_told():
    world = World({})
    task = world.task(lambda table: Desired(PAIR))

    def rival(count):
        if count >= 1:
            raise Refused("no more")

    world.rival = rival
    with pytest.raises(Refused) as caught:
        converge(world, task)
    assert str(caught.value) == (
        "no more; done before: add tcp 192.0.2.1:80; leading it back failed: no more; to be as before it needs: remove"
        " tcp 192.0.2.1:80"
    )
    assert caught.value.done == ("ipvsadm -A -t 192.0.2.1:80 -s rr",)


@given(_pairs(), st.data())
def test_rival_that_changes_the_table_once_is_met_by_deciding_again(pair, data):
    current, wanted = pair
    theirs = data.draw(changed_tables(wanted))
    when = data.draw(st.integers(0, 5))
    world = World(current)

    def rival(count):
        if count == when:
            world.table = dict(theirs)
            world.rival = lambda count: None

    world.rival = rival
    assert converge(world, world.task(lambda table: Desired(wanted))).after == world.table == wanted


def test_rival_that_never_stops_is_told_with_what_is_left():
    world = World({})

    def rival(count):
        world.table = {HTTP: Entry(Service(HTTP, "lc"), {})}

    world.rival = rival
    with pytest.raises(Unsettled) as caught:
        converge(world, world.task(lambda table: Desired(PAIR)))
    left, _semicolon, done = str(caught.value).partition("; done before, and left so: ")
    assert left == (
        f"after {ATTEMPTS} attempts the kernel still differs: another process keeps changing the table; left to do: add"
        " tcp 192.0.2.1:80 -> 198.51.100.1:80, update tcp 192.0.2.1:80"
    )
    assert done.startswith("ipvsadm -a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 1, ")


def test_input_that_a_rival_makes_wrong_is_told_with_what_was_done():
    world = World({HTTP: Entry(Service(HTTP), {})})

    def desire(table):
        if not table or table[HTTP].service.scheduler == "sh":
            raise InvalidInput(["service: gone"])
        return Desired(PAIR)

    def rival(count):
        if count == 1:
            world.table = {}

    world.rival = rival
    with pytest.raises(InvalidInput) as caught:
        converge(world, world.task(desire))
    assert str(caught.value) == (
        "service: gone; done before, and left so: ipvsadm -a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 1"
    )


def test_wrong_input_is_told_as_it_is_when_nothing_was_done():
    def desire(table):
        raise InvalidInput(["weight: wrong"])

    world = World({})
    with pytest.raises(InvalidInput, match=r"^weight: wrong$"):
        converge(world, world.task(desire))


def _drain(table, timeout):
    return with_drained_server(table, HTTP, ServerSpec(RIPS[0].address, None, {}), DrainSpec(timeout))


def test_drain_waits_without_the_lock_until_none_is_left_twice(clock):
    world = clock(World(PAIR))
    world.left = lambda now: {RIPS[0]: Connections(active=2 if now < 3 else 0, inactive=9)}
    outcome = converge(world, world.task(lambda table: _drain(table, 60), DrainSpec(60)))
    assert world.table[HTTP].servers[RIPS[0]].weight == 0
    assert world.waits
    assert not any(locked for _seconds, locked in world.waits)
    (drained,) = outcome.drains
    assert (drained.entry, drained.finished, drained.left.inactive) == (DRAINED, True, 9)
    assert 3 < drained.seconds <= 4
    assert outcome.failure is None


def test_client_between_two_connections_is_waited_for(clock):
    world = clock(World(PAIR))
    world.left = lambda now: {RIPS[0]: Connections(active=int(now not in (1.0, 5.0, 5.5)))}
    outcome = converge(world, world.task(lambda table: _drain(table, 60), DrainSpec(60)))
    assert outcome.drains[0].seconds == 5.5


def test_drain_that_runs_out_of_time_says_what_is_left_and_why(clock):
    world = clock(World(PAIR))
    world.left = lambda now: {RIPS[0]: Connections(3, 2, 1)}
    outcome = converge(world, world.task(lambda table: _drain(table, 60), DrainSpec(60)))
    assert world.now == 60
    assert (outcome.drains[0].finished, outcome.drains[0].seconds) == (False, 60)
    assert outcome.failure == (
        "not drained after 60 s (weight is 0, new connections go elsewhere): tcp 192.0.2.1:80 -> 198.51.100.1:80 has"
        " 3 active, 2 inactive, 1 persistent. Active ones end when client or server close them; peers that vanished"
        " stay up to 900 s."
    )


def test_drain_without_a_timeout_reports_and_never_fails(clock):
    world = clock(World(PAIR))
    world.left = lambda now: {RIPS[0]: Connections(active=3)}
    outcome = converge(world, world.task(lambda table: _drain(table, 0)))
    assert (world.waits, outcome.failure) == ([], None)
    assert [(drained.left.active, drained.finished) for drained in outcome.drains] == [(3, False)]


@pytest.mark.parametrize("left", [0, 3], ids=["in time", "out of time"])
def test_removed_service_is_drained_first_and_removed_either_way(clock, left):
    world = clock(World(PAIR))
    seen = []

    def connections(now):
        seen.append({name: server.weight for name, server in world.table[HTTP].servers.items()})
        return dict.fromkeys(RIPS, Connections(active=left))

    world.left = connections
    task = world.task(lambda table: without_service(table, HTTP), DrainSpec(10))
    predicted = predict(task)
    outcome = converge(world, task)
    assert seen
    assert all(weights == dict.fromkeys(RIPS, 0) for weights in seen)
    assert world.table == {}
    assert outcome.operations == predicted.operations
    assert [operation.verb for operation in outcome.operations] == ["update", "update", "remove"]
    assert (len(outcome.drains), outcome.failure) == (2, None)


def test_weight_that_a_rival_raises_during_the_wait_is_set_to_0_again(clock):
    world = clock(World(PAIR))

    def rival(count):
        if count == 1 and world.now >= 1:
            servers = {**world.table[HTTP].servers, RIPS[0]: Server(RIPS[0], "nat", 7)}
            world.table[HTTP] = Entry(PAIR[HTTP].service, servers)
            world.rival = lambda count: None

    world.rival = rival
    world.left = lambda now: {RIPS[0]: Connections(active=int(now < 5))}
    outcome = converge(world, world.task(lambda table: _drain(table, 60), DrainSpec(60)))
    assert outcome.after[HTTP].servers[RIPS[0]].weight == 0
    assert len(outcome.operations) == 2


@pytest.mark.parametrize(("seconds", "finished"), [(60, True), (8, False)], ids=["in time", "too late"])
def test_connections_that_came_while_a_rival_gave_weight_are_waited_for(clock, seconds, finished):
    world = clock(World(PAIR))

    def rival(count):
        if world.now >= 0.5:  # the second look, which sees none left
            servers = {**world.table[HTTP].servers, RIPS[0]: Server(RIPS[0], "nat", 7)}
            world.table[HTTP] = Entry(PAIR[HTTP].service, servers)
            world.rival = lambda count: None

    world.rival = rival
    world.left = lambda now: {RIPS[0]: Connections(active=int(0.5 < now < 20))}
    outcome = converge(world, world.task(lambda table: _drain(table, seconds), DrainSpec(seconds)))
    assert outcome.after[HTTP].servers[RIPS[0]].weight == 0
    assert outcome.drains[0].finished is finished
    assert (outcome.failure is None) is finished


@pytest.mark.parametrize(
    ("looks", "finished"),
    [((1, 1, 0, 0), True), ((1, 1, 0, 1), False), ((1, 1, 1, 0), False), ((0, 1, 0, 0), True)],
    ids=["zero twice", "zero once", "not at the end", "again"],
)
def test_zero_at_the_end_of_the_time_is_looked_at_once_more(clock, looks, finished):
    world = clock(World(PAIR))
    active = iter(looks)
    world.left = lambda now: {RIPS[0]: Connections(active=next(active))}
    outcome = converge(world, world.task(lambda table: _drain(table, 1), DrainSpec(1)))
    assert outcome.drains[0].finished is finished


def test_busy_lock_after_the_wait_is_told_with_what_was_done(clock):
    world = clock(World(PAIR))
    world.left = lambda now: {}
    task = world.task(lambda table: _drain(table, 60), DrainSpec(60))
    locks = iter([task.lock])

    def lock():
        taken = next(locks, None)
        if taken is None:
            raise Busy("somebody holds it")
        return taken()

    with pytest.raises(Busy) as caught:
        converge(world, replace(task, lock=lock, netns="edge"))
    assert str(caught.value) == (
        "somebody holds it; done before, and left so:"
        " ip netns exec edge ipvsadm -e -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 0"
    )


def test_service_that_vanishes_during_the_wait_has_nothing_left(clock):
    world = clock(World(PAIR))
    world.left = lambda now: {RIPS[0]: Connections(active=1)}

    def rival(count):
        if world.now >= 2:
            world.table = {}

    world.rival = rival
    outcome = converge(world, world.task(lambda table: _drain(table, 60), DrainSpec(60)))
    assert (outcome.after, outcome.drains[0].finished) == ({}, True)


def test_drain_of_a_persistent_service_warns_in_prediction_and_in_deed(clock):
    service = Service(HTTP, "rr", persistence_timeout=60, persistence_netmask="255.255.255.255")
    world = clock(World({HTTP: Entry(service, PAIR[HTTP].servers)}))
    world.left = lambda now: {RIPS[0]: Connections(persistent=1)}
    task = world.task(lambda table: _drain(table, 5), DrainSpec(5), expire=False)
    predicted, outcome = predict(task), converge(world, task)
    assert outcome.warnings == predicted.warnings
    assert "net.ipv4.vs.expire_quiescent_template is 0" in outcome.warnings[0]
    assert outcome.failure.endswith(
        "Persistent ones end 60 s after the client's last connection, and net.ipv4.vs.expire_quiescent_template 0"
        " lets known clients come back."
    )


def test_prediction_waits_for_nothing(clock):
    world = clock(World(PAIR))
    outcome = predict(world.task(lambda table: _drain(table, 60), DrainSpec(60)))
    assert (outcome.drains, world.waits, world.table) == ((), [], PAIR)
    assert [operation.verb for operation in outcome.operations] == ["update"]


def test_long_wait_is_logged_now_and_then(clock):
    world = clock(World(PAIR))
    world.left = lambda now: {RIPS[0]: Connections(active=1)}
    converge(world, world.task(lambda table: _drain(table, 100), DrainSpec(100)))
    lines = [line for line in world.lines if line.startswith("draining since")]
    assert lines[0] == (
        "draining since 30 s: tcp 192.0.2.1:80 -> 198.51.100.1:80 has 1 active, 0 inactive, 0 persistent"
    )
    assert len(lines) == 3


# Leading back beside others


WIDE = {
    key: Entry(Service(key, "rr"), {}) for key in (ServiceKey("ipv4", "tcp", f"192.0.2.{n}", 80) for n in range(2, 7))
}


def refused_run(world, wanted):
    with pytest.raises(LvsError) as caught:
        converge(world, world.task(lambda table: Desired(wanted)))
    return caught.value


def test_rival_on_the_way_back_is_met_by_reading_again():
    """It removes one of the entries that are to be removed; the others go all the same."""
    world = World(PAIR)
    world.refuse = 4

    def rival(count):
        if count == 6:
            world.table.pop(list(WIDE)[2])

    world.rival = rival
    error = refused_run(world, {**PAIR, **WIDE})
    assert world.table == PAIR
    assert error.done == ()


def test_refusal_on_the_way_back_does_not_keep_the_rest_from_being_undone():
    world = World(PAIR)
    stubborn = next(iter(WIDE))
    apply = world._apply

    def one(operation):
        if operation.verb == "remove" and operation.service == stubborn:
            raise Refused(f"{operation}: no")
        apply(operation)

    world._apply, world.refuse = one, 4
    error = refused_run(world, {**PAIR, **WIDE})
    assert world.table == {**PAIR, stubborn: WIDE[stubborn]}
    assert str(error).endswith(
        "; leading it back failed: remove tcp 192.0.2.2:80: no; to be as before it needs: remove tcp 192.0.2.2:80"
    )
    assert error.done == ("ipvsadm -A -t 192.0.2.2:80 -s rr",)


def test_rival_at_work_elsewhere_is_no_business_of_the_way_back():
    world = World(PAIR)
    world.refuse = 4
    theirs = {**PAIR, HTTP: Entry(PAIR[HTTP].service, {RIPS[0]: Server(RIPS[0], "nat", 77)})}

    def rival(count):
        if count >= 5:
            world.table = {**world.table, HTTP: theirs[HTTP]}

    world.rival = rival
    error = refused_run(world, {**PAIR, **WIDE})
    assert world.table == theirs
    assert str(error).endswith(", and led back")
    assert error.done == ()


def test_what_could_not_be_undone_is_all_that_is_told_as_done():
    world = World(PAIR)
    world.refuse = 4
    first = next(iter(WIDE))

    def rival(count):
        if count == 4:
            world.table[first] = Entry(Service(first, "lc"), {})

    world.rival = rival
    error = refused_run(world, {**PAIR, **WIDE})
    assert world.table == {**PAIR, first: Entry(Service(first, "lc"), {})}
    assert error.done == ("ipvsadm -A -t 192.0.2.2:80 -s rr",)
    assert str(error).endswith("; left as somebody else changed it meanwhile: tcp 192.0.2.2:80")


@pytest.mark.parametrize("done", [0, 1, 3])
def test_step_whose_answers_are_lost_is_led_back_whatever_of_it_was_done(done):
    world = World(PAIR)
    apply = world.apply

    def losing(step):
        world.apply = apply
        apply(step[:done])
        return [Unsettled("answers were lost")] * len(step)

    world.apply = losing
    error = refused_run(world, {**PAIR, **WIDE})
    assert world.table == PAIR
    assert error.done == ()


def test_memories_of_a_persistence_that_was_turned_off_are_told_without_a_number(clock):
    world = clock(World(PAIR))
    world.left = lambda now: {RIPS[0]: Connections(persistent=1)}
    drain = DrainSpec(5, ("persistent",))
    outcome = converge(world, world.task(lambda table: _drain(table, 5), drain))
    assert (
        "Persistent ones end by their own time-out, for persistence is off now, after the client's" in outcome.failure
    )


@pytest.mark.parametrize("count", [0, 1, LOG_SINGLY])
def test_each_operation_has_a_line_in_the_log(count):
    commands = [f"ipvsadm -A -t 192.0.2.{number}:80" for number in range(count)]
    assert list(log_lines(commands)) == commands


@pytest.mark.parametrize("length", [40, LOG_LINE - 3, LOG_LINE + 10])
def test_many_operations_share_lines_that_any_log_takes(length):
    commands = [f"{number:<{length}}" for number in range(LOG_SINGLY + 1)]
    lines = list(log_lines(commands))
    assert "; ".join(lines) == "; ".join(commands)
    assert max(map(len, lines)) <= max(LOG_LINE, length)
    assert len(lines) <= 1 + len(commands) * (length + 2) / (LOG_LINE / 2)
