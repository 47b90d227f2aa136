"""The calls a run will make, before it makes any: at least, likely, and at most."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from langchain_core.messages import AnyMessage, BaseMessage, SystemMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from fusion_graph.config import Panelist, ResolvedConfig, model_name
from fusion_graph.cost.baseline import ANY_DAY, WEB_TOOLS_BYTES
from fusion_graph.cost.standings import ENOUGH, Standing
from fusion_graph.cost.tokens import (
    MESSAGE_TOKENS,
    REQUEST_TOKENS,
    TOOLS_TOKENS,
    Case,
    message_tokens,
    served_tools_tokens,
    text_tokens,
    unseen_tokens,
)
from fusion_graph.models.provider_search import searching_provider
from fusion_graph.nodes.judge import CONVERSATION_CHARACTERS
from fusion_graph.nodes.material import MATERIAL_CHARACTERS
from fusion_graph.nodes.recheck import MOST_PASSAGES, MOST_SOURCES, PASSAGE_CHARACTERS
from fusion_graph.nodes.router import ROUTER_CHARACTERS, ROUTER_TOKENS
from fusion_graph.nodes.scouting import scouts_of
from fusion_graph.nodes.verdict_call import STRONGEST_FORMAT
from fusion_graph.prompts import (
    ANSWER_NOW,
    CALL_REFUSED,
    RECHECK_SYSTEM,
    ROUTER,
    VERIFIER_SYSTEM,
    WRITER_SYSTEM,
    fenced,
    judge_material,
    judge_system,
    panel_system,
    recheck_material,
    repair,
    writer_material,
)
from fusion_graph.run.phases import AFTER_CAP
from fusion_graph.state import StageName
from fusion_graph.state.conversation import calls_as_text, cut_conversation, transcript
from fusion_tools.render import MAX_FOREIGN_CHARS, MAX_TITLE_CHARS, MAX_URL_CHARS

LEAST_REPLY = 1
"""Tokens of the shortest reply that counts as one: a digit, a yes."""

LIKELY_TURN = 300
"""Tokens of a reply that only asks for a tool: 50 for the call, the rest for thinking."""

LIKELY_ANSWER = 1_500
"""Tokens of an answer: some 700 words with citations, and half as much thinking before them."""

LIKELY_ANALYSIS = 1_500
"""Tokens of a comparison: some twenty points of a sentence each, as JSON."""

LIKELY_DECISION = 150
"""Tokens of the `auto` decision: 30 of JSON, the rest for thinking."""

MEASURED_QUESTION = 2_000
"""Tokens of the longest conversation that is taken for one like those that were evaluated."""

LIKELY_RESULTS = (2_400, 12_000, 12_000)
"""Characters of the tool results of a typical research, each asked for by itself: one search (six
hits of 400) and two pages, of which one fills half of what `web_fetch` shows at once."""

LIKELY_SOURCES = 4
"""Sources per panelist that judge and writer are shown: two pages read, two more hits cited."""

LIKELY_SOURCE_CHARACTERS = 300
"""One line of the source list: title, address, a short quote with its verdict."""

MOST_HITS = 6
"""Hits of one search (`web_search`'s own default); each may be cited, and is then listed. Another
package's tool may bring more; that more than these are cited is not counted on."""

MOST_RESULT_CHARACTERS = MAX_FOREIGN_CHARS + MAX_TITLE_CHARS + MAX_URL_CHARS + 1_000
"""One tool result: a page's part (24,000 characters, as many as of another package's tool), its
title and address, and what is said around them. A search's six hits come to less."""

MOST_SOURCE_CHARACTERS = 800
"""One line of the source list: a title of 200, an address of 500, and words around them."""

MOST_REFUSED = 32
"""Tool calls beyond the cap that one reply asks for, each of which is answered; models ask for
five at a time."""

LIKELY_RECHECK = 200
"""Tokens of a reply on one point: a sentence and a quote as JSON, and as much thinking."""

RECHECK_CHARACTERS = 8_000
"""Most characters of the question that is shown with a point."""

LIKELY_VERDICTS = 600
"""Tokens of a verifier's reply: some twelve claims, each with the words that decide."""

SHOWN_PASSAGES = {"likely": 12 * 3 * 400, "high": 60 * 3 * 2 * 700}
"""Characters of the passages that a verifier reads: those of twelve claims with one source each;
at most those of sixty with two."""

OTHER_TOKENISER = 1.5
"""At most so many times the tokens its writer's model had, when another model reads a text."""


@dataclass(frozen=True)
class ExpectedCall:
    """One call that will or may be made and answered.

    Attributes:
        stage: Which part of the run pays.
        model: A `provider:model` string or a chat model.
        reads: Tokens of the prompt.
        writes: Tokens of the reply, thinking included.
        usd: US dollars, where such calls were measured; None where its price is to be looked up.
        searches: Searches that its provider makes and bills beside the tokens.
    """

    stage: StageName
    model: Any
    reads: int
    writes: int
    usd: float | None = None
    searches: int = 0


def as_measured(calls: Sequence[ExpectedCall], measured: Standing) -> list[ExpectedCall]:
    """Give calls the tokens and dollars that a model's answers took when they were measured.

    Args:
        calls: A likely answer's.
        measured: What an answer took in your own evaluations.
    """
    guessed = sum(call.reads + call.writes for call in calls)
    times = measured.tokens_each / guessed
    return [
        replace(
            call,
            reads=round(call.reads * times),
            writes=round(call.writes * times),
            usd=None
            if measured.usd_each is None
            else measured.usd_each * (call.reads + call.writes) / guessed,
        )
        for call in calls
    ]


class Expectation:
    """What a configuration makes of a conversation, in one case.

    low: everybody answers at once, in a word, and nothing fails. likely: a search and two pages
    read by each panelist, one call each of judge and writer; where an adaptive panel goes on, two
    are asked again about one point. high: every call that can be
    answered is, each as long as it may be: tools up to the cap, one call at a time, so that every
    result is read again with each later one; three calls for an answer; every fallback in a
    panelist's place; the judge and every fallback unreadable twice; every writer blank twice but
    the last. An adaptive panel stops with its scouts in low and likely, and goes on in high.

    Calls that fail are not billed, and are in none of the cases: a run that loses a member may
    cost less than `low`. Nor are replies that bring nothing in the midst of research and are
    asked for again. `high` counts on models to keep to `max_completion_tokens` (a chat model
    that a program hands over is not told it).

    Args:
        settings: The run's settings.
        messages: The conversation.
        tools: The caller's own tools, in place of the web tools.
        case: Which of the three.
        record: How models did by themselves in your own evaluations: what their answers took there
            is what is likely.
    """

    def __init__(
        self,
        settings: ResolvedConfig,
        messages: Sequence[AnyMessage],
        tools: Sequence[BaseTool] | None,
        case: Case,
        record: Mapping[str, Standing] | None = None,
    ) -> None:
        self._record = record or {}
        self._settings, self._case, self._messages = settings, case, list(messages)
        self._own_tools = tools
        self._told = calls_as_text(messages)
        searches, served = settings.search != "none", settings.tools.values()
        self._cap = settings.max_tool_calls if tools or searches or served else 0
        wire = json.dumps([convert_to_openai_tool(tool) for tool in tools or ()])
        own = wire if tools else " " * WEB_TOOLS_BYTES * searches
        self._tools = self._text(own) + TOOLS_TOKENS[case]
        self._tools += served_tools_tokens([server.only for server in served], case)
        self._most = settings.max_completion_tokens

    def panel(self) -> list[ExpectedCall]:
        """Panelists, judge and writer; of an adaptive panel the scouts, unless it is to be dear."""
        scouts = self._scouts()
        if scouts is None:
            return self._whole_panel()
        return self.goes_on() if self._case == "high" else scouts._whole_panel()

    def goes_on(self) -> list[ExpectedCall]:
        """Everybody, after the scouts of an adaptive panel did not agree."""
        scouts = self._scouts()
        again = self._recheck(self._settings.panel[:2]) if self._case == "likely" else []
        return [*(scouts._judge() if scouts else ()), *again, *self._whole_panel()]

    def _scouts(self) -> Expectation | None:
        """The panel as if it were its scouts alone; None where everybody is asked at once."""
        settings = self._settings
        places = scouts_of(settings, self._record)
        if places is None:
            return None
        panel = [settings.panel[place] for place in places]
        alone = settings.model_copy(update={"panel": panel, "panel_policy": "full", "scouts": None})
        return Expectation(alone, self._messages, self._own_tools, self._case, self._record)

    def _whole_panel(self) -> list[ExpectedCall]:
        settings = self._settings
        calls = [call for m in settings.panel for call in self._panelist("panel", m)]
        calls += self._stand_ins("panel", settings.panel)
        if len(settings.panel) > 1:
            calls += self._judge()
            calls += self._recheck(settings.panel) if self._case == "high" else []
        if len(settings.panel) > 1 or settings.writer_is_bound:
            calls += [*self._writer(), *self._after()]
        return calls

    def direct(self) -> list[ExpectedCall]:
        """One model instead of the panel."""
        settings = self._settings
        if settings.writer_is_bound:
            reads = message_tokens(self._messages, self._case) + self._bound()
            return self._written("direct", reads)
        alone = Panelist(model=settings.synthesizer)
        return [*self._panelist("direct", alone), *self._stand_ins("direct", [alone])]

    def route(self) -> list[ExpectedCall]:
        """The call that decides between the two."""
        end = fenced("request", transcript(self._told)[-ROUTER_CHARACTERS:], _NONCE)
        reads = self._said(ROUTER, end)
        writes = self._reply(LIKELY_DECISION, ROUTER_TOKENS)
        return [self._call("route", self._settings.synthesizer, reads, writes)]

    def _panelist(self, stage: StageName, member: Panelist) -> list[ExpectedCall]:
        cap = self._cap if member.tools else 0
        by_provider = self._settings.search == "provider" and not self._own_tools
        own = bool(cap) and by_provider and searching_provider(member.model) is not None
        citing: Literal["links"] | None = "links" if own else None
        system = panel_system(cap > 0, cap, ANY_DAY, member.instructions, citing)
        reads = self._said(system) + message_tokens(self._told, self._case)
        calls = self._researched(stage, member.model, reads, cap, LIKELY_ANSWER)
        if own:
            # All in the last one: which of them a provider makes at which call changes no sum.
            searches = {"low": 0, "likely": 1, "high": cap}[self._case]
            calls[-1] = replace(calls[-1], searches=searches)
        measured = self.measured(member)
        return calls if measured is None else as_measured(calls, measured)

    def measured(self, member: Panelist) -> Standing | None:
        """What a member's answers took in your own evaluations, where that says what is likely.

        Args:
            member: Of the panel.
        """
        standing = self._record.get(model_name(member.model))
        if self._case != "likely" or standing is None or standing.graded < ENOUGH:
            return None
        # Evaluated questions are short: what a document in the conversation adds is not in it.
        short = message_tokens(self._told, self._case) <= MEASURED_QUESTION
        return standing if short else None

    def _stand_ins(self, stage: StageName, members: Sequence[Panelist]) -> list[ExpectedCall]:
        """Fallbacks in the place of members that were paid for and failed."""
        if self._case != "high":
            return []
        longest = max(members, key=lambda member: len(member.instructions or ""))
        stand_ins = [
            longest.model_copy(update={"model": model, "tools": True})
            for model in self._settings.fallbacks
        ]
        return [call for one in stand_ins for call in self._panelist(stage, one)]

    def _researched(
        self, stage: StageName, model: Any, reads: int, cap: int, answer: int
    ) -> list[ExpectedCall]:
        """A model at work with tools: see `run/research.py`."""
        turn, answer = self._reply(LIKELY_TURN), self._reply(answer)
        calls = []
        reads += self._tools if cap else 0
        results = self._results(cap)
        if stage != "judge" and self._case == "likely" and self._settings.research == "first":
            reads, results = reads + sum(results), []  # found by code before the model is asked
        for result in results:
            calls.append(self._call(stage, model, reads, turn))
            reads += turn + result + 2 * MESSAGE_TOKENS[self._case]
        if self._case == "high":
            # Replies with tools forbidden, and after a word to answer, may be void: see `phases`.
            reads += MOST_REFUSED * self._said(CALL_REFUSED) if cap else 0
            for _ in range(AFTER_CAP - 1):
                calls.append(self._call(stage, model, reads, answer))
                reads += self._said(ANSWER_NOW)
                if cap:
                    reads += answer + MOST_REFUSED * self._said(f"{CALL_REFUSED} {ANSWER_NOW}")
        return [*calls, self._call(stage, model, reads, answer)]

    def _call(self, stage: StageName, model: Any, reads: int, writes: int) -> ExpectedCall:
        return ExpectedCall(stage, model, reads + REQUEST_TOKENS[self._case], writes)

    def _results(self, cap: int) -> list[int]:
        """Tokens of the tool results, one for each call of a model that asks for one."""
        if self._case == "low":
            return []
        if self._case == "likely":
            return [unseen_tokens(n, "likely") for n in LIKELY_RESULTS[:cap]]
        return [unseen_tokens(MOST_RESULT_CHARACTERS, "high")] * cap

    def _judge(self) -> list[ExpectedCall]:
        settings, case = self._settings, self._case
        members = len(settings.panel)
        said = transcript(cut_conversation(self._told, CONVERSATION_CHARACTERS))
        empty = judge_material(said, [("A", "")] * members, (), _NONCE)
        reads = self._said(judge_system(settings.criteria), empty)
        reads += self._answers() + self._sources() + self._format(STRONGEST_FORMAT)
        searches = settings.judge_tools and settings.max_tool_calls > 0
        models = [settings.judge, *(settings.fallbacks if case == "high" else ())]
        calls = []
        for model in models:
            if searches:
                calls += self._researched("judge", model, reads, self._cap, LIKELY_ANALYSIS)
            else:
                calls.append(self._call("judge", model, reads, self._reply(LIKELY_ANALYSIS)))
            if case == "high":
                again = reads + self._most + self._said("", repair("x" * 300))
                calls.append(self._call("judge", model, again, self._most))
        return calls

    def _recheck(self, members: Sequence[Panelist]) -> list[ExpectedCall]:
        """One point asked again of those who differ on it; two of them, at most the whole panel."""
        if not self._settings.rechecks or not self._cap:
            return []  # without sources there is nothing to weigh
        empty = recheck_material("", "", [("", [])] * len(members), _NONCE)
        reads = self._said(RECHECK_SYSTEM, empty, transcript(self._told)[-RECHECK_CHARACTERS:])
        each = MOST_SOURCES * MOST_PASSAGES * PASSAGE_CHARACTERS
        sides = len(members) if self._case == "high" else 2
        reads += unseen_tokens(sides * each, self._case)
        return [
            self._call("recheck", member.model, reads, self._reply(LIKELY_RECHECK))
            for member in members
        ]

    def _writer(self) -> list[ExpectedCall]:
        members = len(self._settings.panel)
        empty = writer_material("", [("A", "")] * members, (), _NONCE)
        reads = self._said(WRITER_SYSTEM, empty) + message_tokens(self._told, self._case)
        reads += self._answers() + self._sources() + self._bound()
        if members > 1:
            reads += self._read_by_another(self._reply(LIKELY_ANALYSIS))
        return self._written("synthesis", reads)

    def _after(self) -> list[ExpectedCall]:
        """The check of the answer, and its mending, which only a false claim calls for."""
        settings, case = self._settings, self._case
        if settings.writer_is_bound or case == "low":
            return []
        checks = []
        if settings.asked_to_verify is not None and self._cap:
            reads = self._said(VERIFIER_SYSTEM) + self._read_by_another(self._reply(LIKELY_ANSWER))
            reads += unseen_tokens(SHOWN_PASSAGES[case], case)
            models = [settings.asked_to_verify, *(settings.fallbacks if case == "high" else ())]
            checks = [self._call("verify", m, reads, self._reply(LIKELY_VERDICTS)) for m in models]
        if settings.verify != "repair" or case != "high":
            return checks
        again = self._read_by_another(2 * self._reply(LIKELY_ANSWER))
        mending = [replace(call, reads=call.reads + again) for call in self._writer()]
        return [*checks, *mending, *checks]

    def _written(self, stage: StageName, reads: int) -> list[ExpectedCall]:
        settings = self._settings
        models = [settings.synthesizer]
        if self._case == "high":  # a blank reply is asked for once more
            models = [model for ref in (*models, *settings.fallbacks) for model in (ref, ref)]
        return [self._call(stage, m, reads, self._reply(LIKELY_ANSWER)) for m in models]

    def _answers(self) -> int:
        """Tokens of the panel's answers, as judge and writer read them."""
        tokens = self._read_by_another(len(self._settings.panel) * self._reply(LIKELY_ANSWER))
        return min(tokens, unseen_tokens(MATERIAL_CHARACTERS, "high"))

    def _sources(self) -> int:
        """Tokens of the list of sources with the quotes from them."""
        searching = sum(member.tools for member in self._settings.panel) if self._cap else 0
        if self._case == "low" or not searching:
            return 0
        if self._case == "likely":
            return unseen_tokens(searching * LIKELY_SOURCES * LIKELY_SOURCE_CHARACTERS, "likely")
        listed = searching * self._cap * MOST_HITS * MOST_SOURCE_CHARACTERS
        return unseen_tokens(listed, "high") + self._answers()  # which may be quotes throughout

    def _bound(self) -> int:
        """Tokens of the caller's own tools and format, which only the writer gets."""
        settings = self._settings
        tools = 0
        if settings.writer_tools:
            tools = self._text(json.dumps(settings.writer_tools)) + TOOLS_TOKENS[self._case]
        return tools + self._format(settings.response_format)

    def _format(self, wanted: Any) -> int:
        """A format's schema: some providers count it, others do not."""
        return 0 if self._case == "low" or wanted is None else self._text(json.dumps(wanted))

    def _reply(self, likely: int, most: int | None = None) -> int:
        most = self._most if most is None else most
        return {"low": LEAST_REPLY, "likely": min(likely, most), "high": most}[self._case]

    def _read_by_another(self, tokens: int) -> int:
        return int(tokens * OTHER_TOKENISER) if self._case == "high" else tokens

    def _said(self, *texts: str) -> int:
        """Tokens of messages of these texts."""
        messages: list[BaseMessage] = [SystemMessage(text) for text in texts]
        return message_tokens(messages, self._case)

    def _text(self, text: str) -> int:
        return text_tokens(text, self._case)


_NONCE = "0" * 16
"""As long as a run's delimiter secret."""
