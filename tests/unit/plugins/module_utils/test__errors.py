# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors: each is a sentence."""

from __future__ import annotations

from ansible_collections.linux.lvs.plugins.module_utils import _errors


def test_invalid_input_says_all_problems_in_their_order():
    error = _errors.InvalidInput(sentence for sentence in ("weight: one", "port: two"))
    assert error.problems == ("weight: one", "port: two")
    assert str(error) == "weight: one; port: two"


def test_every_error_is_one_that_modules_tell_in_a_sentence():
    errors = [value for value in vars(_errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(errors) > 1
    assert all(issubclass(error, _errors.LvsError) for error in errors)
