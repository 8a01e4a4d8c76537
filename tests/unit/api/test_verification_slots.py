"""Verifications for strangers: some at once, the rest are told to come back."""

import pytest

from api.http.slots import VerificationSlots
from signing import UnavailableError


def test_a_slot_is_given_back_also_after_an_error() -> None:
    slots = VerificationSlots(at_once=1, wait_seconds=0)
    with pytest.raises(ValueError, match="inside"), slots.held():
        raise ValueError("inside")
    with slots.held():
        pass


def test_more_than_there_are_slots_is_busy_and_not_an_answer() -> None:
    slots = VerificationSlots(at_once=2, wait_seconds=0)
    with slots.held(), slots.held():
        with pytest.raises(UnavailableError) as caught, slots.held():
            pass
        assert caught.value.code == "verify.busy"
    with slots.held():
        pass
