"""tlog-policy files: what is read, what is refused, what a checkpoint needs."""

import hashlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ledger import Policy, parse_policy
from signing import LedgerError, MalformedError, MlDsa44Signer, NoteKey, Secret, VerificationError, cosign, open_note
from tests.support.witness_log import HandLog, b64, key_id, vkey

LOG = HandLog()
W1 = bytes(32)
W1_VKEY = "witness.example/w1+e42b2f2c+BDtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
BASIC = f"log {LOG.vkey}\nwitness w1 {W1_VKEY}\nquorum w1\n".encode()
COSIGNED = (
    LOG.checkpoint(8)
    + "— witness.example/w1 ".encode()
    + (b"5CsvLAAAAABlU/EAtawYjGMZEGfUoNTvpRe2F0X/9IevILijsPtox5uXhZ3y3ZU2x/+TZLyVdezroobmkibOhZjVSwseGZnWmolECA==\n")
)


def seed(number: int) -> bytes:
    return hashlib.sha256(b"witness %d" % number).digest()


def witness_vkey(number: int, kind: int = 4) -> str:
    return vkey(f"w{number}.example", kind, bytes(SigningKey(seed(number)).verify_key))


def cosignature(text: bytes, number: int, time: int = 1700000000) -> bytes:
    """By hand, type 0x04."""
    name, key = f"w{number}.example", SigningKey(seed(number))
    signature = key.sign(b"cosignature/v1\ntime %d\n" % time + text).signature
    blob = key_id(name, 4, bytes(key.verify_key)) + time.to_bytes(8) + signature
    return f"— {name} {b64(blob)}\n".encode()


def cosigned(*numbers: int) -> bytes:
    return LOG.checkpoint(8) + b"".join(cosignature(LOG.text(8), number) for number in numbers)


def policy_of(rules: str, witnesses: int = 6) -> Policy:
    lines = [f"log {LOG.vkey}", *(f"witness {n} {witness_vkey(n)}" for n in range(1, witnesses + 1)), rules, ""]
    return parse_policy("\n".join(lines).encode())


TWO_LEVELS = "group X 2 1 2 3\ngroup Y any 4 5 6\ngroup XY all X Y\nquorum XY"


def test_the_worked_example() -> None:
    assert hashlib.sha256(COSIGNED).hexdigest() == "2c7177fcd5f64ef6d601f786bede9ead904142194f0e462c6ad049a1fb102355"
    accepted = parse_policy(BASIC).check(COSIGNED)
    assert (accepted.checkpoint.origin, accepted.checkpoint.size) == (LOG.origin, 8)
    assert accepted.log.format() == LOG.vkey
    assert [(each.witness.name, each.time) for each in accepted.cosigned] == [(b"w1", 1700000000)]
    assert accepted.note == COSIGNED


def test_without_the_witness_line_the_policy_says_who_is_missing() -> None:
    with pytest.raises(VerificationError, match="w1 has not cosigned") as caught:
        parse_policy(BASIC).check(LOG.checkpoint(8))
    assert caught.value.code == "policy.quorum"


def test_quorum_none_asks_for_the_log_alone() -> None:
    policy = parse_policy(f"log {LOG.vkey}\nquorum none\n".encode())
    assert policy.check(LOG.checkpoint(8)).cosigned == ()
    with pytest.raises(VerificationError, match="no log"):
        policy.check(HandLog(seed=bytes([2]) * 32).checkpoint(8))


@pytest.mark.parametrize("count", range(7))
def test_two_levels_of_groups_as_the_slow_way_has_it(count: int) -> None:
    policy = policy_of(TWO_LEVELS)
    for numbers in itertools.combinations(range(1, 7), count):
        met = len({1, 2, 3} & set(numbers)) >= 2 and bool({4, 5, 6} & set(numbers))
        assert (policy.missing({b"%d" % number for number in numbers}) is None) == met


def test_what_is_missing_is_named() -> None:
    with pytest.raises(VerificationError) as caught:
        policy_of(TWO_LEVELS).check(cosigned(2, 5))
    assert str(caught.value) == "policy: the quorum is not met: XY has 1 of 2, without X; X has 1 of 2, without 1, 3"
    assert len(policy_of(TWO_LEVELS).check(cosigned(2, 3, 5)).cosigned) == 3


def test_a_cosignature_from_the_future_counts_only_if_that_is_allowed() -> None:
    policy = policy_of("quorum 1")
    note = LOG.checkpoint(8) + cosignature(LOG.text(8), 1, time=2000)
    assert policy.check(note).cosigned[0].time == 2000
    assert policy.check(note, latest_time=2000).cosigned[0].time == 2000
    with pytest.raises(VerificationError, match="has not cosigned"):
        policy.check(note, latest_time=1999)


def test_a_false_line_of_any_known_witness_refuses_the_note() -> None:
    note = cosigned(1) + cosignature(LOG.text(7), 2)
    with pytest.raises(VerificationError) as caught:
        policy_of("quorum 1").check(note)
    assert caught.value.code == "note.signature"
    assert policy_of("quorum 1", witnesses=1).check(note).cosigned[0].witness.name == b"1"


def test_a_cosignature_by_another_name_does_not_count() -> None:
    stolen = cosignature(LOG.text(8), 1).replace(b"w1.example", b"w2.example")
    with pytest.raises(VerificationError):
        policy_of("quorum 1").check(LOG.checkpoint(8) + stolen)


def test_the_origin_must_be_the_key_name() -> None:
    other = HandLog(origin="example.gov/others", seed=bytes([3]) * 32)
    policy = parse_policy(f"log {LOG.vkey}\nlog {other.vkey}\nquorum none\n".encode())
    text = LOG.text(8)
    with pytest.raises(VerificationError) as caught:
        policy.check(text + b"\n" + other.line(text))
    assert caught.value.code in ("policy.log", "note.unknown-key")
    assert policy.check(other.checkpoint(3)).log.name == other.origin


def test_post_quantum_and_older_witness_keys() -> None:
    key = MlDsa44Signer(Secret(bytes(32)))
    pq = NoteKey("pq.example", 6, key.raw)
    policy = parse_policy(f"log {LOG.vkey}\nwitness pq {pq.format()}\nwitness old {witness_vkey(1, 1)}\n"
                          "group g all pq old\nquorum g\n".encode())  # fmt: skip
    opened = open_note(LOG.checkpoint(8), [NoteKey.parse(LOG.vkey)])
    note = cosigned(1) + cosign(opened, name="pq.example", signer=key, time=5)
    assert [each.time for each in policy.check(note).cosigned] == [5, 1700000000]


def test_for_log_replaces_the_logs() -> None:
    policy = parse_policy(f"witness w1 {W1_VKEY}\nquorum w1\n".encode())
    with pytest.raises(VerificationError) as caught:
        policy.check(COSIGNED)
    assert caught.value.code == "policy.log"
    assert policy.for_log(NoteKey.parse(LOG.vkey)).check(COSIGNED).checkpoint.size == 8


def test_blanks_comments_octets_and_urls() -> None:
    name = b"\xe2\x84\xaa\xff"  # opaque, not UTF-8
    text = b" \t# comment \x80\n\n\t log\t " + LOG.vkey.encode() + b" https://x.example/\xff\t\n" + b"witness " + name
    policy = parse_policy(text + b" " + W1_VKEY.encode() + b"   http://w \n#\nquorum \t" + name + b"\n")
    assert (policy.logs[0].url, policy.witnesses[0].url) == (b"https://x.example/\xff", b"http://w")
    assert policy.check(COSIGNED).cosigned[0].witness.name == name
    assert "K" not in str(policy.missing(()))


W2 = f"witness w2 {witness_vkey(2)}\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "policy.form"),
        ("\n# nothing\n", "policy.form"),
        (f"log {LOG.vkey}\n", "policy.form"),
        ("quorum none", "policy.form"),
        ("quorum none\nquorum none\n", "policy.form"),
        ("quorum\n", "policy.form"),
        ("quorum none none\n", "policy.form"),
        ("Quorum none\n", "policy.form"),
        ("quorum none # no\n", "policy.form"),
        ("quorum\u00a0none\n", "policy.form"),
        ("quorum none\r\n", "policy.form"),
        ("quorum none\x0b\n", "policy.form"),
        ("quorum none\x7f\n", "policy.form"),
        ("#\x00\nquorum none\n", "policy.form"),
        ("quorum w1\n", "policy.name"),
        (f"quorum w1\nwitness w1 {W1_VKEY}\n", "policy.name"),
        (f"log {LOG.vkey} a b\nquorum none\n", "policy.form"),
        ("log\nquorum none\n", "policy.form"),
        ("log x\nquorum none\n", "note.vkey"),
        (f"log {LOG.vkey.replace('24b744e9', '24b744e8')}\nquorum none\n", "note.vkey"),
        (f"log {W1_VKEY}\nquorum none\n", "policy.key"),
        (f"log {NoteKey('x', 2, bytes(9)).format()}\nquorum none\n", "policy.key"),
        (f"witness none {W1_VKEY}\nquorum none\n", "policy.name"),
        (f"witness a {W1_VKEY}\nwitness a {witness_vkey(2)}\nquorum a\n", "policy.name"),
        (f"witness a {W1_VKEY}\ngroup a any a\nquorum a\n", "policy.name"),
        (f"witness a {W1_VKEY}\nwitness b {W1_VKEY}\nquorum a\n", "policy.duplicate"),
        (f"witness a {NoteKey('x', 255, b'other').format()}\nquorum a\n", "policy.key"),
        (f"witness a {vkey('other.example', 4, bytes(SigningKey(W1).verify_key))}\nwitness b {W1_VKEY}\nquorum a\n",
         "policy.duplicate"),
        (f"witness a {vkey('other.example', 1, bytes(SigningKey(W1).verify_key))}\nwitness b {W1_VKEY}\nquorum a\n",
         "policy.duplicate"),
        (f"log {LOG.vkey}\nlog {vkey('another.name', 1, LOG.public)}\nquorum none\n", "policy.duplicate"),
        (W2 + "group g 0 w2\nquorum g\n", "policy.form"),
        (W2 + "group g 2 w2\nquorum g\n", "policy.form"),
        (W2 + "group g 01 w2\nquorum g\n", "form.decimal"),
        (W2 + "group g +1 w2\nquorum g\n", "form.decimal"),
        (W2 + "group g Any w2\nquorum g\n", "form.decimal"),
        (W2 + "group g 99999999999999999999 w2\nquorum g\n", "form.decimal"),
        (W2 + "group g any\nquorum g\n", "policy.form"),
        (W2 + "group g any w2 w2\nquorum g\n", "policy.name"),
        (W2 + "group g any none\nquorum g\n", "policy.name"),
        (W2 + "group g any w3\nquorum g\n", "policy.name"),
        (W2 + "group g any g\nquorum g\n", "policy.name"),
        (W2 + "group none any w2\nquorum w2\n", "policy.name"),
        (W2 + "group g any w2\ngroup h any w2\nquorum g\n", "policy.name"),
        (W2 + "group g any h\ngroup h any w2\nquorum g\n", "policy.name"),
        (W2.replace("w2 ", "w2\u00a0") + "quorum none\n", "policy.form"),
    ],
)  # fmt: skip
def test_refused(text: str, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_policy(text.encode())
    assert caught.value.code == code


def test_limits() -> None:
    logs = "".join(f"log {HandLog(f'l{n}.example', seed(n)).vkey}\n" for n in range(32))
    witnesses = "".join(f"witness {n} {witness_vkey(n)} http://w{n}.example\n" for n in range(32))
    groups = "".join(f"group g{n} {n + 1} " + " ".join([*([f"g{n - 1}"] if n else []), *map(str, [n])]) + "\n"
                     if n < 2 else f"group g{n} 2 g{n - 1} {n}\n" for n in range(32))  # fmt: skip
    policy = parse_policy((logs + witnesses + groups + "quorum g31\n").encode())
    assert (len(policy.logs), len(policy.witnesses), len(policy.groups)) == (32, 32, 32)
    assert policy.missing({b"%d" % n for n in range(32)}) is None
    assert policy.missing({b"%d" % n for n in range(1, 32)}) is not None
    with pytest.raises(MalformedError):
        parse_policy(("".join(f"witness {n} {witness_vkey(n)}\n" for n in range(257)) + "quorum none\n").encode())
    with pytest.raises(MalformedError) as caught:
        parse_policy(b"#" * (1 << 20) + b"\nquorum none\n")
    assert caught.value.code == "form.size"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_policy_is_refused_or_still_one(data: st.DataObject) -> None:
    """No other exception; and no change of octets outside names and comments makes fewer witnesses suffice."""
    start = data.draw(st.integers(0, len(BASIC)))
    end = start + data.draw(st.integers(0, 3))
    changed = BASIC[:start] + data.draw(st.binary(max_size=3)) + BASIC[end:]
    try:
        policy = parse_policy(changed)
    except LedgerError:
        return
    assert policy.quorum is not None or b"none" in changed
    if policy.quorum is not None:
        assert policy.missing(()) is not None
