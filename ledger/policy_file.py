"""Read trust policies from files (C2SP tlog-policy); what they mean is in ``ledger.policy``.

Octets, not text: fields are divided by spaces and tabs only, and names are compared octet by octet.
"""

import re
from typing import Final

from ledger.policy import (
    Policy,
    PolicyGroup,
    PolicyLog,
    PolicyWitness,
    check_distinct,
    check_log_key,
    show_name,
)
from signing import MalformedError, NoteKey, parse_decimal
from signing.notes.note_key import COSIGNATURE, ED25519, ML_DSA_44

POLICY_MAX_BYTES: Final = 1 << 20
POLICY_MAX_MEMBERS: Final = 256
"""Logs, witnesses and groups that one policy may have, each."""

_FORBIDDEN: Final = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_BLANKS: Final = re.compile(rb"[ \t]+")
_NONE: Final = b"none"


def parse_policy(data: bytes) -> Policy:
    """Read a policy file.

    Raises MalformedError: ``form.size``, ``policy.form``, ``policy.key``, ``policy.name`` (not defined before its use,
    defined twice, or used twice), ``policy.duplicate`` (two logs or two witnesses with one public key).
    """
    if len(data) > POLICY_MAX_BYTES:
        raise MalformedError("form.size", f"policy: larger than {POLICY_MAX_BYTES} bytes")
    if _FORBIDDEN.search(data):
        raise _malformed("holds an octet that is not allowed")
    *lines, rest = data.split(b"\n")
    if rest:
        raise _malformed("its last line has no newline: it may be cut off")
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        stripped = line.strip(b" \t")
        if stripped and not stripped.startswith(b"#"):
            try:
                reader.read(_BLANKS.split(stripped))
            except MalformedError as error:
                raise MalformedError(error.code, f"line {number}: {error}") from None
    return reader.policy()


class _Reader:
    """Takes the lines of one file, in order."""

    def __init__(self) -> None:
        self._logs: list[PolicyLog] = []
        self._witnesses: list[PolicyWitness] = []
        self._groups: list[PolicyGroup] = []
        self._quorums: list[bytes] = []
        self._defined: set[bytes] = set()
        self._members: set[bytes] = set()

    def read(self, fields: list[bytes]) -> None:
        """One line that is not blank."""
        match fields:
            case [b"log", vkey, *url] if len(url) <= 1:
                self._logs.append(PolicyLog(check_log_key(_key(vkey)), *url))
                check_distinct(log.key for log in self._logs)
            case [b"witness", name, vkey, *url] if len(url) <= 1:
                self._define(name)
                self._witnesses.append(PolicyWitness(name, _witness_key(vkey), *url))
                check_distinct(witness.key for witness in self._witnesses)
            case [b"group", name, threshold, *members] if members:
                self._groups.append(self._group(name, threshold, members))
                self._define(name)
            case [b"quorum", name]:
                if name != _NONE:
                    self._check_defined(name)
                self._quorums.append(name)
            case _:
                raise _malformed("neither a log, witness, group nor quorum line of the form")
        if max(len(self._logs), len(self._witnesses), len(self._groups)) > POLICY_MAX_MEMBERS:
            raise _malformed(f"more than {POLICY_MAX_MEMBERS} logs, witnesses or groups")

    def policy(self) -> Policy:
        """What the file says, at its end."""
        if len(self._quorums) != 1:
            raise _malformed("exactly one quorum line is needed")
        quorum = None if self._quorums == [_NONE] else self._quorums[0]
        return Policy(tuple(self._logs), tuple(self._witnesses), tuple(self._groups), quorum)

    def _define(self, name: bytes) -> None:
        if name == _NONE or name in self._defined:
            raise MalformedError("policy.name", f"policy: {show_name(name)} is reserved or defined before")
        self._defined.add(name)

    def _check_defined(self, name: bytes) -> None:
        if name not in self._defined:
            raise MalformedError("policy.name", f"policy: {show_name(name)} is not defined on an earlier line")

    def _group(self, name: bytes, threshold: bytes, members: list[bytes]) -> PolicyGroup:
        for member in members:
            self._check_defined(member)
            if member in self._members:
                raise MalformedError("policy.name", f"policy: {show_name(member)} is a member of a group twice")
            self._members.add(member)
        words = {b"any": 1, b"all": len(members)}
        needed = words[threshold] if threshold in words else parse_decimal(threshold, what="group threshold")
        if not 1 <= needed <= len(members):
            raise _malformed("a group needs at least one and at most all of its members")
        return PolicyGroup(name, needed, tuple(members))


def _key(vkey: bytes) -> NoteKey:
    try:
        return NoteKey.parse(vkey.decode("utf-8"))
    except UnicodeDecodeError:
        raise MalformedError("policy.key", "policy: a key is not UTF-8") from None


def _witness_key(vkey: bytes) -> NoteKey:
    """Older files name a witness by its plain Ed25519 key, from which readers derive that of its cosignatures."""
    key = _key(vkey)
    if key.type == ED25519:
        return key.cosigner()
    if key.type not in (COSIGNATURE, ML_DSA_44):
        raise MalformedError("policy.key", "policy: a witness's key must be one that cosigns")
    return key


def _malformed(what: str) -> MalformedError:
    return MalformedError("policy.form", f"policy: {what}")
