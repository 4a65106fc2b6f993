"""What can be wrong with a setting, in words for the person who wrote it; a secret's value is in none of them."""

from collections.abc import Iterable
from dataclasses import dataclass

NOT_SET = "is not set"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend before the guard starts."""

    variable: str
    """As it is written in the environment; '.env' where the file itself cannot be read."""
    wrong: str
    """Completes a sentence that begins with the variable: 'is not set'. Never shows a secret."""
    wanted: str
    example: str
    """A line that would be accepted; empty where there is none to give."""


class BadSettings(Exception):  # noqa: N818  the name says it, and stands in the interface
    """The settings cannot be used; `problems` holds all that is wrong with them, never only the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return explain(self.problems)


class Wrong(ValueError):  # noqa: N818  as above
    """A value that a setting does not take: one text for each thing wrong, none of which shows a secret."""

    def __init__(self, *texts: str, wanted: str | None = None, example: str | None = None) -> None:
        super().__init__("; ".join(texts))
        self.texts = texts
        self.wanted = wanted
        """Overrides what the setting says of itself, where the mistake allows a better answer."""
        self.example = example


class WrongFile(Wrong):
    """A file that a setting names has mistakes, each with its own place, what is wanted there, and an example."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(*(problem.wrong for problem in self.problems))


def explain(problems: Iterable[Problem], follows: str = "nothing is being protected") -> str:
    """Render problems for a terminal, in the order given; `follows` is what comes of them."""
    told = tuple(problems)
    missing = sum(problem.wrong == NOT_SET for problem in told)
    counts = [_count(missing, "missing"), _count(len(told) - missing, "wrong")]
    lines = [f"{' and '.join(count for count in counts if count)}; {follows}:"]
    for problem in told:
        lines += ["", f"  {problem.variable} {problem.wrong}", f"      wanted:  {problem.wanted}"]
        if problem.example:
            lines.append(f"      example: {problem.example}")
    return "\n".join(lines)


def _count(number: int, state: str) -> str:
    return "" if not number else f"1 setting is {state}" if number == 1 else f"{number} settings are {state}"


def shown(value: object, limit: int = 60) -> str:
    """A value that is no secret, as it may stand in a text: quoted, escaped, cut."""
    text = str(value)
    cut = ascii(text[:limit])
    return cut if len(text) <= limit else f"{cut}... ({len(text)} characters)"
