"""Processes race for one log, with entries of their own and with the same ones, and are killed in the middle."""

import random
import time
from collections.abc import Iterable

from sqlalchemy import Engine

from tests.support.ledger_logs import append, check_log, new_log
from tests.support.ledger_writer import THREADS, entry_of
from tests.support.told import Told, Writer, check_told

LONGEST_LIFE_SECONDS = 0.3


def submitted(names: Iterable[str], count: int) -> set[bytes]:
    """All that writers of these names may have handed in: shared entries come from each."""
    numbers = range(count)
    return {
        entry_of(name, t, n, shared=s) for name in names for t in range(THREADS) for n in numbers for s in (False, True)
    }


def test_writers_race_and_are_killed(engine: Engine, database_url: str) -> None:
    """In two rounds, so that the second begins on what the killed ones left; one name comes back with its entries."""
    new_log(engine)
    told, names = Told(), ("a", "b", "c", "a", "d")
    for round_of in (names[:3], names[3:]):
        writers = [Writer(database_url, name, "shared") for name in round_of]
        for writer in writers:
            writer.wait_for_more(1)
        while writers:
            time.sleep(random.uniform(0, LONGEST_LIFE_SECONDS))
            writers.pop(random.randrange(len(writers))).kill(told)
    assert told.failures == []
    entries = check_told(engine, told, submitted=submitted(names, 100_000))
    again = append(engine, [*told.indices, b"after"])
    assert list(again.duplicates) == [True] * len(told.indices) + [False]
    assert again.indices[-1] == len(entries)
    check_log(engine)
