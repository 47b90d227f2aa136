"""What an evaluation refuses to do.

FusionError
├── ConfigurationError
│   ├── DatasetError
│   └── MixedGraders
├── ArmUnavailable
├── GraderUnavailable
└── SandboxUnavailable (sandbox/_bubblewrap.py)
"""

from __future__ import annotations

from fusion_graph.errors import ConfigurationError, Failure, FusionError


class DatasetError(ConfigurationError):
    """A dataset that cannot be used.

    Args:
        name: The file.
        line: Its line, from 1; None if it is about the whole.
        problem: What is wrong.
        remedy: What to do about it.
    """

    def __init__(self, name: str, line: int | None, problem: str, remedy: str = "") -> None:
        where = f"{name}, line {line}:" if line else f"{name}:"
        super().__init__(f"{where} {problem}", remedy)
        self.line = line


class MixedGraders(ConfigurationError):
    """Grades by different graders, which must not be averaged or compared.

    Another judge moves DRACO scores by 10 to 25 points, more than any panel does.
    """


class GraderUnavailable(FusionError):
    """The grader cannot be asked at all: its key, its credit or its name is wrong.

    Going on would only turn every verdict into a missing one.

    Args:
        model: The grader.
        failure: What it said.
    """

    def __init__(self, model: str, failure: Failure) -> None:
        super().__init__(
            f"The grader {model} cannot be asked: {failure['reason']} ({failure['detail']})"
        )
        self.failure = failure


class ArmUnavailable(FusionError):
    """A model of an arm that cannot be asked at all: its key, its credit or its name is wrong.

    Going on would only score zeros for somebody who was never asked.

    Args:
        model: The model.
        reason: The failure's reason.
        detail: The provider's words.
    """

    def __init__(self, model: str, reason: str, detail: str) -> None:
        super().__init__(
            f"{model} cannot be asked: {reason}: {detail} What was finished is kept: mend it and "
            "give the same command again."
        )
