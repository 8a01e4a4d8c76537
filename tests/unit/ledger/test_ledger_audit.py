"""A monitor over files in memory: what it reads, what it remembers, and every lie that it is told."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.audit import FINDINGS_MAX, Audited, audit_log
from ledger.audit_memory import Memory, format_memory, parse_memory
from signing import LedgerError, MalformedError, NoteKey, UnavailableError, VerificationError
from tests.support.independent import root_of
from tests.support.tile_log import ORIGIN, Files, Shelf, entries_of, files_of, sign, vkey

KEY = NoteKey.parse(vkey())
NOTHING = Memory()


def audit(files: Files, memory: Memory = NOTHING) -> Audited:
    return audit_log(Shelf(files), KEY, memory)


def codes(audited: Audited) -> list[tuple[str, str]]:
    return [(finding.code, finding.path) for finding in audited.findings]


def remembered(size: int) -> Memory:
    """What an audit of a good log of that size leaves behind."""
    audited = audit(files_of(entries_of(size)))
    assert not audited.findings
    assert audited.memory.checked == size
    return audited.memory


def flip(data: bytes, bit: int) -> bytes:
    at = bit // 8 % len(data)
    return data[:at] + bytes([data[at] ^ (1 << bit % 8)]) + data[at + 1 :]


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 300, 512, 1000])
def test_a_good_log_has_no_findings_and_each_file_is_read_once(size: int) -> None:
    files = files_of(entries_of(size))
    shelf = Shelf(files)
    audited = audit_log(shelf, KEY, NOTHING)
    assert (codes(audited), audited.served.size, audited.memory.checked) == ([], size, size)
    assert sorted(shelf.asked) == sorted(files)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=5).map(sorted))
def test_a_growing_log_is_followed_and_only_what_is_new_is_read(sizes: list[int]) -> None:
    memory = NOTHING
    for size in sizes:
        known = memory.checked
        shelf = Shelf(files_of(entries_of(size)))
        audited = audit_log(shelf, KEY, memory)
        memory = audited.memory
        assert (codes(audited), memory.checked) == ([], size)
        bundles = [path for path in shelf.asked if path.startswith("tile/entries/")]
        assert len(bundles) == (0 if size == known else -(-size // 256) - known // 256)


def test_three_levels() -> None:
    before, files = remembered(1), files_of(entries_of(66_000))
    assert codes(audit(files, before)) == []
    for path in ("tile/2/000.p/1", "tile/1/000", "tile/1/001.p/1", "tile/0/100", "tile/0/257.p/208"):
        audited = audit(files | {path: flip(files[path], 77)})
        assert ("audit.tile", path) in codes(audited), path
        assert all(where == path for _, where in codes(audited)), path


@pytest.mark.parametrize("size", [70, 300, 600])
def test_any_flipped_bit_in_any_file_is_named_and_not_passed(size: int) -> None:
    files = files_of(entries_of(size))
    for path in set(files) - {"checkpoint"}:
        for bit in (0, 1001, 8 * len(files[path]) - 1):
            audited = audit(files | {path: flip(files[path], bit)})
            assert [where for _, where in codes(audited)] == [path], (path, bit)
            assert audited.memory.checked < size
            again = audit(files, audited.memory)
            assert (codes(again), again.memory.checked) == ([], size)


@pytest.mark.parametrize("size", [70, 600])
def test_any_missing_file_is_named_and_is_not_called_false(size: int) -> None:
    files = files_of(entries_of(size))
    for path in set(files) - {"checkpoint"}:
        audited = audit({name: data for name, data in files.items() if name != path})
        assert codes(audited) == [("audit.missing", path.partition(".p/")[0])], path
        assert all(finding.undetermined for finding in audited.findings)


def test_a_partial_tile_that_is_gone_is_cut_from_the_full_one() -> None:
    small, large = files_of(entries_of(300)), files_of(entries_of(600))
    partial = {path for path in small if ".p/" in path}
    audited = audit(
        {**large, **{path: data for path, data in small.items() if path not in partial}}
        | {"tile/1/000.p/1": small["tile/1/000.p/1"]}
    )
    assert (codes(audited), audited.served.size) == ([], 300)


def test_a_full_tile_under_the_name_of_a_partial_one_is_false() -> None:
    small, large = files_of(entries_of(300)), files_of(entries_of(600))
    for kind in ("0", "entries"):
        path = f"tile/{kind}/001.p/44"
        for wrong in (large[f"tile/{kind}/001"], small[path][:-32], small[path] + bytes(32), b""):
            assert codes(audit(small | {path: wrong})) == [("audit.tile", path)]


def test_swapped_entries_are_found() -> None:
    entries = entries_of(300)
    entries[5], entries[6] = entries[6], entries[5]
    files, swapped = files_of(entries_of(300)), files_of(entries)
    audited = audit(files | {"tile/entries/000": swapped["tile/entries/000"]})
    assert codes(audited) == [("audit.entry", "tile/entries/000")]
    assert "entry 5 " in audited.findings[0].message


def test_tiles_that_agree_with_false_entries_are_false() -> None:
    files, other = files_of(entries_of(300)), files_of([b"forged", *entries_of(300)[1:]])
    together = files | {path: other[path] for path in ("tile/0/000", "tile/entries/000")}
    assert codes(audit(together)) == [("audit.tile", "tile/0/000")]
    together = other | {"checkpoint": files["checkpoint"]}
    assert codes(audit(together)) == [("audit.root", "checkpoint")]


def test_a_fork_is_proved_by_two_notes_and_never_forgotten() -> None:
    memory = remembered(300)
    forked = files_of([b"another", *entries_of(500)[1:]])
    audited = audit(forked, memory)
    assert codes(audited) == [("audit.equivocation", "checkpoint")]
    (proof,) = audited.memory.contradictions
    assert (proof.known, proof.served) == (memory.note, forked["checkpoint"])
    assert audited.memory.note == memory.note
    assert audit(forked, audited.memory).memory == audited.memory
    later = audit(files_of(entries_of(400)), audited.memory)
    assert (codes(later), later.memory.checked, later.memory.contradictions) == ([], 400, (proof,))


def test_two_trees_of_one_size_are_a_fork_whatever_else_is_there() -> None:
    memory = remembered(300)
    forked = files_of(entries_of(300, "other"))
    assert codes(audit(forked, memory)) == [("audit.equivocation", "checkpoint")]
    assert codes(audit({"checkpoint": forked["checkpoint"]}, memory)) == [("audit.equivocation", "checkpoint")]


def test_a_rollback_is_named_and_what_is_remembered_stays() -> None:
    memory = remembered(300)
    old = files_of(entries_of(200))
    for files in (old, files_of(entries_of(300)) | old):
        audited = audit(files, memory)
        assert codes(audited) == [("audit.rollback", "checkpoint")]
        assert audited.memory == memory
    other = files_of(entries_of(300)) | {"checkpoint": files_of(entries_of(200, "other"))["checkpoint"]}
    assert codes(audit(other, memory)) == [("audit.equivocation", "checkpoint")]


def test_a_larger_checkpoint_whose_tiles_do_not_prove_it_is_not_remembered() -> None:
    memory, files = remembered(300), files_of(entries_of(700))
    for path in ("tile/0/002.p/188", "tile/1/000.p/2", "tile/0/001"):
        for wrong in ({}, {path: flip(files[path], 9)}):
            audited = audit({name: data for name, data in files.items() if name != path} | wrong, memory)
            assert len(audited.findings) == 1, path
            assert audited.memory == memory


@pytest.mark.parametrize(
    ("note", "code"),
    [
        (sign(300, root_of([b"r" * 32]), seed=8), "note.unknown-key"),
        (sign(300, b"r" * 32, origin="example.org/other"), "note.unknown-key"),
        (sign(300, b"r" * 32).replace(b"300", b"301"), "note.signature"),
        (b"<html>Welcome</html>", "note.form"),
        (b"x" * (1 << 21), "form.size"),
        (b"", "note.form"),
    ],
)
def test_a_checkpoint_without_the_logs_signature_is_refused(note: bytes, code: str) -> None:
    with pytest.raises((VerificationError, MalformedError)) as caught:
        audit({"checkpoint": note})
    assert caught.value.code == code


def test_a_key_that_signed_for_another_log_does_not_count() -> None:
    note = sign(1, b"r" * 32, origin=ORIGIN).replace(f"{ORIGIN}\n1\n".encode(), b"example.org/x\n1\n", 1)
    with pytest.raises(LedgerError) as caught:
        audit({"checkpoint": note})
    assert caught.value.code == "note.signature"
    other = NoteKey.parse(vkey(8))
    with pytest.raises(VerificationError):
        audit_log(Shelf(files_of(entries_of(3), seed=8)), other, remembered(3))


def test_no_checkpoint_is_an_outage() -> None:
    with pytest.raises(UnavailableError) as caught:
        audit({})
    assert caught.value.code == "audit.missing"


def test_findings_are_bounded() -> None:
    size = 256 * (FINDINGS_MAX + 30)
    files = files_of(entries_of(size))
    bad = {path: b"\0" for path in files if path.startswith("tile/entries/")}
    assert len(audit(files | bad).findings) == FINDINGS_MAX


class BreaksOffError(Exception):
    """The process is killed."""


class Dying(Shelf):
    """Dies when the n-th bundle is asked for."""

    def __init__(self, files: Files, bundles: int) -> None:
        super().__init__(files)
        self.bundles = bundles

    def read(self, wanted: object) -> list[bytes | None]:
        answer = super().read(wanted)
        if sum(path.startswith("tile/entries/") for path in self.asked) > self.bundles:
            raise BreaksOffError
        return answer


@pytest.mark.parametrize("bundles", [0, 4, 8, 12])
def test_an_audit_that_was_killed_goes_on_where_it_was(bundles: int) -> None:
    files = files_of(entries_of(4000))
    kept = [NOTHING]
    with pytest.raises(BreaksOffError):
        audit_log(Dying(files, bundles), KEY, NOTHING, keep=lambda memory, _: kept.append(memory))
    assert kept[-1].note == files["checkpoint"]  # from now on a fork is noticed
    assert kept[-1].checked == 256 * bundles
    grown = files_of(entries_of(5000))
    shelf = Shelf(grown)
    audited = audit_log(shelf, KEY, parse_memory(format_memory(kept[-1])))
    assert (codes(audited), audited.memory.checked) == ([], 5000)
    assert sum(path.startswith("tile/entries/") for path in shelf.asked) == -(-5000 // 256) - bundles


def test_a_memory_that_claims_more_than_its_checkpoint_is_refused() -> None:
    for memory in (Memory(b"", 5), replace(remembered(5), checked=6)):
        with pytest.raises(MalformedError):
            audit(files_of(entries_of(9)), memory)


def test_the_memory_is_read_strictly() -> None:
    audited = audit(files_of(entries_of(5, "other")), remembered(5))
    data = format_memory(audited.memory)
    assert parse_memory(data) == audited.memory
    assert parse_memory(format_memory(NOTHING)) == NOTHING
    for length in range(len(data)):
        with pytest.raises(MalformedError):
            parse_memory(data[:length])
    for wrong in (data + b"\n", data.replace(b"/v1", b"/v2"), data.replace(b'"checked":5', b'"checked":-5'), b"{}"):
        with pytest.raises(MalformedError):
            parse_memory(wrong)
