# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules share: arguments read, errors told in one sentence, the kernel at hand in the right namespace.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

import io
import json
import sys
import traceback
from contextlib import closing, contextmanager, redirect_stdout
from typing import Any, Callable, Dict, Iterator, Sequence
from uuid import uuid4

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.errors import UnsupportedError

from . import _host
from ._address import FAMILIES
from ._errors import LvsError, in_one
from ._model import PROTOCOLS, ServiceKey
from ._netlink import Kernel
from ._options import Reader, read_service_key

Spec = Dict[str, Dict[str, Any]]

CHOICES = {"type": "list", "elements": "str"}
COMMON: Spec = {"netns": {"type": "str"}}
SERVICE_IDENTITY: Spec = {
    "address": {"type": "str"},
    "port": {"type": "int"},
    "protocol": {"type": "str", "choices": list(PROTOCOLS)},
    "fwmark": {"type": "int"},
    "family": {"type": "str", "choices": list(FAMILIES)},
}

# Results that may hold tens of thousands of values, as plain text and numbers
_BULK = ("commands", "before", "after", "diff", "gathered", "parsed", "rendered", "services", "stats", "connections")
_ECHOED = 100  # services and servers of an argument that the result repeats as "invocation", which -vvv shows


class LvsModule(AnsibleModule):  # type: ignore[misc]
    """An AnsibleModule that reports all problems of the arguments at once.

    The argument spec reports the first wrong value only, and not what is allowed. So when it finds something, our
    own reading of the same arguments is reported in its place.

    ``further`` gets what could be read when something is wrong, and returns what else is.
    """

    def __init__(
        self,
        spec: Spec,
        read: Callable[[Reader, bool], Any],
        further: Callable[[Any, Any], Sequence[str]] = lambda request, module: (),
    ) -> None:
        self._read = read
        self._further = further
        self._reading = True
        try:
            super().__init__(argument_spec=spec, supports_check_mode=True)
        # ansible-core looks for suboptions in whatever was given for a dictionary, a number too, and makes a whole number
        # of an infinite one
        except (TypeError, OverflowError):
            problems = self._read_all()[1]
            if not problems:
                raise
            self._end(super().fail_json, {"msg": in_one(problems)})
        self._reading = False
        self.request, problems = self._read_all()
        if problems:
            self.fail_json(msg=in_one(problems))

    def _load_params(self) -> None:
        super()._load_params()
        self.params: dict[str, Any] = _without_nulls(self.params)
        self._given = dict(self.params)

    def fail_json(self, msg: str, **kwargs: Any) -> Any:
        """Fails; while the argument spec is being applied, with all problems of the arguments."""
        validation = getattr(self, "validation_result", None)
        if self._reading and validation is not None:
            unknown = [error.msg for error in validation.errors if isinstance(error, UnsupportedError)]
            msg = in_one([_unknown_option(text) for text in unknown] + self._read_all()[1]) or msg
        self._end(super().fail_json, {"msg": msg, **kwargs})

    def exit_json(self, **kwargs: Any) -> Any:
        """Ends with this result."""
        self._end(super().exit_json, kwargs)

    def _end(self, end: Callable[..., Any], result: dict[str, Any]) -> None:
        """Ends with a result whose bulk is spared Ansible's search for secrets, of which our options hold none.

        That search takes longer than reading, planning and writing a large table together.
        """
        marks = {name: f"linux.lvs {name} {uuid4()}" for name in _BULK if name in result}
        text = io.StringIO()
        try:
            with redirect_stdout(text):
                end(**{**result, **marks}, invocation={"module_args": _shortened(self.params)})
        finally:
            written = text.getvalue()
            for name, mark in marks.items():
                written = written.replace(json.dumps(mark), json.dumps(result[name]), 1)
            sys.stdout.write(written)
            sys.stdout.flush()

    def _read_all(self) -> tuple[Any, list[str]]:
        # what the argument spec finds wrong in a list it replaces by an empty one
        options = Reader({**self.params, **self._given} if self._reading else self.params, "", [])
        options.read("netns", _host.parse_netns_name)
        named = not options.problems  # otherwise there is no namespace to look into
        request = self._read(options, self.check_mode)
        return request, [*options.problems, *(self._further(request, self) if named and options.problems else ())]


def _without_nulls(options: dict[str, Any]) -> dict[str, Any]:
    """Null means left out, also for options with a default or choices, where the argument spec would refuse it."""
    return {
        name: _without_nulls(value) if isinstance(value, dict) else value
        for name, value in options.items()
        if value is not None
    }


def _shortened(options: dict[str, Any]) -> dict[str, Any]:
    """Options as the result repeats them: a table of thousands would only make every result, log and event as long."""
    return {
        name: f"a list of {len(value)}" if isinstance(value, list) and _entries(value) > _ECHOED else value
        for name, value in options.items()
    }


def _entries(values: list[Any]) -> int:
    """Of a list and of the lists in its dictionaries, as servers are in services."""
    inner = (part for value in values if isinstance(value, dict) for part in value.values() if isinstance(part, list))
    return len(values) + sum(map(len, inner))


def _unknown_option(message: str) -> str:
    names, _separator, supported = message.rstrip(".").partition(". Supported parameters include: ")
    verb = "are not options" if "," in names else "is not an option"
    return f"{names}: {verb} here; there are {supported}"


def sub_service(options: Reader, required: bool = True) -> ServiceKey | None:
    """The service that option ``service`` names."""
    if not options.given("service"):
        if required:
            options.problem("service", "is required: address and port (and protocol), or fwmark (and family)")
        return None
    sub = options.sub("service")
    return read_service_key(sub) if sub else None


@contextmanager
def at_work(module: LvsModule) -> Iterator[Kernel]:
    """The kernel's table of the namespace that the module was asked to work in; errors are told."""
    with errors_told(module), _host.network_namespace(module.params["netns"]), closing(Kernel()) as kernel:
        yield kernel


@contextmanager
def errors_told(module: AnsibleModule) -> Iterator[None]:
    """Turns errors into one sentence; what is not one of ours is a bug, and called one."""
    try:
        yield
    except LvsError as error:
        done = {"changed": True, "commands": list(error.done)} if error.done else {}
        module.fail_json(msg=str(error), **done)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        module.fail_json(msg=f"a bug in linux.lvs, please report it: {text}", exception=traceback.format_exc())
