# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that must not notice what happens on the director.

As a program: clients.py ADDRESS PORT CLIENTS PAUSE. They ask over HTTP again and again, a new connection each time, with
so many seconds between. "ready" is printed after everybody's first answer; once standard input has ended, a line for
each request: its begin in seconds since the epoch, and the answer or "failed: " and why.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
import time
from typing import NamedTuple

TIMEOUT = 5
PAUSE = 0.05  # the lab has one processor, which others need too
HELD = """
exec 3<>"/dev/tcp/$0/$1"
echo open
read -r
printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3
tail -n 1 <&3
"""


class Answer(NamedTuple):
    begin: float
    text: str


class HeldConnection:
    """An open connection to an HTTP service, over which nothing was asked yet."""

    def __init__(self, namespace, address, port):
        words = ["ip", "netns", "exec", namespace.name, "bash", "-c", HELD, address, str(port)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout.readline() == "open\n"

    def ask(self):
        """The answer, which ends the connection."""
        return self._process.communicate("go\n", timeout=30)[0].strip()


class Crowd:
    """with Crowd(namespace, address, port) as crowd: …; afterwards crowd.answers is a list of Answer."""

    def __init__(self, namespace, address, port, clients=4, pause=PAUSE):
        self._words = [
            "ip",
            "netns",
            "exec",
            namespace.name,
            sys.executable,
            __file__,
            address,
            str(port),
            str(clients),
            str(pause),
        ]
        self.answers = []

    def __enter__(self):
        self._process = subprocess.Popen(self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *failure):
        lines = self._process.communicate(timeout=60)[0].splitlines()
        words = (line.split(" ", 1) for line in lines)
        self.answers = sorted(Answer(float(begin), text) for begin, text in words)

    @property
    def failures(self):
        return [answer for answer in self.answers if answer.text.startswith("failed: ")]

    def answered_by(self, since=0.0):
        """Who answered requests that began after that time."""
        return {answer.text for answer in self.answers if answer.begin > since}


def ask(address, port):
    connection = http.client.HTTPConnection(address, port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode().strip() or "failed: an empty answer"
    except (OSError, http.client.HTTPException) as error:
        return f"failed: {error!r}"
    finally:
        connection.close()


def main():
    address, port, clients, pause = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    answers, begun, over = [], threading.Semaphore(0), threading.Event()

    def keep_asking():
        while not over.is_set():
            begin = time.time()
            answers.append(Answer(begin, ask(address, port)))
            begun.release()
            time.sleep(pause)

    threads = [threading.Thread(target=keep_asking) for _time in range(clients)]
    for thread in threads:
        thread.start()
    for _time in threads:
        begun.acquire()
    print("ready", flush=True)
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()
    for begin, text in answers:
        print(f"{begin:.3f} {text}")


if __name__ == "__main__":
    main()
