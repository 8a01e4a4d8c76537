"""How far ``fsck`` came is remembered of the log whose key the state file names, and of no other."""

from pathlib import Path

from api.scanning import course_of
from ledger.fsck_position import Position, parse_position
from tests.support.ledger_logs import KEY, ORIGIN


def test_another_logs_position_is_not_written_down(tmp_path: Path) -> None:
    state, heard = tmp_path / "state", []
    with course_of(KEY, None, state, lambda done, size: heard.append((done, size))) as course:
        course.reached("example.gov/other", Position((bytes(32),), 65536), 65536, 70000)
        assert not state.exists()
        mine = Position((b"\x01" * 32,), 65530)
        course.reached(ORIGIN, mine, 65536, 80000)
        course.reached("example.gov/other", Position((bytes(32), bytes(32)), 131072), 131072, 140000)
        assert parse_position(state.read_bytes(), KEY.format()) == mine
    assert heard == [(65536, 70000), (65536, 80000), (131072, 140000)]
    assert not state.exists()
