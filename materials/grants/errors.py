"""How a grant says no: the rule that failed and the number of the link, never a value."""

from signing.errors import RefusedError


class GrantRefusedError(RefusedError):
    """A link of a grant does not allow what is asked, or does not hold.

    ``link`` counts from 0 at the root; ``rule`` is the stable name of what failed (``docs/formats.md`` lists them);
    ``code`` is ``grant.<rule>``. ``why`` is fixed text: no claim, name or number of anybody goes into it.
    """

    def __init__(self, rule: str, link: int, why: str) -> None:
        super().__init__(f"grant.{rule}", f"grant link {link}, rule {rule}: {why}")
        self.rule = rule
        self.link = link
