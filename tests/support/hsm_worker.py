"""Another process at the same token. The PIN comes on the standard input.

python -m tests.support.hsm_worker MODULE LABEL ACTIVITY [ARGUMENT…]
    login                log in and out
    sign KEY COUNT       sign that many messages, print each signature in hex
    new-pin PIN          set another PIN
    threads KEY LABEL    sign with the keys of that label in this token and another, in threads; print how often
    fork KEY             open the token, fork, and print the code of the error that the child gets
"""

import os
import sys
from functools import partial
from pathlib import Path

import pkcs11

from signing import LedgerError, Secret
from signing.hsm import HsmToken, open_token
from tests.support.together import run_together


def main() -> None:
    """Do one activity."""
    module, label, activity, *arguments = sys.argv[1:]
    pin = sys.stdin.read()
    if activity == "new-pin":
        token = pkcs11.lib(os.path.realpath(module)).get_token(token_label=label)
        with token.open(rw=True, user_pin=pin) as session:
            session.set_pin(pin, arguments[0])
        return
    token = open_token(Path(module), label, Secret(pin.encode()))
    if activity == "sign":
        signer = token.signer(arguments[0])
        for number in range(int(arguments[1])):
            print(signer.sign(b"message %d" % number).hex(), flush=True)
    if activity == "fork":
        fork(token.signer(arguments[0]).sign, module, label, pin)
    if activity == "threads":
        tokens = [token, open_token(Path(module), arguments[1], Secret(pin.encode()))]
        print(len(sign_in_threads(tokens, arguments[0])))
    token.close()


def sign_in_threads(tokens: list[HsmToken], key: str) -> list[None]:
    """Each thread looks its key up again and again, for that asks more of the module."""
    done: list[None] = []

    def work(token: HsmToken) -> None:
        for number in range(50):
            signer = token.signer(key)
            signer.public_key.verify(signer.sign(b"%d" % number), b"%d" % number)
            done.append(None)

    run_together(*(partial(work, token) for token in tokens for _ in range(4)))
    return done


def fork(sign: object, module: str, label: str, pin: str) -> None:
    """The child neither signs with the parent's login nor makes one of its own; the parent still signs."""
    assert callable(sign)
    child = os.fork()
    if child == 0:
        for attempt in (lambda: sign(b""), lambda: open_token(Path(module), label, Secret(pin.encode()))):
            try:
                attempt()
            except LedgerError as error:
                print(error.code)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
    sign(b"")
    print("parent")


if __name__ == "__main__":
    main()
