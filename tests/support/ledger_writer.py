"""A process that appends to a log for ever, and tells each answer on a line once it has it; a failure it tells too.

python -m tests.support.ledger_writer URL NAME [SHARED]

Each entry is handed in by one of two threads, through a batcher; every third is one that all writers have in common if
SHARED is given. What was not acknowledged is handed in again, until it is.
"""

import json
import sys
import threading
import time
from itertools import count

from ledger.batcher import Batcher
from ledger.database import open_engine
from signing import UnavailableError
from tests.support.ledger_logs import append

THREADS = 2


def entry_of(name: str, thread: int, number: int, *, shared: bool) -> bytes:
    """What a thread hands in."""
    return b"shared %d" % number if shared and number % 3 == 0 else f"{name} {thread} {number}".encode()


def main(url: str, name: str, *, shared: bool) -> None:
    """Append until killed."""
    engine, telling = open_engine(url), threading.Lock()
    batcher = Batcher(lambda batch: append(engine, batch))

    def tell(what: object) -> None:
        with telling:
            print(json.dumps(what), flush=True)

    def work(thread: int) -> None:
        for number in count():
            entry = entry_of(name, thread, number, shared=shared)
            while True:
                try:
                    answer = batcher.append(entry)
                except UnavailableError as error:
                    tell(error.code)
                    time.sleep(0.02)
                else:
                    tell([entry.decode(), answer.index, answer.checkpoint_note.decode()])
                    break

    for thread in range(THREADS):
        threading.Thread(target=work, args=(thread,)).start()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], shared=len(sys.argv) > 3)
