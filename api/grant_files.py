"""A chain of grants as a file: ``ematerials/grant/v1``, the links root first."""

from pathlib import Path
from typing import Final

from materials.grants.links import MAX_LINK_BYTES, MAX_LINKS, GrantChain, parse_chain
from signing import MalformedError, UnavailableError, dump_json, json_object, json_strs, parse_json

GRANT_FILE_VERSION: Final = "ematerials/grant/v1"
_MAX_BYTES: Final = (MAX_LINK_BYTES + 64) * MAX_LINKS + 256


def format_grant_file(chain: GrantChain) -> bytes:
    """The file's bytes."""
    return dump_json({"version": GRANT_FILE_VERSION, "links": list(chain.texts)})


def parse_grant_file(data: bytes) -> GrantChain:
    """Read a grant file; nothing in it is proved yet. Raises MalformedError."""
    value = parse_json(data, what="grant file", max_bytes=_MAX_BYTES)
    members = json_object(value, what="grant file", required=("version", "links"))
    if members["version"] != GRANT_FILE_VERSION:
        raise MalformedError("form.version", f"grant file: the version is not {GRANT_FILE_VERSION}")
    links = json_strs(members["links"], what="grant file links", max_items=MAX_LINKS, max_length=MAX_LINK_BYTES)
    return parse_chain(links)


def read_grant_file(path: Path) -> GrantChain:
    """The chain in file ``path``; raises UnavailableError (``grant.file-missing``) if it can't be read."""
    try:
        with path.open("rb") as stream:
            return parse_grant_file(stream.read(_MAX_BYTES + 1))
    except OSError as error:
        raise UnavailableError("grant.file-missing", f"{path.name}: {error.strerror}") from None
