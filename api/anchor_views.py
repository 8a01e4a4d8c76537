"""The state of anchoring as JSON and as Prometheus text: the same figures, and nothing that names a person."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from anchors.contradictions import Equivocation
from anchors.health import EndpointHealth, Standing
from anchors.outbox import State, Submission
from api.anchor_status import ChainStatus
from signing import JsonValue

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
NEXT_STEP: Final = {
    State.PLANNED: "build",
    State.BUILT: "sign",
    State.SIGNED: "send",
    State.SENT: "receipt",
    State.INCLUDED: "finality",
    State.ADOPTED: "finality",
    State.FINAL: "prove",
    State.REVERTED: "plan-again",
    State.CONFLICT: "person",
}
"""What is done next with a submission in this state."""

_HELP: Final = {
    "ematerials_log_size": "Entries in the log.",
    "ematerials_anchor_size": "Entries in the largest tree of the log whose anchor proof is stored.",
    "ematerials_anchor_lag_entries": "Entries of the log that no stored anchor proof of this chain covers.",
    "ematerials_anchor_lag_seconds": "How old the oldest of these can be at most.",
    "ematerials_anchor_alarm": "1 if a person must look, see anchor status.",
    "ematerials_anchor_state": "1 for the state of the submission in flight, by state and reason.",
    "ematerials_anchor_attempts": "Refusals of the submission in flight.",
    "ematerials_anchor_block_time_seconds": "Unix time of the block of the newest anchor, as the validators say.",
    "ematerials_anchor_block_number": "Number of that block.",
    "ematerials_chain_seen_seconds": "Unix time at which the head of the log on this chain was last proved.",
    "ematerials_chain_nodes": "Nodes of this chain by standing.",
}


def status_json(statuses: Sequence[ChainStatus]) -> dict[str, JsonValue]:
    """All chains; ``alarm`` if any of them has one."""
    return {"alarm": any(each.alarms for each in statuses), "chains": [_chain(each) for each in statuses]}


def _chain(status: ChainStatus) -> JsonValue:
    last, lease, profile = status.last, status.lease, status.profile
    return {
        "name": status.name,
        "chain_id": None if profile is None else profile.chain_id,
        "profile": None if profile is None else profile.profile_id,
        "contract": None if profile is None else "0x" + profile.contracts[-1].address.hex(),
        "log_size": status.log_size,
        "anchored_size": 0 if last is None else last.size,
        "block_number": None if last is None else last.block_number,
        "block_time": None if last is None else last.block_time,
        "lag": {"entries": status.lag.entries, "seconds": status.lag.seconds},
        "seen_at": status.seen_at,
        "submission": None if status.submission is None else _submission(status.submission),
        "lease": None
        if lease is None
        else {"owner": lease.owner, "expires_at": lease.expires_at, "fence": lease.fence},
        "code": status.nodes.code,
        "nodes": [_node(node) for node in status.nodes.nodes],
        "equivocations": [_equivocation(each) for each in status.equivocations],
        "alarms": list(status.alarms),
    }


def _equivocation(kept: Equivocation) -> JsonValue:
    return {
        "block_number": kept.number,
        "found_at": kept.found_at,
        "reviewed_at": kept.reviewed_at,
        "nodes": [kept.first_node, kept.second_node],
        "blocks": ["0x" + kept.first.hex(), "0x" + kept.second.hex()],
    }


def _submission(submission: Submission) -> JsonValue:
    return {
        "size": submission.size,
        "state": submission.state.value,
        "reason": submission.reason,
        "next": NEXT_STEP[submission.state],
        "attempts": submission.attempts,
        "next_action_at": submission.next_action_at,
        "planned_at": submission.planned_at,
        "nonce": submission.nonce,
        "tx_hash": None if submission.tx_hash is None else "0x" + submission.tx_hash.hex(),
        "endpoints": list(submission.endpoints),
    }


def _node(node: EndpointHealth) -> JsonValue:
    return {
        "name": node.name,
        "standing": str(node.standing),
        "code": node.code,
        "head_number": node.head_number,
        "head_age": node.head_age,
        "behind": node.lag,
        "latency_ms": node.latency_ms,
    }


def metrics_text(statuses: Sequence[ChainStatus]) -> str:
    """Prometheus' text format 0.0.4. A figure that is not known is left out."""
    samples: dict[str, list[str]] = {name: [] for name in _HELP}
    if statuses:
        samples["ematerials_log_size"].append(f"ematerials_log_size {statuses[0].log_size}")
    for status in statuses:
        for name, labels, value in _figures(status):
            shown = ",".join(f'{key}="{text}"' for key, text in {"chain": status.name, **labels}.items())
            samples[name].append(f"{name}{{{shown}}} {value}")
    return "".join(_family(name, lines) for name, lines in samples.items() if lines)


def _family(name: str, lines: Iterable[str]) -> str:
    return f"# HELP {name} {_HELP[name]}\n# TYPE {name} gauge\n" + "".join(f"{line}\n" for line in lines)


def _figures(status: ChainStatus) -> Iterator[tuple[str, dict[str, str], int]]:
    known: dict[str, int | None] = {
        "ematerials_anchor_size": 0 if status.last is None else status.last.size,
        "ematerials_anchor_lag_entries": status.lag.entries,
        "ematerials_anchor_lag_seconds": status.lag.seconds,
        "ematerials_anchor_alarm": int(bool(status.alarms)),
        "ematerials_anchor_attempts": 0 if status.submission is None else status.submission.attempts,
        "ematerials_anchor_block_time_seconds": None if status.last is None else status.last.block_time,
        "ematerials_anchor_block_number": None if status.last is None else status.last.block_number,
        "ematerials_chain_seen_seconds": status.seen_at,
    }
    for name, value in known.items():
        if value is not None:
            yield name, {}, value
    if status.submission is not None:
        labels = {"state": status.submission.state.value, "reason": status.submission.reason or ""}
        yield "ematerials_anchor_state", labels, 1
    for standing in Standing:
        count = sum(node.standing is standing for node in status.nodes.nodes)
        yield "ematerials_chain_nodes", {"standing": standing.value}, count
