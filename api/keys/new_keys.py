"""New keys for holders, agents and organisations: made here, or brought along from elsewhere. None is replaced."""

from pathlib import Path

from api.keys.key_lines import key_name
from api.keys.keyring import KeyFacts
from api.keys.organisation_keys import KEPT_ROLES, KeyTerms
from api.keys.passphrases import ask, read_secret_file
from api.names import entity_key, organisation
from api.workspace import Workspace
from materials.identifiers import check_uscc
from materials.trust.model import Role
from signing import Algorithm, MalformedError, MemorySigner, RefusedError, Secret, UnavailableError
from signing.forms.key_forms import parse_private_key


def new_key(
    workspace: Workspace, text: str, algorithm: Algorithm | None, *, in_hsm: bool | None
) -> tuple[KeyFacts, bool]:
    """Make a key called ``text``; one that exists is kept, and the second value is False.

    An organisation's key waits to be listed by ``org add``. Raises MalformedError: ``keyfile.name``,
    ``keyfile.algorithm`` if the one that exists is of another algorithm, ``keyfile.exists`` if it is elsewhere;
    RefusedError (``key.fixed``) for the home's own.
    """
    name, role = _new_name(text)
    if name not in workspace.keyring:
        default: Algorithm = "Ed25519" if role is None else KeyTerms().planned(role)[0]
        workspace.keyring.create(name, algorithm or default, in_hsm=bool(in_hsm))
        return workspace.keyring.facts(name), True
    facts = workspace.keyring.facts(name)
    if algorithm not in (None, facts.kind):
        raise MalformedError("keyfile.algorithm", f"key {name}: exists already, and is of {facts.kind}")
    if in_hsm not in (None, facts.label is not None):
        raise MalformedError("keyfile.exists", f"key {name}: exists already, {_where(facts)}")
    return facts, False


def import_key(workspace: Workspace, text: str, signer: MemorySigner) -> tuple[KeyFacts, bool]:
    """Keep a key that was made elsewhere as ``text``; the same key again changes nothing, and gives False.

    Raises MalformedError ``keyfile.exists`` if another key has the name, and as ``new_key``.
    """
    name, _ = _new_name(text)
    is_new = name not in workspace.keyring
    if is_new:
        workspace.keyring.store(name, signer.public_key.algorithm, signer.secret_bytes())
    facts = workspace.keyring.facts(name)
    if facts.public_key != signer.public_key:
        raise MalformedError("keyfile.exists", f"key {name}: another key of this name exists already")
    return facts, is_new


def open_private_key(data: Secret, passphrase_file: Path | None) -> MemorySigner:
    """The key of a private key file; its passphrase, where it has one, is in ``passphrase_file`` or asked for.

    Raises as ``parse_private_key``, and UnavailableError (``passphrase.missing``).
    """
    try:
        return parse_private_key(data)
    except MalformedError as error:
        if error.code != "key.encrypted":
            raise
    if passphrase_file is None:
        passphrase = ask("口令 · passphrase of the private key file: ")
    else:
        passphrase = read_secret_file(passphrase_file, "passphrase.missing")
    if passphrase is None:
        message = "the private key file is encrypted: give its passphrase in a file, or run this at a terminal"
        raise UnavailableError("passphrase.missing", message)
    return parse_private_key(data, passphrase)


def _new_name(text: str) -> tuple[str, Role | None]:
    """The keyring's name for a new key, and its role if it is an organisation's."""
    name = key_name(text)
    if name.startswith("home."):
        raise RefusedError("key.fixed", f"key {name}: the home's own keys are made by 'init'")
    if not name.startswith("uscc:"):
        return name, None
    code, _, word = name.removeprefix("uscc:").partition(".")
    check_uscc(code)
    for role in KEPT_ROLES:
        if role == word:
            return entity_key(organisation(code), role), role
    raise MalformedError("keyfile.name", f"key {name}: an organisation's key ends with one of {', '.join(KEPT_ROLES)}")


def _where(facts: KeyFacts) -> str:
    return "in a file" if facts.label is None else "in the HSM"
