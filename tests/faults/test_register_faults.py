"""Registration that is interrupted, repeated or raced: all or nothing, once, and nothing readable left behind."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

import materials.store.tables as tables
from materials.registry.ports import HomePorts
from materials.registry.register import register
from materials.registry.submission import Registered
from signing import Es256Signer
from tests.support.materials_home import NOW, PDF, HomeKit, fields, submission


@pytest.fixture
def kit(engine: Engine, tmp_path: Path) -> HomeKit:
    """Of a department that signs twice, so that every step is there."""
    kit = HomeKit(tmp_path / "vault", second=Es256Signer.generate(os.urandom))
    kit.create(engine)
    return kit


class CrashError(Exception):
    pass


@dataclass(frozen=True)
class Crashing:
    """A port that works until the named method is called: it fails before the effect, or after it."""

    port: object
    method: str
    after: bool

    def __getattr__(self, name: str) -> object:
        real = getattr(self.port, name)
        if name != self.method:
            return real

        def crash(*args: object, **kwargs: object) -> object:
            if self.after:
                real(*args, **kwargs)
            raise CrashError

        return crash


STEPS = [
    ("materials", "claim"),
    ("statuses", "draw"),
    ("sealer", "seal_file"),
    ("statuses", "take"),
    ("vault", "keep_file"),
    ("vault", "put_disclosures"),
    ("signatures", "add"),
    ("log", "append_all"),
    ("materials", "complete"),
]


TABLES = (
    tables.material_registration,
    tables.material_status_entry,
    tables.material_vault_object,
    tables.statement_signature,
)


def files(kit: HomeKit) -> list[Path]:
    return sorted(kit.folder.glob("*/*"))


def assert_nothing_registered(kit: HomeKit, engine: Engine) -> None:
    with engine.begin() as conn:
        for table in TABLES:
            assert conn.execute(select(func.count()).select_from(table)).scalar() == 0
        ports = kit.ports(conn)
        assert ports.log.entry(1) is None


@contextmanager
def broken_unit(kit: HomeKit, engine: Engine, port: str, crashing: Crashing) -> Iterator[HomePorts]:
    with kit.unit(engine) as ports:
        yield replace(ports, **{port: replace(crashing, port=getattr(ports, port))})


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("port", "method"), STEPS)
def test_a_failure_at_any_step_registers_nothing(
    kit: HomeKit, engine: Engine, port: str, method: str, after: bool
) -> None:
    with pytest.raises(CrashError), broken_unit(kit, engine, port, Crashing(None, method, after=after)) as broken:
        register(broken, kit.home(), submission(), kit.keys, now=NOW, random_bytes=os.urandom)
    assert_nothing_registered(kit, engine)
    with engine.begin() as conn:
        left = len(files(kit))
        assert kit.vault(conn).sweep(created_before=2**40) == left
    assert files(kit) == []
    with kit.unit(engine) as ports:
        assert register(ports, kit.home(), submission(), kit.keys, now=NOW, random_bytes=os.urandom).is_new
    with engine.begin() as conn:
        assert kit.vault(conn).sweep(created_before=2**40) == 0
    assert len(files(kit)) == 1


def test_a_commit_whose_answer_was_lost_is_repeated(kit: HomeKit, engine: Engine) -> None:
    with kit.unit(engine) as ports:
        first = register(ports, kit.home(), submission(), kit.keys, now=NOW, random_bytes=os.urandom)
    with kit.unit(engine) as ports:
        again = register(ports, kit.home(), submission(), kit.keys, now=NOW, random_bytes=os.urandom)
        assert len(ports.signatures.of(first.record.jti)) == 1
    assert (again.record, again.is_new) == (first.record, False)


def test_racing_registrations_agree_on_one_id(kit: HomeKit, engine: Engine) -> None:
    answers: list[Registered] = []
    start = threading.Barrier(4)

    def enter() -> None:
        start.wait()
        with kit.unit(engine) as ports:
            made = register(ports, kit.home(), submission(), kit.keys, now=NOW, random_bytes=os.urandom)
        answers.append(made)

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert len({answer.record.jti for answer in answers}) == 1
    assert sum(answer.is_new for answer in answers) == 1
    with kit.unit(engine) as ports:
        assert ports.log.entry(2) is None


def test_no_value_is_readable_in_database_or_folder(kit: HomeKit, engine: Engine, tmp_path: Path) -> None:
    with kit.unit(engine) as ports:
        register(ports, kit.home(), submission(), kit.keys, now=NOW, random_bytes=os.urandom)
    stored = b"".join(path.read_bytes() for path in files(kit))
    with engine.begin() as conn:
        for table in tables.metadata.sorted_tables:
            stored += b"".join(_bytes(value) for row in conn.execute(select(table)) for value in row)
    engine.dispose()
    stored += b"".join(path.read_bytes() for path in tmp_path.glob("test.db*"))
    values = [str(value).encode() for name, value in fields().items() if name not in {"area_code", "holder_code_type"}]
    for secret in (*values, PDF[:16], kit.secret, kit.vault_key):
        assert secret not in stored
        assert secret.hex().encode() not in stored


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


KILLED = """
import os, signal, sys
from pathlib import Path
from ledger.database import open_engine
from materials.registry.ports import HomePorts
from materials.registry.register import register
from tests.support.materials_home import NOW, HomeKit, submission
from signing import Ed25519Signer

keys = dict(issue=Ed25519Signer(b"1" * 32), status=Ed25519Signer(b"2" * 32),
            log_key=Ed25519Signer(b"3" * 32), list_key=Ed25519Signer(b"4" * 32),
            secret=b"5" * 32, vault_key=b"6" * 32)
kit = HomeKit(Path(sys.argv[1]), **keys)
engine = open_engine(sys.argv[2])
if sys.argv[3] == "create":
    kit.create(engine)
else:
    with kit.unit(engine) as ports:
        register(ports, kit.home(), submission(), kit.keys, now=NOW, random_bytes=os.urandom)
        if sys.argv[3] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
    print("committed")
"""


def test_a_killed_process_leaves_only_an_orphan(engine: Engine, database_url: str, tmp_path: Path) -> None:
    def run(mode: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", KILLED, str(tmp_path / "vault"), database_url, mode]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert run("create").returncode == 0
    killed = run("kill")
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "")
    kit = HomeKit(tmp_path / "vault")
    assert_nothing_registered(kit, engine)
    assert len(files(kit)) == 1
    with engine.begin() as conn:
        assert kit.vault(conn).sweep(created_before=2**40) == 1
    assert run("register").stdout == "committed\n"
    assert len(files(kit)) == 1
    with engine.begin() as conn:
        assert kit.ports(conn).log.entry(1) is not None
