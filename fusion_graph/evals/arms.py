"""Arms: who answers the questions, as named on the command line.

    budget                      the panel of a preset: its panelists, judge and writer
    budget:solo                 each of its panelists alone, an arm each (budget:solo:NAME: one)
    budget:no-judge             the panel's answers straight to the writer, without a comparison
    budget:adaptive             the panel, stopping with two members where these agree
    budget:no-verify            the panel, and nobody checks or mends what the writer wrote
    budget:self                 its first panelist twice, with its judge and its writer
    budget:best-of-3            three answers of its first panelist, of which one is taken
    budget:same-budget          one panelist alone with the tokens that the panel took: both of
    budget:same-budget:samples      as many answers of it as that pays, judged by itself, and
    budget:same-budget:revision     its answer, revised by itself as often as that pays;
                                :NAME behind it says whose, by default the first panelist's
    openai:gpt-5.5              that model alone, with the first preset's tools and limits

A preset is named, or its file is. Each arm is a configuration of the graph that users run
(`Arm.configuration`, `Arm.course`), and its answer is that graph's own. What differs from the
preset's settings, and why:

- Everybody is waited for: a quorum is followed by the longest `grace` there is, for who is fast on
  a day must not decide who is measured.
- A preset's fallbacks stand in as they do for its users, for its panel and its panel without a
  judge. The other arms have none: a stand-in's answer would be marked as theirs.
- Who is asked first in an adaptive panel is settled when its arm is opened, and part of what it is.
- A preset with `invocation = "auto"` or `"never"` decides as it does for its users; the other arms
  always ask those that they are named for.
- An answer that is somebody's own words (solo, best-of-N) is checked by code at most: nobody is
  paid to check or mend what no writer wrote.

Of best-of-N's answers the preset's judge compares all, and the one that stands in most points of
its consensus is taken, with ties broken by the shuffled labels ("universal self-consistency",
arXiv:2311.17311): the judge is never asked for a winner.

The same budget is the control that a panel needs: one agent with as many tokens has matched or
beaten several multi-agent designs (arXiv:2604.02460). `_same_budget` says how it is spent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from fusion_graph.config import MAX_PANEL, Panelist, ResolvedConfig, combine
from fusion_graph.errors import ConfigurationError
from fusion_graph.evals._draco import BLOCKED_PAGES
from fusion_graph.evals.store import folder_digest
from fusion_graph.graph import Course
from fusion_graph.nodes.fan_out import check
from fusion_graph.nodes.scouting import own_standings, scouts_of
from fusion_graph.run.settings import GraphConfig
from fusion_graph.run.toolbox import bundled_corpus, search_name

Kind = Literal[
    "panel",
    "adaptive",
    "solo",
    "no-judge",
    "no-verify",
    "self",
    "best-of",
    "samples",
    "revision",
]

HOW: dict[Kind, str] = {
    "panel": "panelists, judge and writer",
    "solo": "one model alone, with a panelist's tools and limits; its own words, no writer",
    "no-judge": "the panel's answers straight to the writer, without a comparison",
    "adaptive": "two panelists, the others where these do not agree; judge and writer",
    "no-verify": "panelists, judge and writer; the answer is neither checked nor mended",
    "self": "the first panelist twice, compared by the judge and written up by the writer",
    "best-of": "several answers of the first panelist; the one in most points of the judge's "
    "consensus is taken as it is",
    "samples": "one panelist alone with the panel's tokens of the same question: as many answers "
    "as they pay, of which the one in most points of its own consensus is taken as it is",
    "revision": "one panelist alone with the panel's tokens of the same question: its answer, "
    "revised by itself as often as they pay",
}
"""What each kind of arm does, for the outputs."""

_OWN_WORDS: tuple[Kind, ...] = ("solo", "best-of", "samples", "revision")
"""Kinds whose answer is a panelist's, as it is."""

_ONE_MEMBER: tuple[Kind, ...] = (*_OWN_WORDS, "self")
"""Kinds that ask nobody but one panelist."""

LONGEST_GRACE = 3600.0
"""Seconds: the most that `grace` may be."""

_FORM = re.compile(
    r"(?P<preset>.+?):(?P<how>panel|adaptive|no-judge|no-verify|self|best-of-(?P<count>\d+)"
    r"|solo(?::(?P<member>.+))?|same-budget(?::(?P<way>samples|revision))?(?::(?P<whose>.+))?)"
)

_FORMS = (
    "An arm is a preset's name or file (budget, ./mine.toml), one of these with :solo, "
    ":solo:NAME, :adaptive, :no-judge, :no-verify, :self, :best-of-N or :same-budget behind it, "
    "or a model alone (openai:gpt-5.5)."
)


@dataclass(frozen=True)
class Arm:
    """Somebody who answers the questions.

    Attributes:
        name: As the command line takes it.
        kind: What it does.
        settings: Of its preset, with the panel that it asks.
        corpus: Hash of the documents that are searched; None where the web is, or nothing.
        measured: The panel whose tokens it has for the same question; None for most arms.
    """

    name: str
    kind: Kind
    settings: ResolvedConfig
    corpus: str | None = None
    measured: Arm | None = None

    @property
    def repetitions(self) -> list[int]:
        """For each member, how many members before it are the same: each answers anew."""
        plain = [member.model_copy(update={"name": None}) for member in self.settings.panel]
        return [plain[:place].count(member) for place, member in enumerate(plain)]

    @property
    def course(self) -> Course:
        """Which stages its graph has."""
        match self.kind:
            case "no-judge":
                return Course(judge=False)
            case "best-of":
                return Course(answer="chosen")
        return Course()

    @property
    def configuration(self) -> ResolvedConfig:
        """What its graph is made with; nobody in it needs a key without being asked."""
        settings, first = self.settings, self.settings.panel[0].model
        changes: dict[str, Any] = {"preset": None, "grace": LONGEST_GRACE}
        if self.kind != "panel":
            changes["invocation"] = "always"
        if self.kind not in ("panel", "no-verify"):
            changes["panel_policy"] = "adaptive" if self.kind == "adaptive" else "full"
        if changes.get("panel_policy", settings.panel_policy) == "full":
            changes["scouts"] = None
        if self.kind in _ONE_MEMBER:
            changes |= {"fallbacks": [], "quorum": None}
        if self.kind in _OWN_WORDS:
            changes["verify"] = "off" if settings.verify == "off" else "code"
        match self.kind:
            case "no-verify":
                changes["verify"] = "off"
            case "solo" | "samples" | "revision":
                changes |= {"judge": first, "synthesizer": first}
            case "best-of":
                changes |= {"synthesizer": settings.judge}
            case "no-judge":
                changes |= {"judge": settings.synthesizer, "verifier": settings.asked_to_verify}
        return settings.model_copy(update=changes)

    def with_samples(self, count: int) -> Arm:
        """Its member so many times, judged by itself; the answer is the one that it agrees with.

        Args:
            count: 1 to `MAX_PANEL`; the member alone has no judge.
        """
        member = self.settings.panel[0]
        name = f"{self.name}:{count}"
        if count == 1:
            return Arm(name, "solo", self.settings, self.corpus)
        changes = {"panel": [member] * count, "judge": member.model}
        return Arm(name, "best-of", self.settings.model_copy(update=changes), self.corpus)

    def public(self) -> dict[str, Any]:
        """What its graph is made with, as plain data without keys or folders of this machine."""
        data = self.configuration.public()
        if data["corpus"] is not None:
            data["corpus"] = Path(data["corpus"]).name
        return data

    def described(self) -> dict[str, Any]:
        """What it is, as plain data without keys or folders of this machine."""
        return {
            "name": self.name,
            "kind": self.kind,
            "does": HOW[self.kind],
            "corpus_sha256": self.corpus,
            "settings": {**self.public(), "preset": self.settings.preset},
        }


def open_arms(given: Sequence[str], *, draco: bool = False) -> list[Arm]:
    """The arms of a command line, checked as far as that can be done without asking a model.

    Args:
        given: As this module's text shows them; several may stand in one, with commas.
        draco: Whether DRACO is asked: pages with its rubrics are then kept from the web tools.

    Raises:
        ConfigurationError: One cannot be understood or cannot work, or is given twice.
    """
    items = [item for part in given for piece in part.split(",") if (item := piece.strip())]
    if not items:
        raise ConfigurationError("--arms names nobody.", _FORMS)
    parsed = [_parse(item) for item in items]
    first = next((preset for preset, _, _, _ in parsed if preset is not None), None)
    base = _settings(first) if first is not None else None
    arms: list[Arm] = []
    for item, (preset, kind, count, member) in zip(items, parsed, strict=True):
        if preset is None:
            arms.append(Arm(item, "solo", _alone(item, base)))
        else:
            arms += _of_preset(preset, _settings(preset), kind, count, member)
    names = [arm.name for arm in arms]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"--arms names {name} twice.", "Name each arm once.")
    for arm in arms:
        if arm.measured is not None and arm.measured.name not in names:
            panel = arm.measured.name
            raise ConfigurationError(
                f"--arms: {arm.name} gets the tokens that {panel} takes, which is not asked.",
                f"Add {panel} to --arms.",
            )
    return [_ready(arm, draco) for arm in arms]


_Named = Kind | Literal["same-budget"]
"""What stands behind a preset's name; the same budget is two arms."""


def _parse(item: str) -> tuple[str | None, _Named, int, str | None]:
    """Preset, kind, count and member of an arm; the preset is None for a model alone."""
    match = _FORM.fullmatch(item)
    if match:
        how = match["how"].partition(":")[0]
        if match["count"] is not None:
            count = int(match["count"])
            if not 2 <= count <= MAX_PANEL:
                raise ConfigurationError(
                    f"--arms: {item} asks for {count} answers.", f"Give 2 to {MAX_PANEL}."
                )
            return match["preset"], "best-of", count, None
        kinds: dict[str, _Named] = {
            "panel": "panel",
            "no-judge": "no-judge",
            "adaptive": "adaptive",
            "no-verify": "no-verify",
            "self": "self",
            "solo": "solo",
            "same-budget": "same-budget",
            "samples": "samples",
            "revision": "revision",
        }
        return match["preset"], kinds[match["way"] or how], 0, match["member"] or match["whose"]
    if ":" not in item or item.endswith(".toml"):
        return item, "panel", 0, None
    return None, "solo", 0, None


def _settings(name: str) -> ResolvedConfig:
    """The settings of a preset.

    Raises:
        ConfigurationError: It is unknown or cannot work.
    """
    try:
        return GraphConfig(name).begin(None)[0]
    except ConfigurationError as error:
        raise ConfigurationError(f"--arms: {error.problem}", error.remedy or _FORMS) from None


def _alone(model: str, base: ResolvedConfig | None) -> ResolvedConfig:
    member = [Panelist(model=model)]
    if base is None:
        return combine({"panel": member})
    return base.model_copy(update={"panel": member})


def _of_preset(
    preset: str, settings: ResolvedConfig, kind: _Named, count: int, member: str | None
) -> list[Arm]:
    if kind == "solo":
        return _solos(preset, settings, member)
    if kind == "same-budget":
        ways: tuple[Kind, ...] = ("samples", "revision")
        return [_at_budget(preset, settings, way, member) for way in ways]
    if kind in ("samples", "revision"):
        return [_at_budget(preset, settings, kind, member)]
    if kind in ("panel", "adaptive", "no-judge", "no-verify"):
        return [Arm(preset if kind == "panel" else f"{preset}:{kind}", kind, settings)]
    first = settings.panel[0]
    several = settings.model_copy(update={"panel": [first] * (count or 2)})
    return [Arm(f"{preset}:best-of-{count}" if count else f"{preset}:self", kind, several)]


def _solos(preset: str, settings: ResolvedConfig, member: str | None) -> list[Arm]:
    """An arm for each panelist, one for those that are the same."""
    arms: list[Arm] = []
    known: list[Panelist] = []
    for name, panelist in zip(settings.names, settings.panel, strict=True):
        plain = panelist.model_copy(update={"name": None})
        if plain not in known:
            known.append(plain)
            alone = settings.model_copy(update={"panel": [panelist]})
            arms.append(Arm(f"{preset}:solo:{name}", "solo", alone))
    if member is None:
        return arms
    chosen = [arm for arm in arms if arm.name == f"{preset}:solo:{member}"]
    if not chosen:
        raise ConfigurationError(
            f"--arms: {preset} has no panelist '{member}'.",
            f"It has {', '.join(arm.name.rpartition(':')[2] for arm in arms)}.",
        )
    return chosen


def _at_budget(preset: str, settings: ResolvedConfig, kind: Kind, member: str | None) -> Arm:
    """One panelist with the panel's tokens: the one of that name, or the first."""
    name = f"{preset}:same-budget:{kind}"
    one = settings.panel[0]
    if member is not None:
        name += f":{member}"
        one = _solos(preset, settings, member)[0].settings.panel[0]
    if str(one.model).startswith("offline:"):
        # Measured: they take the call to revise for the question, and score 0 of 94.
        raise ConfigurationError(
            f"--arms: {name} asks {one.model}, an extractive program.",
            "Give :same-budget a language model: such programs neither judge nor revise.",
        )
    alone = settings.model_copy(update={"panel": [one]})
    return Arm(name, kind, alone, measured=Arm(preset, "panel", settings))


def _ready(arm: Arm, draco: bool) -> Arm:
    if arm.measured is not None:
        arm = replace(arm, measured=_ready(arm.measured, draco))
    settings = _with_scouts(arm)
    if draco and not settings.allowed_domains:
        blocked = [*dict.fromkeys([*settings.blocked_domains, *BLOCKED_PAGES])]
        settings = settings.model_copy(update={"blocked_domains": blocked})
    ready = replace(arm, settings=settings)
    try:
        check(ready.configuration, GraphConfig(None))
    except ConfigurationError as error:
        raise type(error)(f"--arms: {arm.name}: {error.problem}", error.remedy) from None
    corpus = None
    if search_name(settings) == "corpus":
        corpus = folder_digest(Path(settings.corpus or bundled_corpus()).expanduser())
    return replace(ready, corpus=corpus)


def _with_scouts(arm: Arm) -> ResolvedConfig:
    """Name who is asked first, by today's track record.

    They are part of what is evaluated: a record that grows in between, by another evaluation or
    by this one, changes nothing in its midst, and no answer is taken for one of other scouts.
    """
    settings, made = arm.settings, arm.configuration
    record, _ = own_standings(made)
    places = scouts_of(made, record)
    if places is None:
        return settings
    return settings.model_copy(update={"scouts": [settings.names[place] for place in places]})


def providers_of(arms: Iterable[Arm]) -> dict[str, Any]:
    """The endpoints of all presets by name, so that the grader may be at one of them."""
    found: dict[str, Any] = {}
    for arm in arms:
        found = {**arm.settings.providers, **found}
    return found
