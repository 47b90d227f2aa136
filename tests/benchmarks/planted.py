"""How many faults planted into quotes the check of quotes sees, and how often it cries wolf.

    python -m tests.benchmarks.planted [SEED]

Sentences come from texts that this project did not write (manual pages in six languages and
licences under /usr/share, read at run time) and from encyclopaedia-style HTML of its own. A fault
is planted into a sentence and the result quoted from the sentence's page. This program shares no
code and no list of words with the check: its own few words stand below.
"""

from __future__ import annotations

import gzip
import random
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fusion_graph.evidence.quotes import check_quotes

SEED = 20261127
PER_KIND = 90
UNTOUCHED = 900
PARAPHRASES = 600
MANUALS = {"en": "man", "de": "man/de", "fr": "man/fr", "es": "man/es", "pl": "man/pl"} | {
    "ru": "man/ru"
}
LICENCES = Path("/usr/share/common-licenses")

KINDS = ("figure", "unit", "date", "negation", "quantifier", "comparative", "name")
"""Kinds of which the check must see 97 of 100."""


@dataclass(frozen=True)
class Page:
    """A text, its language and the sentences that are quoted from it."""

    language: str
    text: str
    sentences: tuple[str, ...]


# --- texts


def pages(seed: int) -> list[Page]:
    """The texts of this machine, in an order drawn by the seed, and the pages of our own."""
    chance = random.Random(seed)
    found: list[Page] = []
    for language, folder in MANUALS.items():
        files = sorted(Path("/usr/share", folder).glob("man[1-8]/*.gz"))
        files = [file for file in files if "gcloud" not in file.name]
        chance.shuffle(files)
        found += [page for file in files[:60] if (page := _manual(file, language))]
    for file in sorted(LICENCES.glob("*")):
        if file.is_file() and not file.is_symlink():
            found.append(_page("en", file.read_text(errors="replace")))
    return [page for page in found if page.sentences] + list(_encyclopaedia(chance))


def _manual(file: Path, language: str) -> Page | None:
    try:
        source = gzip.decompress(file.read_bytes()).decode()
    except (OSError, ValueError, EOFError):
        return None
    if len(source) > 200_000 or ".so " in source[:200]:
        return None
    lines: list[str] = []
    for line in source.split("\n"):
        if line.startswith((".B ", ".I ", ".BR ", ".IR ", ".RB ", ".RI ", ".BI ", ".IB ")):
            line = line.partition(" ")[2].replace('"', "")
            lines.append(line)
        elif line.startswith((".", "'")):
            lines.append("")
        else:
            lines.append(line)
    text = re.sub(r"\\f(?:\[\w*\]|.)|\\[&|^/,)]|\\s[-+]?\d", "", "\n".join(lines))
    text = text.replace(r"\-", "-").replace(r"\(aq", "'").replace(r"\e", "").replace("\\ ", " ")
    text = re.sub(r"\\\((?:lq|rq)|\\\*\(..", '"', text)
    return None if "\\" in text else _page(language, text)


def _page(language: str, text: str) -> Page:
    sentences: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        flat = " ".join(paragraph.split())
        for sentence in re.split(r"(?<=[.!?])\s+(?=[A-ZÄÖÜÉÀŁŻŹŚА-Я¿¡])", flat):
            words = sentence.split()
            letters = sum(c.isalpha() or c == " " for c in sentence)
            if (
                8 <= len(words) <= 40
                and sentence[0].isupper()
                and sentence[-1] == "."
                and letters > 0.8 * len(sentence)
                and "..." not in sentence
                and "|" not in sentence
            ):
                sentences.append(sentence)
    return Page(language, text, tuple(dict.fromkeys(sentences)))


PLACES = ("Ostrava", "Leuven", "Tampere", "Coimbra", "Graz", "Lyon", "Malmo", "Zadar", "Cork")
PEOPLE = ("Novak", "Berger", "Silva", "Larsen", "Dubois", "Kowalski", "Horvat", "Murphy")
MONTHS = {
    "en": "January March April June July August October December",
    "de": "Januar März April Juni Juli August Oktober Dezember",
    "fr": "janvier mars avril juin juillet août octobre décembre",
    "es": "enero marzo abril junio julio agosto octubre diciembre",
    "pl": "stycznia marca kwietnia czerwca lipca sierpnia października grudnia",
    "ru": "января марта апреля июня июля августа октября декабря",
}
SHAPES = {
    "en": (
        "The {p} depot was opened on {d} {m} {y} and is {a} km long.",
        "In {y} the mayor of {p}, {n}, did not sign the contract of {b} million euros.",
        "Most of the {c} trams weigh less than {a} tonnes when they are empty.",
        "On {m} {d}, {y}, {n} praised {o} for the new line from {p} to {q}.",
        "The lake is deeper than the pond of {p}, but it holds only {b} million litres.",
        "All of the halls must be closed before {m} {y}, when the winter season begins.",
        "The line in {p} rose by {a} m over {b} years and may grow again.",
    ),
    "de": (
        "Das Depot in {p} wurde am {d}. {m} {y} eröffnet und ist {a} km lang.",
        "Im Jahr {y} hat {n} den Vertrag über {b} Millionen Euro nicht unterschrieben.",
        "Die {c} Wagen sind kein Teil der Sammlung von {p}, die {n} gehört.",
    ),
    "fr": (
        "Le dépôt de {p} a été ouvert le {d} {m} {y} et mesure {a} km de long.",
        "En {y}, {n} n'a pas signé le contrat de {b} millions d'euros avec {o}.",
    ),
    "es": (
        "El depósito de {p} se abrió el {d} de {m} de {y} y mide {a} km.",
        "En {y} la alcaldesa {n} no firmó el contrato de {b} millones de euros.",
    ),
    "pl": (
        "Zajezdnia w mieście {p} została otwarta {d} {m} {y} roku i ma {a} km.",
        "W {y} roku {n} nie podpisał umowy na {b} mln euro z firmą {o}.",
    ),
    "ru": (
        "Депо в городе {p} открылось {d} {m} {y} года и имеет длину {a} км.",
        "В {y} году {n} не подписал договор на {b} млн евро с фирмой {o}.",
    ),
}


def _encyclopaedia(chance: random.Random) -> Iterator[Page]:
    """Pages as an encyclopaedia has them, with marks of notes, read from HTML by our reader."""
    from fusion_tools._readers import Document, read_document

    for language, shapes in SHAPES.items():
        for _ in range(30 if language == "en" else 10):
            sentences = tuple(_filled(shape, language, chance) for shape in shapes)
            marked = (
                re.sub(r"([,.])(?= |$)", r'\1<sup class="reference"><a href="#n">[4]</a></sup>', s)
                if chance.random() < 0.5
                else s
                for s in sentences
            )
            body = "".join(f"<p>{sentence}</p>" for sentence in marked)
            html = f"<html><body><main><h1>Depot</h1>{body}</main></body></html>"
            text = read_document(Document(html.encode(), "html", "https://en.example/d", "utf-8"))
            yield Page(language, text.text, sentences)


def _filled(shape: str, language: str, chance: random.Random) -> str:
    places, people = chance.sample(PLACES, 2), chance.sample(PEOPLE, 2)
    return shape.format(
        p=places[0],
        q=places[1],
        n=people[0],
        o=people[1],
        d=chance.randint(2, 28),
        m=chance.choice(MONTHS[language].split()),
        y=chance.randint(1851, 2024),
        a=chance.randint(11, 89),
        b=chance.randint(3, 97),
        c=chance.randint(120, 980),
    )


# --- faults

Fault = Callable[[str, Page, random.Random], str | None]


def _swap(pairs: str) -> dict[str, str]:
    table: dict[str, str] = {}
    for pair in pairs.split():
        one, _, two = pair.partition("/")
        table.setdefault(one, two)
    return table


def _replaced(sentence: str, table: dict[str, str], chance: random.Random) -> str | None:
    """The sentence with one word that the table has put for another."""
    found = [m for m in re.finditer(r"[^\W\d_]+", sentence) if m[0].lower() in table]
    if not found:
        return None
    match = chance.choice(found)
    new = table[match[0].lower()]
    new = new.capitalize() if match[0][0].isupper() else new
    return sentence[: match.start()] + new + sentence[match.end() :]


def figure(sentence: str, page: Page, chance: random.Random) -> str | None:
    """Another digit in a number."""
    found = list(re.finditer(r"(?<![\w.(/-])\d+(?![\w()/-])", sentence))
    if not found:
        return None
    match = chance.choice(found)
    at = chance.randrange(match.start(), match.end())
    digit = chance.choice([d for d in "123456789" if d != sentence[at]])
    return sentence[:at] + digit + sentence[at + 1 :]


UNITS = _swap(
    "seconds/minutes second/minute minutes/hours hours/days days/weeks years/months months/years "
    "bytes/kilobytes byte/bit bits/bytes kb/mb mb/gb milliseconds/seconds km/cm m/mm tonnes/grams "
    "kg/g percent/permille million/billion millions/milliards millionen/milliarden mln/mld "
    "millones/billones млн/млрд км/см litres/gallons sekunden/minuten secondes/minutes "
    "segundos/minutos sekund/minut секунд/минут metres/feet pixels/inches octets/bits"
)


def unit(sentence: str, page: Page, chance: random.Random) -> str | None:
    """Another unit or scale beside a number."""
    found = [
        m
        for m in re.finditer(
            r"((?:\d+|one|two|three|four|five|ten)[ -])([^\W\d_]+)", sentence, re.IGNORECASE
        )
        if m[2].lower() in UNITS
    ]
    if not found:
        return None
    match = chance.choice(found)
    return sentence[: match.start(2)] + UNITS[match[2].lower()] + sentence[match.end(2) :]


def date(sentence: str, page: Page, chance: random.Random) -> str | None:
    """Another month."""
    months = MONTHS.get(page.language, "").split()
    for month in months:
        if re.search(rf"\b{month}\b", sentence):
            return sentence.replace(month, chance.choice([m for m in months if m != month]), 1)
    return None


DENIALS = {
    "en": r" not(?= )| never(?= )|n't\b",
    "de": r" nicht(?= )| nie(?= )",
    "fr": r" pas(?= )| jamais(?= )",
    "es": r" no(?= )| nunca(?= )",
    "pl": r" nie(?= )| nigdy(?= )",
    "ru": r" не(?= )| никогда(?= )",
}


def negation(sentence: str, page: Page, chance: random.Random) -> str | None:
    """A denial left out, or one put in after an auxiliary."""
    found = list(re.finditer(DENIALS[page.language], sentence))
    if found:
        match = chance.choice(found)
        return sentence[: match.start()] + sentence[match.end() :]
    if page.language == "en":
        match_ = re.search(r" (?:is|are|was|were|will|can|may|must|should) (?!not)", sentence)
        if match_:
            return sentence[: match_.end()] + "not " + sentence[match_.end() :]
    return None


QUANTITIES = _swap(
    "all/some any/every every/no some/all most/few many/few few/many each/no several/all "
    "both/neither only/also no/every none/all always/sometimes never/always"
)


def quantifier(sentence: str, page: Page, chance: random.Random) -> str | None:
    """Another quantity in words."""
    return _replaced(sentence, QUANTITIES, chance) if page.language == "en" else None


COMPARED = _swap(
    "more/less less/more greater/smaller larger/smaller smaller/larger higher/lower lower/higher "
    "longer/shorter shorter/longer before/after after/before above/below below/above "
    "faster/slower slower/faster newer/older older/newer better/worse deeper/shallower "
    "first/last last/first least/most maximum/minimum minimum/maximum earlier/later later/earlier "
    "rose/fell increase/decrease increases/decreases up/down"
)


def comparative(sentence: str, page: Page, chance: random.Random) -> str | None:
    """The other end of a comparison."""
    return _replaced(sentence, COMPARED, chance) if page.language == "en" else None


def name(sentence: str, page: Page, chance: random.Random) -> str | None:
    """Another name of the same corpus."""
    if page.language == "de" and not any(p in sentence for p in (*PLACES, *PEOPLE)):
        return None
    found = list(re.finditer(r"(?<=[a-zа-я,] )[A-ZА-Я][a-zа-я]{3,}\b", sentence))
    found = [m for m in found if page.language != "de" or m[0] in (*PLACES, *PEOPLE)]
    found = [m for m in found if m[0] not in " ".join(MONTHS.values())]
    if not found:
        return None
    match = chance.choice(found)
    other = chance.choice([n for n in (*PLACES, *PEOPLE) if n != match[0]])
    return sentence[: match.start()] + other + sentence[match.end() :]


MODALS = _swap(
    "may/must must/may can/must should/may will/might might/will could/will shall/may would/will "
    "if/when when/if unless/if"
)


def modal(sentence: str, page: Page, chance: random.Random) -> str | None:
    """Another modal verb or condition."""
    return _replaced(sentence, MODALS, chance) if page.language == "en" else None


def order(sentence: str, page: Page, chance: random.Random) -> str | None:
    """Two long words in each other's place."""
    found = list(re.finditer(r"\b[^\W\d_]{5,}\b", sentence[1:]))
    pairs = [(a, b) for a in found for b in found if a.end() + 3 < b.start()]
    pairs = [(a, b) for a, b in pairs if a[0].lower()[:4] != b[0].lower()[:4]]
    if not pairs:
        return None
    one, two = chance.choice(pairs)
    rest = sentence[1:]
    swapped = rest[: one.start()] + two[0] + rest[one.end() : two.start()] + one[0]
    return sentence[0] + swapped + rest[two.end() :]


def content(sentence: str, page: Page, chance: random.Random) -> str | None:
    """Another long word of the page for one of the sentence."""
    words = [w for w in set(re.findall(r"\b[^\W\d_]{6,}\b", page.text)) if w.islower()]
    found = [m for m in re.finditer(r"\b[^\W\d_]{6,}\b", sentence) if m[0].islower()]
    if not found:
        return None
    match = chance.choice(found)
    others = sorted(w for w in words if w[:3] != match[0][:3] and w not in sentence)
    if not others:
        return None
    return sentence[: match.start()] + chance.choice(others) + sentence[match.end() :]


FAULTS: dict[str, Fault] = {
    "figure": figure,
    "unit": unit,
    "date": date,
    "negation": negation,
    "quantifier": quantifier,
    "comparative": comparative,
    "name": name,
    "modal": modal,
    "order": order,
    "content": content,
}


# --- honest paraphrases

SPELLINGS = _swap(
    "color/colour colors/colours behavior/behaviour center/centre favor/favour honor/honour "
    "license/licence licenses/licences recognized/recognised organization/organisation "
    "initialize/initialise initialized/initialised normalized/normalised specialized/specialised "
    "summarize/summarise authorized/authorised canceled/cancelled labeled/labelled gray/grey "
    "catalog/catalogue dialog/dialogue program/programme unrecognized/unrecognised "
    "customize/customise optimization/optimisation synchronize/synchronise minimize/minimise"
)
FORMS = _swap(
    "files/file file/files options/option option/options commands/command command/commands "
    "uses/used used/uses returns/returned prints/printed changes/changed contains/contained "
    "values/value value/values users/user systems/system directories/directory adds/added "
    "works/work requires/required provides/provided allows/allowed specifies/specified "
    "lines/line names/name arguments/argument characters/character means/meant sets/set "
    "rights/right copies/copy works/work trams/tram halls/hall takes/took makes/made begins/began"
)


def typography(sentence: str, page: Page, chance: random.Random) -> str | None:
    """Other quotation marks, dashes, blanks, case, soft hyphens."""
    which = chance.randrange(6)
    if which == 0:
        return "“" + sentence + "”"
    if which == 1:
        return sentence.replace("'", "’").replace("-", "\u2011").replace(" ", "\u00a0", 2)
    if which == 2:
        return re.sub(r"(?<=\w{4})(?=\w{4})", "\u00ad", sentence)
    if which == 3:
        return sentence.upper() if page.language != "ru" else sentence.replace(" ", "  ")
    if which == 4:
        words = sentence.split(" ")
        words[3] = f"*{words[3]}*" if words[3].isalpha() else words[3]
        return "\n".join(textwrap.wrap(" ".join(words), 40, break_on_hyphens=False))
    return sentence.rstrip(".")


def spelling(sentence: str, page: Page, chance: random.Random) -> str | None:
    """The spelling of the other shore; contractions."""
    if page.language != "en":
        return None
    changed = _replaced(sentence, SPELLINGS, chance)
    if changed:
        return changed
    short = re.sub(r"\b(do|does|did|is|are|was|were|would|should) not\b", r"\1n't", sentence)
    return short if short != sentence else None


def inflection(sentence: str, page: Page, chance: random.Random) -> str | None:
    """A noun in the other number, a verb in another tense."""
    return _replaced(sentence, FORMS, chance) if page.language == "en" else None


HONEST: dict[str, Fault] = {
    "typography": typography,
    "spelling": spelling,
    "inflection": inflection,
}


# --- the measurement


@dataclass
class Tally:
    """Counts by kind and language, and what went wrong."""

    asked: Counter[tuple[str, str]]
    right: Counter[tuple[str, str]]
    wrong: list[tuple[str, str, str, str]]

    def share(self, kind: str) -> float:
        """The share of a kind that came out right."""
        asked = sum(n for (k, _), n in self.asked.items() if k == kind)
        return sum(n for (k, _), n in self.right.items() if k == kind) / asked if asked else 1.0


def measure(seed: int = SEED, per_kind: int = PER_KIND, honest: int = PARAPHRASES) -> Tally:
    """Plant, check, count."""
    chance = random.Random(seed)
    texts = pages(seed)
    places = [(page, sentence) for page in texts for sentence in page.sentences]
    tally = Tally(Counter(), Counter(), [])
    for kind, plant in FAULTS.items():
        _count(kind, plant, places, per_kind, False, tally, chance)
    for kind, dress in HONEST.items():
        _count(kind, dress, places, honest // len(HONEST), True, tally, chance)
    untouched = UNTOUCHED * honest // PARAPHRASES
    _count("untouched", lambda s, p, c: s, places, untouched, True, tally, chance)
    return tally


def _count(
    kind: str,
    change: Fault,
    places: list[tuple[Page, str]],
    most: int,
    honest: bool,
    tally: Tally,
    chance: random.Random,
) -> None:
    chance.shuffle(places)
    used: Counter[str] = Counter()
    for page, sentence in places:
        if sum(used.values()) >= most:
            return
        # Half of the cases are English; the other languages share the rest.
        if used[page.language] >= (most * 0.6 if page.language == "en" else most / 8) and (
            kind not in ("quantifier", "comparative", "modal", "spelling", "inflection")
        ):
            continue
        quoted = change(sentence, page, chance)
        if quoted is None or (not honest and on_page(quoted, page)):
            continue
        used[page.language] += 1
        (checked,) = check_quotes([quoted], page.text)
        tally.asked[kind, page.language] += 1
        if (checked.verdict in ("verified", "near")) is honest:
            tally.right[kind, page.language] += 1
        else:
            tally.wrong.append((kind, page.language, quoted, f"{checked}"))


def on_page(quoted: str, page: Page) -> bool:
    """Whether the very words stand on a page."""
    return " ".join(quoted.split()) in " ".join(page.text.split())


def table(tally: Tally) -> str:
    """The counts as Markdown."""
    languages = sorted({language for _, language in tally.asked})
    lines = ["| kind | " + " | ".join(languages) + " | all |", "|---" * (len(languages) + 2) + "|"]
    for kind in (*FAULTS, "untouched", *HONEST):
        cells = []
        for language in languages:
            asked = tally.asked[kind, language]
            cells.append(f"{tally.right[kind, language]} of {asked}" if asked else "")
        asked = sum(n for (k, _), n in tally.asked.items() if k == kind)
        right = sum(n for (k, _), n in tally.right.items() if k == kind)
        share = f"{right} of {asked} ({100 * right / asked:.1f} %)" if asked else "none"
        lines.append(f"| {kind} | " + " | ".join(cells) + f" | {share} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, and what went wrong to stderr."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else SEED
    tally = measure(seed)
    print(table(tally))
    for kind, language, quoted, checked in tally.wrong:
        print(f"{kind} {language}: {quoted}\n    {checked}", file=sys.stderr)


if __name__ == "__main__":
    main()
