"""What handlers ask for: the workspace, the request as received, the authenticated caller.

A handler that names one of the callers runs only for an authenticated one; it names the caller first, so that whoever
is nobody learns nothing about the rest of the request.
"""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request

from anchors.verifier import AnchorVerifier
from api.http import auth
from api.http.auth import Caller
from api.http.background import Anchoring
from api.http.bodies import read_body, receive, receive_head
from api.http.guesses import GuessLimit
from api.http.nonces import Nonces
from api.http.registrations import Registrations
from api.http.rounds import Rounds
from api.http.signatures import ReceivedRequest
from api.http.slots import VerificationSlots
from api.workspace import Workspace


def _workspace(request: Request) -> Workspace:
    workspace: Workspace = request.app.state.workspace
    return workspace


def _anchoring(request: Request) -> Anchoring:
    anchoring: Anchoring = request.app.state.anchoring
    return anchoring


def _witnesses(request: Request) -> Rounds:
    witnesses: Rounds = request.app.state.witnesses
    return witnesses


def _registrations(request: Request) -> Registrations:
    registrations: Registrations = request.app.state.registrations
    return registrations


def _nonces(request: Request) -> Nonces:
    nonces: Nonces = request.app.state.nonces
    return nonces


def _guesses(request: Request) -> GuessLimit:
    guesses: GuessLimit = request.app.state.guesses
    return guesses


def _verifier(request: Request) -> AnchorVerifier:
    verifier: AnchorVerifier = request.app.state.verifier
    return verifier


def _slots(request: Request) -> VerificationSlots:
    slots: VerificationSlots = request.app.state.slots
    return slots


Home = Annotated[Workspace, Depends(_workspace)]
AnchoringState = Annotated[Anchoring, Depends(_anchoring)]
WitnessesState = Annotated[Rounds, Depends(_witnesses)]
RegistrationsState = Annotated[Registrations, Depends(_registrations)]
NonceTable = Annotated[Nonces, Depends(_nonces)]
Guesses = Annotated[GuessLimit, Depends(_guesses)]
Slots = Annotated[VerificationSlots, Depends(_slots)]
Verifier = Annotated[AnchorVerifier, Depends(_verifier)]
Received = Annotated[ReceivedRequest, Depends(receive)]
ReceivedHead = Annotated[ReceivedRequest, Depends(receive_head)]


def _signed_head(workspace: Home, head: ReceivedHead) -> ReceivedRequest:
    auth.check_head(workspace, head)
    return head


async def _receive_large(
    workspace: Home, head: Annotated[ReceivedRequest, Depends(_signed_head)], request: Request
) -> ReceivedRequest:
    """Only for a caller whose fields are signed, a body of at most ``service.max_body_bytes``."""
    return replace(head, body=await read_body(request, workspace.settings.service.max_body_bytes))


ReceivedLarge = Annotated[ReceivedRequest, Depends(_receive_large)]


def _organisation(workspace: Home, nonces: NonceTable, request: Received) -> Caller:
    return auth.authenticate(workspace, nonces, request)


def _organisation_with_files(workspace: Home, nonces: NonceTable, request: ReceivedLarge) -> Caller:
    return auth.authenticate(workspace, nonces, request)


def _chain_party(workspace: Home, nonces: NonceTable, request: Received) -> Caller:
    return auth.authenticate(workspace, nonces, request, auth.by_chain(request.body))


def _link_party(workspace: Home, nonces: NonceTable, request: Received) -> Caller:
    return auth.authenticate(workspace, nonces, request, auth.by_known_link(request.body))


def _holder(workspace: Home, nonces: NonceTable, request: Received) -> Caller:
    return auth.authenticate(workspace, nonces, request, auth.by_root)


OrganisationCaller = Annotated[Caller, Depends(_organisation)]
SubmittingCaller = Annotated[Caller, Depends(_organisation_with_files)]
ChainCaller = Annotated[Caller, Depends(_chain_party)]
LinkCaller = Annotated[Caller, Depends(_link_party)]
HolderCaller = Annotated[Caller, Depends(_holder)]
