"""``log audit``: over HTTP and from a folder, on logs of others and of our own, and every lie of a server."""

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from sqlalchemy import Engine

from api import auditing
from api.auditing import FolderLog, HttpLog, audit
from ledger.audit_memory import format_memory, parse_memory
from ledger.database import reading
from ledger.export import export_log
from ledger.log_source import Wanted
from ledger.reading import LogReader
from signing import NoteKey, UnavailableError
from tests.support.command_line import Ran, ematerials
from tests.support.http_world import World, running_world
from tests.support.ledger_logs import KEY, ORIGIN, append, new_log, numbered
from tests.support.tile_log import Answer, Files, entries_of, files_of, respond, serving, vkey

ROOT = Path(__file__).parents[2]


def log_audit(url: str, *options: str | Path, key: str = "") -> Ran:
    return ematerials("log", "audit", url, "--log-key", key or vkey(), "--json", *options)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between attempts."""
    monkeypatch.setattr(auditing, "_PAUSE_SECONDS", 0.01)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "monitor.json"


@pytest.fixture
def own_world(tmp_path: Path) -> Iterator[World]:
    """A service whose log grows without any other test counting on it."""
    with running_world(tmp_path / "home") as world:
        yield world


def written(folder: Path, files: Files) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


# --- logs of others --------------------------------------------------------------------------------------------------


def test_a_log_elsewhere_is_followed_as_it_grows(state: Path) -> None:
    files: Files = {}
    with serving(files) as url:
        for size, known in ((3, None), (700, 3), (700, 700), (2000, 700)):
            files.update(files_of(entries_of(size)))
            ran = log_audit(url, "--state", state)
            assert (ran.code, ran.json["clean"], ran.json["size"]) == (0, True, size), ran
            assert (ran.json["known_size"], ran.json["checked"]) == (known, size)
        assert log_audit(url, "--state", state, "--from-start").json["checked"] == 2000
        assert log_audit(url).json["known_size"] is None


def test_a_folder_is_audited_in_the_same_way(tmp_path: Path, state: Path) -> None:
    folder = written(tmp_path / "log", files_of(entries_of(600)))
    assert log_audit(str(folder), "--state", state).code == 0
    (folder / "tile/0/001").write_bytes(bytes(8192))
    assert log_audit(str(folder), "--state", state).code == 0  # nothing is new
    ran = log_audit(str(folder), "--state", state, "--from-start")
    assert (ran.code, ran.json["findings"][0]["path"]) == (1, "tile/0/001")
    (folder / "tile/0/001").unlink()
    ran = log_audit(str(folder), "--state", state)
    assert (ran.code, ran.json["findings"][0]["code"]) == (2, "audit.missing")


def test_equivocation_has_an_exit_code_of_its_own_and_shows_both_notes(state: Path) -> None:
    files = files_of(entries_of(300))
    with serving(files) as url:
        assert log_audit(url, "--state", state).code == 0
        good = dict(files)
        forked = files_of(entries_of(400, "other"))
        files.clear()
        files.update(forked)
        ran = log_audit(url, "--state", state)
        assert (ran.code, ran.json["findings"][0]["code"]) == (3, "audit.equivocation")
        assert ran.json["contradictions"] == [
            {"known": good["checkpoint"].decode(), "served": forked["checkpoint"].decode()}
        ]
        files.clear()
        files.update(good)
        assert log_audit(url, "--state", state).code == 3  # it is not forgotten
        shown = ematerials("log", "audit", url, "--log-key", vkey(), "--state", state)
        assert good["checkpoint"].decode() in shown.out
        assert forked["checkpoint"].decode() in shown.out
    assert parse_memory(state.read_bytes()).note == good["checkpoint"]


def test_a_smaller_checkpoint_is_a_rollback(state: Path) -> None:
    files = files_of(entries_of(300))
    with serving(files) as url:
        assert log_audit(url, "--state", state).code == 0
        before = state.read_bytes()
        files["checkpoint"] = files_of(entries_of(200))["checkpoint"]
        ran = log_audit(url, "--state", state)
        assert (ran.code, ran.json["findings"][0]["code"]) == (1, "audit.rollback")
    assert state.read_bytes() == before


def test_another_key_and_another_origin_are_refused() -> None:
    with serving(files_of(entries_of(3))) as url:
        assert log_audit(url, key=vkey(8)).error_code == "note.unknown-key"
        ran = log_audit(url, key=vkey(7, "example.org/other"))
        assert (ran.code, ran.error_code) == (1, "note.unknown-key")


@pytest.mark.parametrize("content", [b"", b"{}", b"not json"])
def test_a_damaged_state_file_is_never_taken_for_a_new_one(content: bytes, state: Path, tmp_path: Path) -> None:
    folder = written(tmp_path / "log", files_of(entries_of(3)))
    state.write_bytes(content)
    ran = log_audit(str(folder), "--state", state)
    assert (ran.code, state.read_bytes()) == (1, content)


@pytest.mark.parametrize("place", ["ftp://example.org/log", "no/such/folder", "http://", "http://[", "http://a b/"])
def test_a_place_that_is_none(place: str, hasty: None) -> None:
    assert log_audit(place).code in (64, 69)


# --- lies of a server ------------------------------------------------------------------------------------------------


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(1 << 16))


def slow_body(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b"x")
        time.sleep(0.05)


def slow_head(handler: BaseHTTPRequestHandler) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 1000:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.05)


def cut_off(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "8192")
    handler.end_headers()
    handler.wfile.write(bytes(100))
    handler.close_connection = True


def zipped(content: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def bomb() -> bytes:
    """2 GiB in 2 MiB, made without holding it."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(2048)) + packer.flush()


def status(code: int, **headers: str) -> Answer:
    return lambda handler: respond(handler, b"", status=code, **headers)


def other_coding(handler: BaseHTTPRequestHandler) -> None:
    respond(handler, b"x", **{"Content-Encoding": "br"})


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/000", "tile/entries/001.p/44"])
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (slow_body, "audit.unreachable"),
        (slow_head, "audit.unreachable"),
        (cut_off, "audit.unreachable"),
        (status(500), "audit.unreachable"),
        (status(429), "audit.unreachable"),
        (status(403), "audit.answer"),
        (status(302, Location="http://127.0.0.1:9/"), "audit.answer"),
        (status(304), "audit.answer"),
        (status(204), "audit.answer"),
        (zipped(b"plain"), "audit.answer"),
        (zipped(gzip.compress(b"text")[:-4]), "audit.answer"),
        (zipped(gzip.compress(b"text") + b"more"), "audit.answer"),
        (other_coding, "audit.answer"),
        (lambda handler: handler.wfile.write(b"not HTTP at all\r\n\r\n"), "audit.unreachable"),
    ],
)
def test_what_a_server_fails_to_give_is_an_outage(answer: Answer, code: str, path: str, hasty: None) -> None:
    files = files_of(entries_of(300))
    with serving(files, {path: answer}) as url:
        began = time.monotonic()
        ran = log_audit(url, "--timeout", "0.3")
    assert (ran.code, ran.error_code) == (69, code)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("path", ["tile/0/000", "tile/entries/001.p/44", "tile/1/000.p/1"])
@pytest.mark.parametrize("answer", [endless, zipped(bomb())])
def test_what_is_too_long_is_false_and_never_held(answer: Answer, path: str, hasty: None) -> None:
    with serving(files_of(entries_of(300)), {path: answer}) as url:
        ran = log_audit(url, "--timeout", "20")
    assert (ran.code, [(each["code"], each["path"]) for each in ran.json["findings"]]) == (1, [("audit.tile", path)])


def test_an_endless_checkpoint_is_refused() -> None:
    with serving({}, {"checkpoint": endless}) as url:
        ran = log_audit(url)
    assert (ran.code, ran.error_code) == (1, "form.size")


def test_a_server_that_fails_once_is_asked_again(hasty: None) -> None:
    failed: list[str] = []
    files = files_of(entries_of(300))

    def once(path: str) -> Answer:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            if path in failed:
                respond(handler, files[path])
            else:
                failed.append(path)
                respond(handler, b"", status=503)

        return answer

    with serving(files, {path: once(path) for path in files}) as url:
        assert log_audit(url).code == 0
    assert sorted(failed) == sorted(files)


def test_nobody_there(hasty: None) -> None:
    with serving({}) as url:
        pass
    assert log_audit(url).error_code == "audit.unreachable"


def test_files_are_fetched_side_by_side() -> None:
    together = threading.Barrier(4, timeout=10)
    files = {f"file/{number}": b"content" for number in range(4)}

    def answer(handler: BaseHTTPRequestHandler) -> None:
        together.wait()
        respond(handler, b"content")

    with serving(files, dict.fromkeys(files, answer)) as url, HttpLog(url, timeout=20) as log:
        assert log.read([Wanted(path, 7) for path in files]) == [b"content"] * 4
        with pytest.raises(UnavailableError):
            log.read([Wanted("x\ny", 7)])


# --- crashes, and two at once ----------------------------------------------------------------------------------------


def run_elsewhere(url: str, state: Path) -> subprocess.Popen[bytes]:
    arguments = ["log", "audit", url, "--log-key", vkey(), "--state", str(state)]
    code = f"from api.cli.app import main; main({arguments!r})"
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_audit_has_remembered_the_checkpoint_and_goes_on(how: signal.Signals, state: Path) -> None:
    files = files_of(entries_of(3000))
    reached = threading.Event()

    def stall(handler: BaseHTTPRequestHandler) -> None:
        reached.set()
        time.sleep(2)

    with serving(files, {"tile/entries/009": stall}) as url:
        process = run_elsewhere(url, state)
        try:
            assert reached.wait(30), process.communicate()
            again = log_audit(url, "--state", state)
            assert (again.code, again.error_code) == (69, "audit.busy")
        finally:
            os.kill(process.pid, how)
            process.communicate()
        memory = parse_memory(state.read_bytes())
        assert memory.note == files["checkpoint"]
        assert memory.checked == (0 if how == signal.SIGKILL else 2048)
    with serving(files) as url:
        ran = log_audit(url, "--state", state)
        assert (ran.code, ran.json["checked"], ran.json["known_size"]) == (0, 3000, 3000)


def test_progress_is_saved_on_the_way(state: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(auditing, "_SAVE_SECONDS", -1)
    folder = written(tmp_path / "log", files_of(entries_of(3000)))
    seen: list[tuple[int, int]] = []

    def progress(done: int, size: int) -> None:
        assert parse_memory(state.read_bytes()).checked == done
        seen.append((done, size))

    audited = audit(FolderLog(folder), NoteKey.parse(vkey()), state=state, from_start=False, progress=progress)
    assert seen == [(done, 3000) for done in (0, 1024, 2048, 3000)]
    assert state.read_bytes() == format_memory(audited.memory)


# --- our own ---------------------------------------------------------------------------------------------------------


def grow(engine: Engine, stop: threading.Event) -> None:
    """Small and large batches, so that tiles are cut everywhere."""
    size = 1
    while not stop.is_set():
        step = (1, 7, 300)[size % 3]
        append(engine, numbered(size, size + step))
        size += step


def test_our_export_is_followed_while_the_log_grows(engine: Engine, tmp_path: Path) -> None:
    new_log(engine)
    stop, folder, state = threading.Event(), tmp_path / "static", tmp_path / "state.json"
    writer = threading.Thread(target=grow, args=(engine, stop))
    writer.start()
    try:
        sizes = []
        for _ in range(8):
            with reading(engine).connect() as connection:
                export_log(LogReader(connection, ORIGIN), folder)
            audited = audit(FolderLog(folder), KEY, state=state, from_start=False)
            assert audited.findings == ()
            sizes.append(audited.served.size)
    finally:
        stop.set()
        writer.join()
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


def test_our_service_is_followed_while_the_log_grows(own_world: World, state: Path) -> None:
    world = own_world
    key = world.workspace.log_key
    signer = world.workspace.keyring.signer("home.log")
    stop = threading.Event()

    def registrations() -> None:
        number = 0
        while not stop.is_set():
            with world.workspace.database.write() as connection:
                batch = [b"load %d" % each for each in range(number, number + 40)]
                world.workspace.log(connection).append(batch, signer=signer, known_head=None)
            number += 40

    writer = threading.Thread(target=registrations)
    writer.start()
    try:
        with HttpLog(f"{world.url}/log", timeout=30) as source:
            audits = [audit(source, key, state=state, from_start=False) for _ in range(6)]
    finally:
        stop.set()
        writer.join()
    assert [audited.findings for audited in audits] == [()] * 6
    assert audits[-1].served.size > audits[0].served.size
    ran = log_audit(f"{world.url}/log/", "--state", state, key=key.format())
    assert (ran.code, json.loads(ran.out)["known_size"]) == (0, audits[-1].served.size)
