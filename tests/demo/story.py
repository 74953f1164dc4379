# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays the playbooks beside this file against LVS's classical example, and checks all that it says. Runs in the lab."""

import itertools
import re
import subprocess
import sys
import time
from pathlib import Path

from ansible_collections.linux.lvs.tests.lab.fixtures import Namespace, Network
from ansible_collections.linux.lvs.tests.packets.clients import Crowd, HeldConnection

DEMO = Path(__file__).resolve().parent
SERVERS = ["172.16.0.1", "172.16.0.2"]
HELD_FOR = 1  # s that a connection outlasts the weight 0
PAUSE = 0.3  # s between a client's requests, whose processor is the play's too

heading_numbers = itertools.count(1)


def heading(text):
    print(f"\n=== {next(heading_numbers)}. {text}", flush=True)


def claim(truth, text):
    """A sentence that is true, or the end."""
    if not truth:
        sys.exit(f"demo: NOT TRUE: {text}")
    print(f"--> {text}", flush=True)


def show(name):
    text = (DEMO / name).read_text().partition("---\n")[2]
    print(f"--- {name}\n{text}", end="", flush=True)


def play(name, *, changed, meanwhile=None):
    print(f"$ ansible-playbook {name}", flush=True)
    process = subprocess.Popen(
        ["ansible-playbook", DEMO / name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if meanwhile:
        meanwhile()
    output = process.communicate(timeout=90)[0]
    print(re.sub(r"\*{4,}", "***", output).strip(), flush=True)
    recap = re.search(r"localhost +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=0", output)
    claim(recap and int(recap.group(1)) == changed, f"no failure, changed={changed}")
    return output


class Director:
    """What the story asks of the director and of the client."""

    def __init__(self, network):
        self._network = network

    def table(self):
        print("$ ipvsadm -L -n", self._network.director.ipvsadm("-Ln"), sep="\n", end="", flush=True)
        return self._network.director.save()

    def by_hand(self, words):
        print(f"$ ipvsadm {words}", flush=True)
        self._network.director.ipvsadm(*words.split())

    def ask(self, times):
        answers = self._network.client.ask_times(times, "http", self._network.VIP, 80)
        print(f"{times} requests were answered by: {', '.join(answers)}", flush=True)
        return answers

    def wait_for(self, server):
        deadline = time.monotonic() + 30
        while not any(line.endswith(server) for line in self._network.director.save()) and time.monotonic() < deadline:
            time.sleep(0.1)

    def crowd(self):
        return Crowd(self._network.client, self._network.VIP, 80, pause=PAUSE)

    def connect(self):
        return HeldConnection(self._network.client, self._network.VIP, 80)


def lines(scheduler, weights):
    """What ipvsadm -Sn has to say."""
    service = "-t 192.168.0.1:80"
    servers = [f"-a {service} -r {server}:80 -m -w {weight}" for server, weight in weights.items()]
    return [f"-A {service} -s {scheduler}", *servers]


def set_up(director):
    heading("The playbook")
    show("classical.yml")
    heading("It is played for the first time")
    play("classical.yml", changed=2)
    heading("A client asks the virtual service")
    answers = director.ask(6)
    claim(
        answers[::2] in ([SERVERS[0]] * 3, [SERVERS[1]] * 3) and answers[:2] * 3 == answers,
        "the servers answer in turn",
    )
    heading("The kernel's table on the director")
    equal = dict.fromkeys(SERVERS, 1)
    claim(director.table() == lines("rr", equal), "ipvsadm sees what the playbook says")


def change_in_place(director):
    heading("A change in place, while connections are open")
    show("change.yml")
    connections = [director.connect() for _server in SERVERS]
    play("change.yml", changed=2)
    answers = sorted(connection.ask() for connection in connections)
    claim(answers == SERVERS, "both connections survived, 172.16.0.1 and 172.16.0.2 answer over them")
    claim(director.table() == lines("wrr", {SERVERS[0]: 3, SERVERS[1]: 1}), "ipvsadm sees it")
    claim(director.ask(8).count(SERVERS[0]) == 6, "of 8 requests 172.16.0.1 gets 6")


def drain(director):
    heading("A drain, while connections are open and four clients keep asking")
    show("drain.yml")
    connections = [director.connect() for _time in range(4)]
    answers = []

    def end_connections():
        director.wait_for("-r 172.16.0.2:80 -m -w 0")
        time.sleep(HELD_FOR)
        answers.extend(connection.ask() for connection in connections)

    with director.crowd() as crowd:
        output = play("drain.yml", changed=1, meanwhile=end_connections)
        drained = time.time()
        time.sleep(2 * PAUSE)
    seconds = float(re.search(r'"seconds": ([\d.]+)', output).group(1))
    claim(
        sorted(answers) == [*[SERVERS[0]] * 3, SERVERS[1]] and seconds >= HELD_FOR,
        f"the open connection to 172.16.0.2 was awaited, {seconds} s",
    )
    claim(not crowd.failures, f"of {len(crowd.answers)} requests none failed")
    claim(crowd.answered_by() == set(SERVERS), "before, both servers answered")
    claim(crowd.answered_by(since=drained) == {SERVERS[0]}, "afterwards 172.16.0.1 alone answers")
    claim(director.table() == lines("wrr", {SERVERS[0]: 3, SERVERS[1]: 0}), "172.16.0.2 is still there, with weight 0")


def repair_drift(director):
    heading("Drift: somebody works at the table by hand")
    director.by_hand("-E -t 192.168.0.1:80 -s sh")
    director.by_hand("-e -t 192.168.0.1:80 -r 172.16.0.1 -m -w 7")
    director.by_hand("-d -t 192.168.0.1:80 -r 172.16.0.2")
    director.table()
    heading("The first playbook repairs it")
    play("classical.yml", changed=2)
    claim(
        director.table() == lines("rr", dict.fromkeys(SERVERS, 1)),
        "scheduler, weight and server are as the playbook says",
    )
    claim(sorted(director.ask(4)) == sorted(SERVERS * 2), "both serve again")


def play_once_more(director):
    heading("The same once more")
    play("classical.yml", changed=0)


def main():
    names = iter(["client", "server1", "server2"])
    made = []

    def namespace(name=None):
        made.append(Namespace(name or next(names)))
        return made[-1]

    try:
        network = Network(namespace("director"), namespace, servers=2)
        for server, address in zip(network.servers, network.addresses):
            server.serve("http", 80, name=address)
        for chapter in (set_up, change_in_place, drain, repair_drift, play_once_more):
            chapter(Director(network))
    finally:
        for one in made:
            one.close()
    print("\nAll of it was checked.")


if __name__ == "__main__":
    main()
