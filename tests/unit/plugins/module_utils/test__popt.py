# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of a command line, taken apart as popt does it."""

from __future__ import annotations

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._popt import ALWAYS, NEVER, OPTIONAL, read_words

LETTERS = {"q": "quick", "s": "size", "t": "times"}
VALUES = {"quick": NEVER, "size": ALWAYS, "times": OPTIONAL}
QUICK = ("quick", None)

CASES = (
    ("", []),
    ("-q", [QUICK]),
    ("--quick", [QUICK]),
    ("-qq --quick", [QUICK] * 3),
    ("-s 5", [("size", "5")]),
    ("-s5 -s=5 --size 5 --size=5", [("size", "5")] * 4),
    ("-qs5", [QUICK, ("size", "5")]),
    ("-sq", [("size", "q")]),
    ("-s -q", [("size", "-q")]),
    ("-s= --size=", [("size", "")] * 2),
    ("-s", [("size", None)]),
    ("-t -q", [("times", None), QUICK]),
    ("-t 5 -t5", [("times", "5")] * 2),
    ("-t", [("times", None)]),
    ("--times=-q", [("times", "-q")]),
    ("--si 5", [("", None)] * 2),
    ("-x", [("", None)]),
    ("-qx5", [QUICK, ("", None), ("", None)]),
    ("-", [("", None)]),
    ("5 -q", [("", None), QUICK]),
    ("-q -- -q", [QUICK, ("", None)]),
)


@pytest.mark.parametrize(("words", "found"), CASES, ids=[case[0] for case in CASES])
def test_words_are_options_values_or_neither(words, found):
    assert [(option.name, option.value) for option in read_words(words.split(), LETTERS, VALUES)] == found


@pytest.mark.parametrize("word", ["-q=1", "--quick=1", "--quick=", "-qq="])
def test_value_that_an_option_does_not_take_is_told(word):
    with pytest.raises(ValueError, match=r"^--quick takes no value$"):
        list(read_words([word], LETTERS, VALUES))


def test_words_are_kept_as_they_were_written():
    words = ["-qx", "--nosuch=1", "-s5", "left"]
    assert [option.word for option in read_words(words, LETTERS, VALUES)] == ["-q", "-x", "--nosuch=1", "-s", "left"]
