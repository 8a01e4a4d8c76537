"""The story's licence with all the evidence that a bundle can hold: for tests of whole bundles.

Its issuer gets a second issuing key, SM2, listed by certificate; the statement is countersigned with it; OpenSSL's
time-stamping authority stamps statement and checkpoint; the revocation lists of both hierarchies ride along.
"""

import datetime
import time
from dataclasses import dataclass, replace
from pathlib import Path

from api import names
from api.workspace import Workspace
from materials.bundle import Bundle, BundledTimestamp, format_bundle, parse_bundle
from materials.ids import entity_uscc
from materials.second_signature import countersign_statement
from materials.trust.lists import TrustFile, format_trust_file, issue_trust_list, parse_trust_file, parse_trust_list
from materials.trust.model import TrustedAuthority, TrustKey, TrustList
from signing import parse_note
from signing.rfc3161.timestamps import timestamp_request
from signing.x509.certificates import parse_certificate
from tests.support.pki import Organisation
from tests.support.sm2_pki import sm2_organisation
from tests.support.tsa import DAY, Tsa
from tests.support.workspace_world import Story


@dataclass(frozen=True)
class Evidenced:
    """``story`` with the new trust file and one bundle, ``full``; what made the evidence is beside it."""

    story: Story
    bundle: Bundle
    tsa: Tsa
    gm: Organisation


def add_evidence(story: Story, folder: Path) -> Evidenced:
    """Gather it; ``folder`` is the time-stamping authority's."""
    listed = parse_trust_list(parse_trust_file(story.trust).trust_list)
    gm = sm2_organisation(str(entity_uscc(listed.entities[0].id)))
    tsa = Tsa.new(folder, intermediate=True)
    plain = parse_bundle(story.bundles["licence"])
    jwt, note = plain.statement.partition("~")[0], plain.receipt.partition(b"\n\n")[2]
    middle, root = tsa.above
    yesterday = datetime.datetime.now(datetime.UTC) - DAY
    bundle = replace(
        plain,
        signatures=(countersign_statement(jwt, gm.signer),),
        timestamps=(
            BundledTimestamp("statement", tsa.token_of(timestamp_request(jwt.encode(), nonce=1))),
            BundledTimestamp("checkpoint", tsa.token_of(timestamp_request(parse_note(note).text, nonce=2))),
        ),
        crls=(*(crl.der for crl in gm.crls), root.crl(yesterday), middle.crl(yesterday)),
    )
    trust = _sign_anew(story, _with_evidence(listed, gm, tsa))
    told = replace(story, bundles={"full": format_bundle(bundle)}, trust=trust, now=int(time.time()) + 1)
    return Evidenced(told, bundle, tsa, gm)


def _with_evidence(listed: TrustList, gm: Organisation, tsa: Tsa) -> TrustList:
    """The list with the second key of the issuer, and both roots; each needs revocation lists."""
    issuer, *others = listed.entities
    first = issuer.keys[0]
    second = TrustKey.of_chain(gm.chain, "issue", nbf=first.nbf, exp=first.exp)
    authorities = (
        TrustedAuthority(gm.roots[0], "organisation", "crl"),
        TrustedAuthority(parse_certificate(tsa.root), "timestamp", "crl"),
    )
    return replace(listed, entities=(replace(issuer, keys=(*issuer.keys, second)), *others), authorities=authorities)


def _sign_anew(story: Story, trust_list: TrustList) -> bytes:
    with Workspace.open(story.folder) as workspace:
        signer = workspace.keyring.signer(names.LIST_KEY)
    return format_trust_file(TrustFile(signer.public_key, issue_trust_list(signer, trust_list)))
