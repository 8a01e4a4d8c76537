"""Help pages in Chinese and English: nothing of a text is lost where its column ends."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from typer import rich_utils


class _FoldingTable(Table):
    """Folds what is wider than its column.

    A run of Chinese is one word to rich, and a line of Chinese with a blank at its end is one cell too wide to it: both
    are cut off by default, with the letters before.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for column in self.columns:
            column.overflow = "fold"
        return super().__rich_console__(console, options)


def _one_below_another(items: Iterable[RenderableType]) -> Group:
    """An option's text, default and so on; side by side, in rich's columns, they are cut off."""
    return Group(*items)


def fold_help_tables() -> None:
    """Have typer, which has no setting for it, lay out its help pages in such tables."""
    vars(rich_utils).update(Table=_FoldingTable, Columns=_one_below_another)
