"""How many planted contradictions the keyless panel finds, and how often it cries wolf.

    python -m tests.benchmarks.keyless [SEED] [COUNT]

A folder holds two or three pages about one thing; half of the folders contradict themselves in a
count, a measure, a year, a day, a place, a yes or no, or an opposite, the others only seem to:
other things, years, units, roundings, groupings, parts. The whole panel runs over each. Its words
are this program's own, in five languages. The bundled corpus, whose pages agree, is asked too.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from tests.offline.panel import BUNDLED, folder_of, whole_run

SEED = 20261127
COUNT = 40
LANGUAGES = ("en", "de", "fr", "es", "cs")

TOWNS = ("Velmora", "Tarnik", "Osterlu", "Brandov", "Calidra", "Nemosin", "Hurvany", "Pelgrad")
PEOPLE = ("Marten Kolvik", "Ilse Brauder", "Tomas Verany", "Clara Dunmore", "Jonas Petrik")


@dataclass(frozen=True)
class Folder:
    """A folder: its kind and language, pages, question, and what both sides must say, if any."""

    kind: str
    language: str
    pages: tuple[str, ...]
    question: str
    sides: tuple[str, str] | None


Template = tuple[str, str, str]
"""A question and two wordings of one fact; `{t}` is a town, `{v}` what is told."""

COUNTS: dict[str, tuple[Template, ...]] = {
    "en": (
        (
            "How many seats does the theatre of {t} have?",
            "The theatre of {t} has {v} seats.",
            "Rebuilt after a fire, the {t} theatre now has {v} seats and a small bar.",
        ),
        (
            "How many boats lie in the harbour of {t}?",
            "The harbour of {t} has room for {v} boats.",
            "According to the port office, the {t} harbour has room for {v} boats.",
        ),
        (
            "How many pupils attend the school in {t}?",
            "The school in {t} has {v} pupils.",
            "The {t} school, founded by weavers, has {v} pupils.",
        ),
    ),
    "de": (
        (
            "Wie viele Plätze hat das Theater in {t}?",
            "Das Theater in {t} hat {v} Plätze.",
            "Das Theater in {t}, nach einem Brand erneuert, hat {v} Plätze.",
        ),
        (
            "Wie viele Schüler besuchen die Schule in {t}?",
            "Die Schule in {t} hat {v} Schüler.",
            "Laut Schulamt hat die Schule in {t} {v} Schüler.",
        ),
    ),
    "fr": (
        (
            "Combien de places compte le théâtre de {t} ?",
            "Le théâtre de {t} compte {v} places.",
            "Rénové après un incendie, le théâtre de {t} compte {v} places.",
        ),
        (
            "Combien de bateaux accueille le port de {t} ?",
            "Le port de {t} accueille {v} bateaux.",
            "Selon la mairie, le port de {t} accueille {v} bateaux.",
        ),
    ),
    "es": (
        (
            "¿Cuántas butacas tiene el teatro de {t}?",
            "El teatro de {t} tiene {v} butacas.",
            "Según el ayuntamiento, el teatro de {t} tiene {v} butacas.",
        ),
        (
            "¿Cuántos alumnos tiene la escuela de {t}?",
            "La escuela de {t} tiene {v} alumnos.",
            "La escuela de {t}, cerca del río, tiene {v} alumnos.",
        ),
    ),
    "cs": (
        (
            "Kolik míst má divadlo {t}?",
            "Divadlo {t} má {v} míst.",
            "Divadlo {t}, obnovené po požáru, má {v} míst.",
        ),
        (
            "Kolik žáků má škola {t}?",
            "Škola {t} má {v} žáků.",
            "Podle úřadu má škola {t} {v} žáků.",
        ),
    ),
}
YEARS: dict[str, Template] = {
    "en": (
        "When was the lighthouse of {t} built?",
        "The lighthouse of {t} was built in {v} by a guild.",
        "The {t} lighthouse, built in {v}, is painted white.",
    ),
    "de": (
        "Wann wurde der Leuchtturm in {t} erbaut?",
        "Der Leuchtturm in {t} wurde {v} erbaut.",
        "Der Leuchtturm in {t}, erbaut {v}, ist weiß gestrichen.",
    ),
    "fr": (
        "Quand le phare de {t} a-t-il été construit ?",
        "Le phare de {t} a été construit en {v}.",
        "Le phare de {t}, construit en {v}, est peint en blanc.",
    ),
    "es": (
        "¿Cuándo fue construido el faro de {t}?",
        "El faro de {t} fue construido en {v}.",
        "El faro de {t}, construido en {v}, está pintado de blanco.",
    ),
    "cs": (
        "Kdy byl postaven maják {t}?",
        "Maják {t} byl postaven roku {v}.",
        "Maják {t}, postavený roku {v}, má bílou barvu.",
    ),
}
DAYS: dict[str, tuple[str, str, tuple[str, str]]] = {
    "en": (
        "When was the ferry of {t} launched?",
        "The ferry of {t} was launched on {v}.",
        ("4 March 1998", "4 June 1998"),
    ),
    "de": (
        "Wann wurde die Fähre von {t} eingeweiht?",
        "Die Fähre von {t} wurde am {v} eingeweiht.",
        ("4. März 1998", "4. Juni 1998"),
    ),
    "fr": (
        "Quand le bac de {t} a-t-il été inauguré ?",
        "Le bac de {t} a été inauguré le {v}.",
        ("4 mars 1998", "4 juin 1998"),
    ),
    "es": (
        "¿Cuándo fue inaugurado el transbordador de {t}?",
        "El transbordador de {t} fue inaugurado el {v}.",
        ("4 de marzo de 1998", "4 de junio de 1998"),
    ),
    "cs": (
        "Kdy byl otevřen přívoz {t}?",
        "Přívoz {t} byl otevřen {v}.",
        ("4. března 1998", "4. června 1998"),
    ),
}
PLACES: dict[str, tuple[str, str]] = {
    "en": ("Where is the archive of the {p} museum?", "The archive of the {p} museum is in {v}."),
    "de": ("Wo liegt das Archiv der Firma {p}?", "Das Archiv der Firma {p} liegt in {v}."),
    "fr": ("Où se trouve le siège de {p} ?", "Le siège de {p} se trouve à {v}."),
    "es": ("¿Dónde está la sede de {p}?", "La sede de {p} está en {v}."),
    "cs": ("Kde sídlí firma {p}?", "Firma {p} sídlí ve městě {v}."),
}
ANSWERS: dict[str, tuple[tuple[str, str, str, str, str], ...]] = {
    "en": (
        (
            "Is camping allowed on the beach of {t}?",
            "Camping is allowed on the beach of {t}.",
            "Camping is prohibited on the beach of {t}.",
            "allowed",
            "prohibited",
        ),
        (
            "Did the rents in {t} rise last year?",
            "The rents in {t} rose last year.",
            "The rents in {t} fell last year.",
            "rose",
            "fell",
        ),
    ),
    "de": (
        (
            "Ist Zelten am Strand von {t} erlaubt?",
            "Zelten ist am Strand von {t} erlaubt.",
            "Zelten ist am Strand von {t} verboten.",
            "erlaubt",
            "verboten",
        ),
    ),
    "fr": (
        (
            "Le camping est-il autorisé sur la plage de {t} ?",
            "Le camping est autorisé sur la plage de {t}.",
            "Le camping est interdit sur la plage de {t}.",
            "autorisé",
            "interdit",
        ),
    ),
    "es": (
        (
            "¿Está permitido acampar en la playa de {t}?",
            "Está permitido acampar en la playa de {t}.",
            "No está permitido acampar en la playa de {t}.",
            "Está permitido",
            "No está",
        ),
    ),
    "cs": (
        (
            "Je na pláži {t} povoleno stanování?",
            "Stanování je na pláži {t} povoleno.",
            "Stanování je na pláži {t} zakázáno.",
            "povoleno",
            "zakázáno",
        ),
    ),
}
TICKETS: dict[str, tuple[str, str, str]] = {
    "en": (
        "What do tickets for the zoo of {t} cost?",
        "An adult ticket for the zoo of {t} costs 14 euros.",
        "A child ticket for the zoo of {t} costs 6 euros.",
    ),
    "de": (
        "Was kosten Karten für den Zoo in {t}?",
        "Erwachsene zahlen im Zoo in {t} 14 Euro.",
        "Kinder zahlen im Zoo in {t} 6 Euro.",
    ),
    "fr": (
        "Combien coûte l'entrée du zoo de {t} ?",
        "Les adultes paient 14 euros au zoo de {t}.",
        "Les enfants paient 6 euros au zoo de {t}.",
    ),
    "es": (
        "¿Cuánto cuesta la entrada del zoo de {t}?",
        "Los adultos pagan 14 euros en el zoo de {t}.",
        "Los niños pagan 6 euros en el zoo de {t}.",
    ),
    "cs": (
        "Kolik stojí vstup do zoo {t}?",
        "Dospělí platí v zoo {t} 14 eur.",
        "Děti platí v zoo {t} 6 eur.",
    ),
}
TWO_YEARS: dict[str, tuple[str, str]] = {
    "en": ("How many inhabitants does {t} have?", "In {y} the town of {t} had {v} inhabitants."),
    "de": ("Wie viele Einwohner hat {t}?", "Im Jahr {y} hatte die Stadt {t} {v} Einwohner."),
    "fr": ("Combien d'habitants compte {t} ?", "En {y}, la ville de {t} comptait {v} habitants."),
    "es": ("¿Cuántos habitantes tiene {t}?", "En {y} la ciudad de {t} tenía {v} habitantes."),
    "cs": ("Kolik obyvatel má {t}?", "V roce {y} mělo město {t} {v} obyvatel."),
}
LENGTHS: dict[str, tuple[str, str, str, str]] = {
    "en": ("How long is the pier of {t}?", "The pier of {t} is {v} long.", "metres", "kilometres"),
    "de": (
        "Wie lang ist die Mole von {t}?",
        "Die Mole von {t} ist {v} lang.",
        "Meter",
        "Kilometer",
    ),
    "fr": (
        "Quelle est la longueur de la jetée de {t} ?",
        "La jetée de {t} est longue de {v}.",
        "mètres",
        "kilomètres",
    ),
    "es": (
        "¿Cuánto mide el muelle de {t}?",
        "El muelle de {t} mide {v} de largo.",
        "metros",
        "kilómetros",
    ),
    "cs": ("Jak dlouhé je molo {t}?", "Molo {t} je dlouhé {v}.", "metrů", "kilometrů"),
}
ABOUT = {"en": "about", "de": "rund", "fr": "environ", "es": "unos", "cs": "asi"}
FILLING = {
    "en": ("Markets are held every week.", "Many people come by train.", "The food is simple."),
    "de": ("Jede Woche findet ein Markt statt.", "Viele kommen mit dem Zug dorthin."),
    "fr": ("Un marché se tient chaque semaine.", "Beaucoup de gens viennent en train."),
    "es": ("Cada semana hay un mercado allí.", "Mucha gente llega en tren hasta aquí."),
    "cs": ("Každý týden se konají trhy.", "Mnoho lidí přijíždí vlakem do města."),
}


def planted(seed: int, count: int) -> list[Folder]:
    """`count` folders, languages and kinds in turn, half of them with a contradiction."""
    chance = random.Random(seed)
    found: list[Folder] = []
    for place in range(count):
        language = LANGUAGES[place % len(LANGUAGES)]
        row = place // len(LANGUAGES)
        kinds: tuple[Callable[[random.Random, str], Folder], ...] = FALSE if row % 2 else TRUE
        found.append(kinds[(row // 2 + place) % len(kinds)](chance, language))
    return found


def _folder(
    chance: random.Random,
    kind: str,
    language: str,
    question: str,
    told: tuple[str, str],
    sides: tuple[str, str] | None,
) -> Folder:
    pages = []
    for sentence in told:
        filling = chance.choice(FILLING[language])
        pages.append(chance.choice((f"{sentence} {filling}", f"{filling} {sentence}")))
    return Folder(kind, language, tuple(pages), question, sides)


def _count(chance: random.Random, language: str) -> Folder:
    question, one, two = chance.choice(COUNTS[language])
    town, value = chance.choice(TOWNS), chance.randrange(110, 900)
    other = value + chance.choice((-3, 2, 40, 87))
    told = (one.format(t=town, v=value), two.format(t=town, v=other))
    sides = (str(value), str(other))
    return _folder(chance, "count", language, question.format(t=town), told, sides)


def _year(chance: random.Random, language: str) -> Folder:
    question, one, two = YEARS[language]
    town, year = chance.choice(TOWNS), chance.randrange(1800, 1950)
    other = year + chance.choice((1, 4, 11))
    told = (one.format(t=town, v=year), two.format(t=town, v=other))
    sides = (str(year), str(other))
    return _folder(chance, "year", language, question.format(t=town), told, sides)


def _day(chance: random.Random, language: str) -> Folder:
    question, one, days = DAYS[language]
    town = chance.choice(TOWNS)
    told = (one.format(t=town, v=days[0]), one.format(t=town, v=days[1]))
    return _folder(chance, "day", language, question.format(t=town), told, days)


def _place(chance: random.Random, language: str) -> Folder:
    question, one = PLACES[language]
    person = chance.choice(PEOPLE)
    first, second = chance.sample(TOWNS, 2)
    told = (one.format(p=person, v=first), one.format(p=person, v=second))
    return _folder(chance, "place", language, question.format(p=person), told, (first, second))


def _answer(chance: random.Random, language: str) -> Folder:
    question, one, two, yes, no = chance.choice(ANSWERS[language])
    town = chance.choice(TOWNS)
    told = (one.format(t=town), two.format(t=town))
    return _folder(chance, "yes or no", language, question.format(t=town), told, (yes, no))


def _length(chance: random.Random, language: str) -> Folder:
    question, one, metres, _ = LENGTHS[language]
    town, value = chance.choice(TOWNS), chance.randrange(110, 900)
    other = value + chance.choice((7, 60))
    told = (one.format(t=town, v=f"{value} {metres}"), one.format(t=town, v=f"{other} {metres}"))
    sides = (str(value), str(other))
    return _folder(chance, "measure", language, question.format(t=town), told, sides)


def _others(chance: random.Random, language: str) -> Folder:
    question, one, _ = chance.choice(COUNTS[language])
    first, second = chance.sample(TOWNS, 2)
    told = (
        one.format(t=first, v=chance.randrange(110, 500)),
        one.format(t=second, v=chance.randrange(510, 900)),
    )
    both = question.format(t=f"{first} / {second}")
    return _folder(chance, "other things", language, both, told, None)


def _tickets(chance: random.Random, language: str) -> Folder:
    question, one, two = TICKETS[language]
    town = chance.choice(TOWNS)
    told = (one.format(t=town), two.format(t=town))
    return _folder(chance, "parts", language, question.format(t=town), told, None)


def _two_years(chance: random.Random, language: str) -> Folder:
    question, one = TWO_YEARS[language]
    town = chance.choice(TOWNS)
    told = (
        one.format(t=town, y=chance.randrange(1900, 1990), v=chance.randrange(2000, 4000)),
        one.format(t=town, y=chance.randrange(2001, 2025), v=chance.randrange(5000, 9000)),
    )
    return _folder(chance, "two years", language, question.format(t=town), told, None)


def _units(chance: random.Random, language: str) -> Folder:
    question, one, metres, kilometres = LENGTHS[language]
    town, value = chance.choice(TOWNS), chance.randrange(2, 9)
    told = (
        one.format(t=town, v=f"{value} {kilometres}"),
        one.format(t=town, v=f"{value}000 {metres}"),
    )
    return _folder(chance, "units", language, question.format(t=town), told, None)


def _rounded(chance: random.Random, language: str) -> Folder:
    question, one, two = chance.choice(COUNTS[language])
    town, value = chance.choice(TOWNS), chance.randrange(12_001, 12_499)
    told = (
        one.format(t=town, v=value),
        two.format(t=town, v=f"{ABOUT[language]} 12 000"),
    )
    return _folder(chance, "rounded", language, question.format(t=town), told, None)


def _grouped(chance: random.Random, language: str) -> Folder:
    question, one, two = chance.choice(COUNTS[language])
    town, value = chance.choice(TOWNS), chance.randrange(12_001, 99_999)
    mark = "," if language == "en" else "."
    told = (
        one.format(t=town, v=f"{value:,}".replace(",", mark)),
        two.format(t=town, v=f"{value:,}".replace(",", " ")),
    )
    return _folder(chance, "grouping", language, question.format(t=town), told, None)


TRUE = (_count, _year, _day, _place, _answer, _length)
FALSE = (_others, _tickets, _two_years, _units, _rounded, _grouped)


def right(folder: Folder) -> bool:
    """Whether the panel finds the folder's contradiction, or none where there is none."""
    with tempfile.TemporaryDirectory() as place:
        pages = {f"{n}.md": f"# Notes {n}\n\n{text}\n" for n, text in enumerate(folder.pages)}
        verdict = whole_run(folder.question, folder_of(Path(place), pages)).verdict
    told = [" ".join(s["stance"] for s in c["stances"]) for c in verdict["contradictions"]]
    if folder.sides is None:
        return not told
    return any(all(side in text for side in folder.sides) for text in told)


def bundled() -> Iterator[bool]:
    """For each question about the bundled corpus, whether no contradiction is told."""
    asked = files("fusion_graph.evals").joinpath("offline_questions.jsonl")
    for line in asked.read_text(encoding="utf-8").splitlines():
        yield not whole_run(json.loads(line)["question"], BUNDLED).verdict["contradictions"]


def main(seed: int, count: int) -> None:
    """Print the table of kinds and languages, and the totals."""
    good: Counter[tuple[str, bool]] = Counter()
    every: Counter[tuple[str, bool]] = Counter()
    for folder in planted(seed, count):
        well, holds = right(folder), folder.sides is not None
        if not well:
            print("wrong:", folder.kind, folder.language, *folder.pages, sep="\n    ")
        for row in (folder.kind, folder.language, "all"):
            every[row, holds] += 1
            good[row, holds] += well
    print("| | contradictions found | false alarms |\n|---|---|---|")
    for row in dict.fromkeys(name for name, _ in every):
        found, false = every[row, True], every[row, False]
        print(
            f"| {row} | {f'{good[row, True]} of {found}' if found else ''} | "
            f"{f'{false - good[row, False]} of {false}' if false else ''} |"
        )
    quiet = list(bundled())
    print(f"\nBundled corpus: {quiet.count(False)} false alarms in {len(quiet)} questions.")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [SEED, COUNT][len(given) :]))
