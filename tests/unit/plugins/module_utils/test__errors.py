# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors: each is a sentence."""

from __future__ import annotations

from ansible_collections.linux.lvs.plugins.module_utils import _errors
from hypothesis import given
from hypothesis import strategies as st


def test_invalid_input_says_all_problems_in_their_order():
    error = _errors.InvalidInput(sentence for sentence in ("weight: one", "port: two"))
    assert error.problems == ("weight: one", "port: two")
    assert str(error) == "weight: one; port: two"


def test_a_sentence_that_many_places_have_in_common_is_told_once():
    problems = [f"services[{number}].wieght: is no option: none at all" for number in range(1000)]
    error = _errors.InvalidInput(["port: one", *problems, "port: two"])
    assert str(error) == (
        "port: one; services[0].wieght, services[1].wieght, services[2].wieght and 997 more: is no option: none at all;"
        " port: two"
    )
    assert error.problems == ("port: one", *problems, "port: two")


def test_a_sentence_that_some_places_have_in_common_is_told_of_each_in_its_place():
    problems = [f"services[{number}].{name}: is wrong" for number in range(5) for name in ("port", "weight")]
    assert str(_errors.InvalidInput(problems)) == "; ".join(problems)


def test_sentences_without_a_place_are_all_told():
    problems = [f"file {number} is wrong" for number in range(100)]
    assert str(_errors.InvalidInput(problems)) == "; ".join(problems)


@given(st.lists(st.sampled_from(("is wrong", "is late: by far", "is odd; so are others")), max_size=60))
def test_every_sentence_is_told_and_every_place_of_the_rare_ones(sentences):
    problems = [f"services[{number}]: {sentence}" for number, sentence in enumerate(sentences)]
    text = str(_errors.InvalidInput(problems))
    assert all(f": {sentence}" in text for sentence in sentences)
    assert all(problem in text for problem in problems if sentences.count(problem.partition(": ")[2]) <= 10)
    assert text.count("services[") <= 30


def test_every_error_is_one_that_modules_tell_in_a_sentence():
    errors = [value for value in vars(_errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(errors) > 1
    assert all(issubclass(error, _errors.LvsError) for error in errors)
