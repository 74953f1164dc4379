# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of keepalived.conf: what a text comes to, and that reading any text ends."""

from __future__ import annotations

from unittest import mock

import pytest
from ansible_collections.linux.lvs.plugins.module_utils import _blocks
from ansible_collections.linux.lvs.plugins.module_utils._blocks import (
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_LINES,
    Found,
    Source,
    expand_braces,
    read_tree,
    split_words,
)
from hypothesis import example, given
from hypothesis import strategies as st

PATH = "/etc/keepalived/keepalived.conf"

# text, statements as words, with what is in braces as a list
CASES = (
    ("words", "a b\tc", ["a b c"]),
    ("comments", "a # b\n! c\nd ! e", ["a", "d"]),
    ("comment signs in quotes", 'a "b # c" # d', ["a b # c"]),
    ("escaped comment signs", "a \\# b \\! c", ["a # b ! c"]),
    ("line ends of DOS", "a\r\nb {\r\nc\r\n}\r\n", ["a", ["b", "c"]]),
    ("block", "a {\nb\n}\nc", [["a", "b"], "c"]),
    ("block on the next line", "a\n{\nb\n}", [["a", "b"]]),
    ("block on one line", "a { b } c", [["a", "b"], "c"]),
    ("empty block", "a {\n}", [["a"]]),
    ("blocks in blocks", "a {\nb {\nc\n}\nd\n}", [["a", ["b", "c"], "d"]]),
    ("braces in quotes", 'a "{ b }"', ["a { b }"]),
    ("definition", "$X=1\na $X ${X}2 $X3 $Y", ["a 1 12 $X3 $Y"]),
    ("definition that is replaced", "$X=1\na $X\n$X=2\na $X", ["a 1", "a 2"]),
    ("definition by one that comes later", "$X=${Y}\n$Y=2\na $X", ["a 2"]),
    ("empty definition", "$X=\na ${X}b", ["a b"]),
    ("definition of several lines", "$X= \\\na ${Y} { \\\nb \\\n}\n$Y=1\n$X\nc", [["a 1", "b"], "c"]),
    ("definition of several lines within a line", "$X=a \\\nb\n$X c\nd $X", ["$X c", "d a", "b"]),
    ("definition made of others", "$X= \\\n$Y \\\nc\n$Y=a \\\nb\n$X", ["a", "b", "c"]),
    ("definition in a definition", "$X= \\\n$Y=1 \\\na $Y\n$X\nb $Y", ["a 1", "b 1"]),
    ("given definitions", "a ${_PWD} ${_INSTANCE} ${_HASH}${_BANG}", ["a /etc/keepalived here #!"]),
    ("lines for a host", "@here a\n@there b\n@^here c\n@^there d\n@here", ["a", "d"]),
    ("several conditions", "@here @^there a\n@here @there b", ["a"]),
    ("condition by definition", "$X=@there\n$X a\n$X=@here\n$X b", ["b"]),
    ("sequence", "~SEQ(X, 1, 3) a ${X}", ["a 1", "a 2", "a 3"]),
    ("sequence from 1", "~SEQ(X,2) a ${X}\n~SEQ(X,-2) b ${X}", ["a 1", "a 2", "b -1", "b -2"]),
    ("sequence by steps", "~SEQ(X, 5, -2, 1) a ${X}", ["a 5", "a 3", "a 1"]),
    ("sequence downwards", "~SEQ(X,2,1) a ${X}", ["a 2", "a 1"]),
    ("hexadecimal sequence", "~SEQx(X, 0x9, 11) a ${X}", ["a 9", "a a", "a b"]),
    ("sequence in a sequence", "~SEQ(X,2) ~SEQ(Y,3,4) a ${X}${Y}", ["a 13", "a 14", "a 23", "a 24"]),
    ("sequence by definition", "$N=2\n~SEQ(X,$N) a ${X}", ["a 1", "a 2"]),
    ("list", "~LST(X, p, q) a ${X}", ["a p", "a q"]),
    ("list of several", "~LST({X, Y}, {p,1}, {q,2}) a ${X}${Y}", ["a p1", "a q2"]),
)
WRONG = (
    ("} ", "1: a brace closes that was not opened"),
    ("a {\nb {\n}", "1: this brace is never closed"),
    ("{\n}", "1: a brace opens, and nothing is before it"),
    ("a {\n}\n{\n}", "3: a brace opens, and nothing is before it"),
    ('a "b', "1: a quoted string has no end"),
    ("a" * (MAX_LENGTH + 1), f"1: is longer than {MAX_LENGTH} characters, and not read"),
    ("$X=$X x\na $X", "2: a definition is too long, or made of itself"),
    ("$X= \\\n$X\n$X", "3: a definition is too long, or made of itself"),
    (f"$X={'x' * 1000}\na {'${X} ' * 5}", "2: a definition is too long, or made of itself"),
    ("~SEQ(X,1,0,2) a", "1: '~SEQ(X,1,0,2) a' is no sequence that can be read"),
    ("~SEQ(X,1,-1,2) a", "1: '~SEQ(X,1,-1,2) a' is no sequence that can be read"),
    ("~SEQ(X) a", "1: '~SEQ(X) a' is no sequence that can be read"),
    ("~LST({X,Y},{1}) a", "1: '~LST({X,Y},{1}) a' is no sequence that can be read"),
    ("~LST() a", "1: '~LST() a' is no sequence that can be read"),
    ("~what", "1: '~what' is no sequence that can be read"),
    ("~SEQ(X,1,99999999) a", f"1: is not read further: its definitions and sequences make more than {MAX_LINES} lines"),
    ("~SEQ(X,1,99999999)", f"1: is not read further: its definitions and sequences make more than {MAX_LINES} lines"),
    (
        "~SEQ(X,1)" * MAX_DEPTH + "~SEQ(X,1) a",
        "1: '~SEQ(X,1) a' is one sequence in too many others",
    ),
    ("include nothing.conf", "1: include nothing.conf: there is no such file"),
)
PIECES = st.sampled_from(
    [
        *(
            "\n",
            " ",
            "\\\n",
            "\\",
            '"',
            "{",
            "}",
            "(",
            ")",
            ",",
            "#",
            "!",
            "@here",
            "@^",
            "$",
            "$X",
            "${X}",
            "$X=",
            "${Y}",
        ),
        *(
            "$Y=",
            "~SEQ(X,3)",
            "~SEQx(Y,-1,0x7fffffff)",
            "~LST({X,Y},{1,2})",
            "~LST(",
            "include",
            "include self",
            "1",
            "a",
        ),
        *("include {a,{b,self}}", "${_PWD}", "\0", "\u00e9", "~"),
    ]
)


def tree(text, find=lambda pattern: Found(problems=["there is no such file"])):
    return read_tree(Source(PATH, text), find, "here")


def shown(statements):
    return [
        " ".join(each.words) if each.block is None else [" ".join(each.words), *shown(each.block)]
        for each in statements
    ]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_text_comes_to_statements(text, expected):
    found = tree(text)
    assert shown(found.statements) == expected
    assert found.warnings == ()


@pytest.mark.parametrize(("text", "warning"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_told_with_its_line(text, warning):
    assert tree(text).warnings == (f"{PATH}:{warning}",)


def test_lines_that_are_read_stay_when_one_is_wrong():
    assert shown(tree("a\n~what\nb {\nc").statements) == ["a", ["b", "c"]]


def test_included_files_are_read_in_their_place_with_paths_of_their_own():
    files = {
        "/etc/keepalived/sub/a": Source("/etc/keepalived/sub/a", "$X=1\nb\n"),
        "/etc/keepalived/sub/b": Source("/etc/keepalived/sub/b", "d $X"),
        "/c": Source("/c", "e ${_PWD}\n}"),
    }
    found = tree(
        "a {\nincludem sub/a\n$D=sub\ninclude ${D}/b\ninclude_check readable\nincludea {/c,/none}\n",
        lambda pattern: Found([files[pattern]] if pattern in files else [], [] if pattern in files else ["none"]),
    )
    assert shown(found.statements) == [["a", "b", "d 1", "include_check readable", "e /"]]
    assert found.warnings == (f"{PATH}:6: include {{/c,/none}}: none",)


def test_file_that_includes_itself_ends():
    found = tree("a\ninclude keepalived.conf", lambda pattern: Found([Source(PATH, "b\ninclude keepalived.conf")]))
    assert shown(found.statements) == ["a", *["b"] * MAX_DEPTH]
    assert found.warnings == (f"{PATH}:2: include keepalived.conf: is one file in too many others",)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("/a/*.conf", ["/a/*.conf"]),
        ("/{a,b}/{c,d}", ["/a/c", "/a/d", "/b/c", "/b/d"]),
        ("/{a/{,x},b}", ["/a/", "/b", "/a/x", "/b"]),
        ("/{a}", ["/{a}"]),
    ],
)
def test_braces_are_names_to_choose_from(pattern, names):
    assert sorted(set(expand_braces(pattern))) == sorted(set(names))


def test_quoted_strings_are_one_word():
    assert split_words('a "b c"d "" "e') == ("a", "b c", "d", "", "e")


@given(
    st.one_of(st.text(), st.lists(PIECES).map("".join), st.binary().map(lambda data: data.decode("utf-8", "replace")))
)
@example("$X=$Y$Y\n$Y=$X$X\n$X")
@example("include {" + "{a,b}," * 500 + "}")
def test_reading_any_text_ends(text):
    with mock.patch.object(_blocks, "MAX_LINES", 2000):  # a second for each text that makes that many
        found = tree(text, lambda pattern: Found([Source("/self", text)] if pattern.endswith("self") else []))
    assert all(warning.startswith("/") for warning in found.warnings)
