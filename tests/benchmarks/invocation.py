"""What `invocation = "auto"` decides on labelled requests, and what its decisions spare and lose.

    python -m tests.benchmarks.invocation                      the table of invocation.md
    python -m tests.benchmarks.invocation --weights FILE.gguf  a model of your own besides

Sixty requests in ten languages, written for this (`invocation.jsonl`), thirty that want a panel and
thirty that do not; fifteen of them are borderline: people may well label them otherwise. Each is
put to the product's own router, with the product's own prompt. Who decides:

- `offline`: the keyless router, by signs in the wording;
- a real small model behind llama.cpp's server (`tests/real_models`), and any given by `--weights`;
- a scripted model that knows the label and says it in the shapes that models reply in: this shows
  nothing of anybody's judgement, but that no decision is lost on the way.

"Panel, rightly" are those of the thirty that want one and get it; what is undecided gets a panel.
Spared is what `estimate` says a panel of the preset named would likely have taken for the requests
that got one model; of it those that wanted a panel are lost, not spared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from langchain_core.messages import HumanMessage

from fusion_graph.config import ResolvedConfig, combine
from fusion_graph.estimate import spared
from fusion_graph.nodes.router import decide
from fusion_graph.run.settings import GraphConfig
from fusion_graph.state import Run
from tests.real_models.provision import Provisions, Unavailable, provide
from tests.real_models.server import Server
from tests.scripted_models import start_server
from tests.scripted_models.client import Scope

REQUESTS = Path(__file__).with_name("invocation.jsonl")

PRESET = "budget"
"""Whose panel would have been asked."""

CONTEXT = 2_048
"""Tokens of the real model's window: the prompt has some 200, the longest request 100."""

SHAPES = (
    '{{"use": "{use}", "reason": "because"}}',
    '```json\n{{"use": "{use}", "reason": "because"}}\n```',
    'I would say: {{"use": "{use}", "reason": "because"}} as asked.',
    '<think>panel? one? {{"use": "?"}}</think>\n{{"use": "{upper}", "reason": ""}}',
    '{{"reason": "line\nbreak", "use": "{use}"}}',
)
"""What the scripted model replies, in turn: bare, fenced, in prose, after thinking, broken."""


@dataclass(frozen=True)
class Request:
    """A labelled request.

    Attributes:
        use: Who should answer it.
        language: As ISO 639-1.
        kind: What it is about, or what is to be done.
        borderline: Whether people may well label it otherwise.
        request: Its text.
    """

    id: str
    use: Literal["panel", "one"]
    language: str
    kind: str
    borderline: bool
    request: str


@dataclass(frozen=True)
class Decision:
    """What was decided on a request.

    Attributes:
        panel: Whether the panel is asked.
        undecided: Whether it is because nothing could be read of the reply.
        seconds: How long that took.
        tokens: In and out.
    """

    request: Request
    panel: bool
    undecided: bool
    seconds: float
    tokens: int

    @property
    def right(self) -> bool:
        """Whether it is as labelled."""
        return self.panel == (self.request.use == "panel")


def requests() -> list[Request]:
    """The labelled requests."""
    return [Request(**json.loads(line)) for line in REQUESTS.read_text("utf-8").splitlines()]


async def decisions(settings: ResolvedConfig, asked: Sequence[Request]) -> AsyncIterator[Decision]:
    """Put requests to the router, one after the other.

    Args:
        settings: Its model is the writer's.
        asked: The requests.
    """
    for request in asked:
        run: Run = {
            "id": request.id,
            "started": time.time(),
            "question": request.request,
            "preset": None,
            "preset_reason": "",
            "members": settings.names,
            "invoked": True,
            "invocation_reason": "",
            "continues": False,
            "seed": 0,
            "nonce": "0" * 16,
            "calls": [],
            "degradations": [],
        }
        began = time.perf_counter()
        done = await decide(run, [HumanMessage(request.request)], settings, lambda *_, **__: None)
        yield Decision(
            request,
            panel=done["invoked"],
            undecided=any(loss["code"] == "route_undecided" for loss in done["degradations"]),
            seconds=time.perf_counter() - began,
            tokens=sum((c["input_tokens"] or 0) + (c["output_tokens"] or 0) for c in done["calls"]),
        )


def router_of(model: str, **providers: Any) -> ResolvedConfig:
    """Settings under which a model decides.

    Args:
        model: As `provider:model`.
        providers: Endpoints by name.
    """
    return combine(
        {"panel": [model], "synthesizer": model, "invocation": "auto", "providers": providers}
    )


def script(scope: Scope, asked: Sequence[Request]) -> None:
    """A model that knows the label of whatever it is asked next, in all shapes of a reply."""
    steps = []
    for number, request in enumerate(asked):
        shape = SHAPES[number % len(SHAPES)]
        steps.append({"text": shape.format(use=request.use, upper=request.use.upper())})
    scope.script("r", *steps)


@contextmanager
def routers(weights: Sequence[Path]) -> Iterator[list[tuple[str, ResolvedConfig]]]:
    """Who decides, by name; those that cannot be had here are told and left out."""
    with ExitStack() as stack:
        found = [("offline", router_of("offline:writer"))]
        try:
            provisions = provide()
            models = {"SmolLM2 135M": provisions.weights} | {path.stem: path for path in weights}
            for name, path in models.items():
                server = stack.enter_context(Server(Provisions(provisions.python, path), CONTEXT))
                url = {"base_url": f"{server.address}/v1"}
                found.append((name, router_of("real:smollm2", real=url)))
        except Unavailable as error:
            print(f"SKIPPED, nothing was shown of a real model: {error}\n")
        scope = stack.enter_context(start_server()).scope()
        script(scope, requests())
        found.append(("scripted", router_of("s:r", s={"base_url": scope.base_url})))
        yield found


def row(name: str, done: Sequence[Decision], panel: ResolvedConfig) -> str:
    """A line of the table."""
    wanting = [d for d in done if d.request.use == "panel"]
    plain = [d for d in done if d.request.use == "one"]
    sure = [d for d in done if not d.request.borderline]
    english = [d for d in done if d.request.language == "en"]
    others = [d for d in done if d.request.language != "en"]
    gone = [(d, spared(panel, [HumanMessage(d.request.request)])) for d in done if not d.panel]
    usd = sum(likely["cost_usd"] or 0.0 for _, likely in gone)
    lost = sum(likely["cost_usd"] or 0.0 for d, likely in gone if not d.right)
    tokens = sum(d.tokens for d in done) / len(done)
    cells = (
        name,
        f"{sum(d.right for d in done)} of {len(done)}",
        f"{sum(d.panel for d in wanting)} of {len(wanting)}",
        f"{sum(not d.panel for d in plain)} of {len(plain)}",
        sum(d.undecided for d in done),
        f"{sum(d.right for d in sure)} of {len(sure)}",
        f"{sum(d.right for d in english)} of {len(english)}",
        f"{sum(d.right for d in others)} of {len(others)}",
        f"${usd:.2f}",
        f"${lost:.2f}",
        f"{tokens:.0f}",
        f"{sum(d.seconds for d in done) / len(done):.2f}",
    )
    return f"| {' | '.join(map(str, cells))} |"


HEAD = (
    "| decided by | right | panel, rightly | one, rightly | undecided | not borderline | English "
    "| other languages | spared | of it lost | tokens each | s each |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|"
)


async def main() -> None:
    """Print the table, and the decisions of each that are not as labelled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, action="append", default=[], help="a GGUF file")
    given = parser.parse_args()
    panel, _ = GraphConfig(PRESET).begin(None)
    asked = requests()
    everything = sum(spared(panel, [HumanMessage(r.request)])["cost_usd"] or 0.0 for r in asked)
    print(
        f"{len(asked)} requests; a panel of {PRESET} for each of them: ${everything:.2f}, as "
        "`estimate` says.\n"
    )
    print(HEAD)
    wrong: dict[str, list[Decision]] = {}
    with routers(given.weights) as deciding:
        for name, settings in deciding:
            done = []
            async for decision in decisions(settings, asked):
                done.append(decision)
                print(f"\r{name}: {len(done)}", end="", file=sys.stderr, flush=True)
            wrong[name] = [decision for decision in done if not decision.right]
            print(row(name, done, panel), flush=True)
    for name, missed in wrong.items():
        if not missed:
            continue
        print(f"\n## {name}: decided otherwise\n")
        print("| request | language | kind | labelled | decided |\n|---|---|---|---|---|")
        for d in missed:
            decided = "undecided, so panel" if d.undecided else "panel" if d.panel else "one"
            label = f"{d.request.use}{', borderline' if d.request.borderline else ''}"
            text = d.request.request.replace("|", "\\|")
            print(f"| {text} | {d.request.language} | {d.request.kind} | {label} | {decided} |")


if __name__ == "__main__":
    asyncio.run(main())
