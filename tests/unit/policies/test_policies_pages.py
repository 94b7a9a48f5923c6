"""Every policy has its page, in step with its code, and says each of its sentences in two languages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bwmgr.daemon.policy_registry import policy_modules
from policies import BUILTIN

sys.path.insert(0, str(Path(__file__).parents[3]))
from tools import policy_pages


@pytest.mark.parametrize("name", BUILTIN)
def test_a_policy_says_each_sentence_in_two_languages(name: str) -> None:
    """A sentence without Indonesian would be said in English."""
    sentences = list(policy_pages._sentences(policy_modules()[name]))
    assert sentences
    assert not [message for _, message in sentences if policy_pages._indonesian(message) == message]


def test_the_pages_are_in_step_with_the_code() -> None:
    """`python tools/policy_pages.py` was run after the last change."""
    stale = [name for name, text in policy_pages.pages().items() if (policy_pages.FOLDER / name).read_text() != text]
    assert stale == [], "run: python tools/policy_pages.py"
