"""How the story is told: chapters, sentences in Chinese with English beside them, progress where it takes time."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from api.cli.output import console, print_report
from api.wording import facet_words, verdict_words
from materials.report import Verdict, VerificationReport


class Narrator:
    """Prints the story and counts what did not come out as told."""

    def __init__(self) -> None:
        self.out: Console = console()
        self.surprises = 0

    def chapter(self, chinese: str, english: str) -> None:
        """A new chapter."""
        self.out.print()
        self.out.print(Rule(Text.assemble((chinese, "bold cyan"), f"  {english}"), align="left", characters="─"))

    def say(self, chinese: str, english: str) -> None:
        """One sentence, in both languages."""
        self.out.print(Text.assemble("• ", chinese, ("  ", ""), (english, "dim")))

    def show(self, label: str, value: str) -> None:
        """One figure."""
        self.out.print(Text.assemble(("    ", ""), (f"{label}  ", "dim"), value))

    @contextmanager
    def working(self, chinese: str, english: str) -> Iterator[None]:
        """Something that takes time: a spinner on a terminal, a line when piped."""
        if self.out.is_terminal:
            with self.out.status(f"{chinese}  [dim]{english}[/]"):
                yield
        else:
            self.say(f"{chinese}……", english)
            yield

    def report(self, report: VerificationReport) -> None:
        """A whole report."""
        print_report(report, self.out)

    def expect(self, report: VerificationReport, facet: str, verdict: Verdict) -> None:
        """Show one facet, and note if it is not as the story has it."""
        finding = report[facet]
        mark = {"valid": "✔", "invalid": "✘", "undetermined": "?"}.get(finding.verdict, "–")
        self.show(
            f"{mark} {facet_words(facet)}", f"{verdict_words(finding.verdict)}   {finding.detail}   [{finding.code}]"
        )
        if finding.verdict is not verdict:
            self.surprise()

    def surprise(self) -> None:
        """Something is not as the story tells it: the run ends with an error."""
        self.surprises += 1
        self.out.print("[red]✘ 与预期不符 not as expected[/]")
