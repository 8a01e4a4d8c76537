"""The folder of revocation lists: the newest of each issuer, those that tell of a day, and files that can't be read."""

from pathlib import Path

import pytest

from api.crls import CrlFolder
from signing.x509.revocation import RevocationList
from tests.support.pki import DAY, Authority, make_root

T = 1_790_000_000
ONE, OTHER = make_root(name="one"), make_root(name="other")


@pytest.fixture
def folder(tmp_path: Path) -> CrlFolder:
    return CrlFolder(tmp_path / "crls")


def kept(folder: CrlFolder, authority: Authority, day: int) -> RevocationList:
    crl = authority.crl(this_update=T + day * DAY, next_update=T + (day + 30) * DAY)
    folder.keep(crl)
    return crl


def test_an_absent_folder_holds_nothing(folder: CrlFolder) -> None:
    assert folder.newest() == ()
    assert folder.telling(ONE.issue("leaf").certificate, T) == ()


def test_the_newest_of_each_issuer_in_whatever_order_they_came(folder: CrlFolder) -> None:
    lists = [kept(folder, ONE, 3), kept(folder, ONE, 1), kept(folder, OTHER, 2)]
    assert {crl.der for crl in folder.newest()} == {lists[0].der, lists[2].der}
    later = kept(folder, ONE, 4)
    assert {crl.der for crl in folder.newest()} == {later.der, lists[2].der}, "a running service sees a new file"


def test_a_new_key_under_the_same_name_hides_no_list(folder: CrlFolder) -> None:
    renewed = make_root("Ed25519", name="one")
    old, new = kept(folder, ONE, 3), kept(folder, renewed, 3)
    assert {crl.der for crl in folder.newest()} == {old.der, new.der}
    leaf = ONE.issue("leaf").certificate
    assert {crl.der for crl in folder.telling(leaf, T + 3 * DAY)} == {old.der, new.der}


def test_not_all_lists_ever_read_stay_in_memory(folder: CrlFolder) -> None:
    lists = [kept(folder, ONE, day) for day in range(20)]
    leaf = ONE.issue("leaf").certificate
    for _ in range(2):
        for day, crl in enumerate(lists):
            assert folder.telling(leaf, T + day * DAY)[0].der == crl.der
    assert len(folder._parsed) == 16


def test_lists_that_tell_of_a_day_and_of_today(folder: CrlFolder) -> None:
    first, second, third = (kept(folder, ONE, day) for day in (1, 2, 10))
    kept(folder, OTHER, 1)
    leaf = ONE.issue("leaf").certificate

    def telling(at: int) -> list[bytes]:
        return [crl.der for crl in folder.telling(leaf, at)]

    assert telling(T + DAY) == [first.der, third.der]
    assert telling(T + 5 * DAY) == [second.der, third.der]
    assert telling(T + 10 * DAY) == [third.der]
    assert telling(T) == [third.der]


def test_a_list_from_after_the_end_of_a_certificate_tells_nothing_of_it(folder: CrlFolder) -> None:
    before = kept(folder, ONE, 1)
    kept(folder, ONE, 10)
    ended = ONE.issue("ended", not_after=T + 5 * DAY).certificate
    assert [crl.der for crl in folder.telling(ended, T + 20 * DAY)] == [before.der]


def test_a_damaged_file_counts_as_not_there(folder: CrlFolder, tmp_path: Path) -> None:
    good = kept(folder, OTHER, 1)
    damaged = folder.keep(ONE.crl(this_update=T))
    damaged.write_bytes(b"\x30\x00")
    (tmp_path / "crls" / "notes.txt").write_text("no list")
    assert [crl.der for crl in folder.newest()] == [good.der]
