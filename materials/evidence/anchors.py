"""The facet ``anchor``: each anchor of a bundle is judged by itself, then all of them together.

One that is invalid makes the facet invalid, whatever the others prove; else one that is valid is enough. What can't be
determined (a chain that the trust list does not name) takes nothing away from what another chain proves.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from anchors import RecordedAnchor, VerifiedAnchor
from anchors.verifier import CheckedAnchor
from ledger import Checkpoint
from materials.evidence.case import Case
from materials.evidence.parents import climb_parents
from materials.report import AnchorAnswer, Facet, Verdict
from signing import JsonValue, MalformedError, NoteKey, UnavailableError, VerificationError


def judge_anchors(case: Case, checkpoint: Checkpoint | None) -> tuple[VerifiedAnchor, ...]:
    """Judge every anchor of the bundle and keep the answers in the case; return those that hold, strongest first.

    ``checkpoint`` is the proved one of the receipt. Each anchor must cover it, or the checkpoint of a parent that
    stands for it.
    """
    levels = [] if checkpoint is None else [checkpoint, *_climb(case, checkpoint)]
    values = (*(() if case.bundle.anchor is None else (case.bundle.anchor,)), *case.bundle.anchors)
    if not values and not case.anchors:
        missing = "the bundle holds no anchor proof: not anchored yet, or left out"
        case.judge.find(Facet.ANCHOR, Verdict.UNDETERMINED, "anchor.pending", missing)
        return ()
    find_log = partial(_find_log, case, levels, bool(case.anchors))
    proved = [_judge_one(case, value, levels, find_log) for value in values]
    _judge_all(case)
    held = [anchor for anchor in proved if anchor is not None]
    return tuple(sorted(held, key=lambda anchor: anchor.grade.rank, reverse=True))


def _climb(case: Case, checkpoint: Checkpoint) -> Iterator[Checkpoint]:
    """The levels above that can be reached; what ends the way is an answer like that of an anchor."""
    try:
        if case.bundle.parents:
            yield from climb_parents(case.bundle.parents, checkpoint, case.trust)
    except UnavailableError as error:
        case.anchors.append(_answer(Verdict.UNDETERMINED, error.code, str(error), None))
    except (MalformedError, VerificationError) as error:
        case.anchors.append(_answer(Verdict.INVALID, error.code, str(error), None))


def _judge_one(
    case: Case, value: JsonValue, levels: Sequence[Checkpoint], find_log: Callable[[str], NoteKey]
) -> VerifiedAnchor | None:
    checked: CheckedAnchor | None = None
    try:
        checked = case.verifier.check(value, case.trust.list.chains, log_key=find_log)
        covering = _check_covering(checked, levels)
    except UnavailableError as error:
        case.anchors.append(_answer(Verdict.UNDETERMINED, error.code, str(error), checked))
    except (MalformedError, VerificationError) as error:
        case.anchors.append(_answer(Verdict.INVALID, error.code, str(error), checked))
    else:
        case.anchors.append(_answer(Verdict.VALID, "ok", "", checked))
        return covering
    return None


def _find_log(case: Case, levels: Sequence[Checkpoint], cut: bool, origin: str) -> NoteKey:
    """The key of one of the logs whose anchors count: that of the receipt, and those above it that were reached.

    Where the way up was ``cut``, another log may stand further above.
    """
    if levels and origin not in (level.origin for level in levels):
        if cut:
            raise UnavailableError("parent.unknown-log", "the anchor is of a log that the bundle does not lead to")
        raise VerificationError("anchor.not-covered", "the anchor is of another log than those of the bundle")
    return case.trust.list.find_log(origin)


def _check_covering(checked: CheckedAnchor, levels: Sequence[Checkpoint]) -> VerifiedAnchor:
    if not levels:
        raise UnavailableError("anchor.no-checkpoint", "the anchor holds, but there is no proved checkpoint it covers")
    checked.check_covers(next(level for level in levels if level.origin == checked.checkpoint.origin))
    if isinstance(checked, RecordedAnchor):
        raise UnavailableError("anchor.as-answered", "anchor proof: only what nodes said, which nobody can check")
    return checked


def _answer(verdict: Verdict, code: str, detail: str, checked: CheckedAnchor | None) -> AnchorAnswer:
    if checked is None:
        return AnchorAnswer(verdict, code, detail)
    proved = checked if isinstance(checked, VerifiedAnchor) else None
    return AnchorAnswer(
        verdict,
        code,
        detail,
        profile_id=checked.profile_id,
        chain_id=checked.chain_id,
        size=checked.checkpoint.size,
        grade=str(checked.grade),
        block=None if proved is None else proved.block_number,
        anchored_at=None if proved is None else proved.block_time,
        as_of_block=None if proved is None else proved.as_of_block,
        as_of=None if proved is None else proved.as_of_time,
    )


def _judge_all(case: Case) -> None:
    """The worst answer, but for those undetermined beside a valid one."""
    told = {verdict: [each for each in case.anchors if each.verdict is verdict] for verdict in Verdict}
    valid, open_ones = told[Verdict.VALID], told[Verdict.UNDETERMINED]
    for each in told[Verdict.INVALID] or valid or open_ones:
        case.judge.find(Facet.ANCHOR, each.verdict, each.code, each.detail)
    if valid and open_ones:
        case.judge.note(Facet.ANCHOR, "anchor.partly-checked", f"another anchor: {open_ones[0].detail}")
