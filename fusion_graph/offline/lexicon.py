"""The few words the offline models know: which to ignore, which say the same, which deny."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP = _words(
    "a about above across after again against ago all almost along already also although always am "
    "among an and another any anyone anything are around as at away back be became because become "
    "been before being below between both but by called can cannot come could did do does doing "
    "done down during each either else enough etc even ever every everyone everything few for from "
    "further get gets getting give given gives go goes going got had has have having he hence her "
    "happen happened happens here hers "
    "herself him himself his how however i if in indeed instead into is it its itself "
    "just keep kind know known least less let like lot made make makes making many may maybe me "
    "might mine more most mostly much must my myself need needs neither never next no nobody none "
    "nor not nothing now of off often on once one only onto or other others otherwise ought our "
    "ours out over own people per perhaps please put quite rather really said same say says "
    "seem seems several shall she should since so some someone something sometimes somewhat soon "
    "still such sure take takes tell tells than that the their theirs them themselves then there "
    "therefore these they thing things think this those though through thus to today together too "
    "toward towards under unless until up upon us use used uses using usually very via want wants "
    "was way we well went were what whatever when whenever where whereas wherever whether which "
    "while who whoever whole whom whose why will with within without would yes yet you your yours "
    "yourself explain describe give list summarise summarize compare d ll m re s t ve"
)
"""English words that say nothing about a subject."""

GLUE = _words(
    "a an the do does did is are was were be been to of in on at by i we you they he she it my our "
    "your their its his her should would could can may might must will shall than as for with and "
    "or s there that this please"
)
"""Words that may stand between two others without parting them: "use a panel" is use + panel."""

FOREIGN_STOP = {
    "de": _words(
        "der die das den dem des ein eine einer eines einem einen und oder aber ist sind war wird "
        "werden wie was wer wo wann warum welche welcher welches viel viele lange soll sollte kann "
        "man ich wir sie er es nicht kein keine mit von zu zum zur im in auf für bei als auch nur "
        "noch um aus nach über hat haben dass sich"
    ),
    "fr": _words(
        "le la les un une des du de et ou est sont que qui quoi quel quelle quels quelles combien "
        "comment pourquoi quand dans sur pour par avec sans ne pas plus au aux ce cette ces il "
        "elle on nous vous ils elles se son sa ses faut doit être a ont"
    ),
    "es": _words(
        "el la los las un una unos unas de del y o es son que qué quién cuál cuáles cuánto cuánta "
        "cuántos cómo por para con sin no más en al se su sus lo le debe hay ser está cuando "
        "cuándo dónde"
    ),
    "it": _words(
        "il lo la i gli le un uno una di del della dei e o è sono che chi quale quali quanto come "
        "perché quando dove per con senza non più in al si su deve essere ha hanno"
    ),
    "pt": _words(
        "o a os as um uma de do da dos das e ou é são que quem qual quais quanto como por para com "
        "sem não mais em ao se sua seu deve ser está quando onde"
    ),
    "nl": _words(
        "de het een en of is zijn was wat wie waar wanneer waarom welke hoe veel lang moet kan ik "
        "we ze hij niet geen met van te op voor bij als ook nog om uit naar over heeft hebben "
        "dat"
    ),
}
"""Stop words of other languages; a list counts only where two of its words stand together."""

NEGATIONS = _words(
    "no not never none nobody nothing neither nor cannot without hardly kein keine nicht nie "
    "niemals ohne aucun jamais sans nunca jamás sin não nem senza mai geen niet не нет"
)
"""Words that turn a statement round; `n't` is read as `not`."""

RELATED = (
    "cost price expensive fee bill charge dear spend",
    "cheap inexpensive affordable",
    "long duration timeout deadline wait grace",
    "slow late delay latency",
    "fast quick speed rapid",
    "beat outperform exceed better win best surpass match",
    "benefit advantage help gain improve improvement lift",
    "drawback disadvantage downside weakness harm waste",
    "panel panelist",
    "judge jury",
    "single solo alone lone",
    "score grade rate mark point",
    "see show hide hidden reveal",
    "risk danger hazard unsafe",
    "start begin open found launch",
    "end stop finish close",
    "big large size",
    "small little tiny",
    "error mistake fault wrong",
    "safe secure safety",
    "prevent protect guard defend",
    "broken invalid malformed truncated repair",
)
"""Groups of words that a question and its answer may use for one another."""

OPPOSITES = (
    ("more", "less"),
    ("more", "fewer"),
    ("most", "least"),
    ("higher", "lower"),
    ("highest", "lowest"),
    ("faster", "slower"),
    ("better", "worse"),
    ("best", "worst"),
    ("cheaper", "dearer"),
    ("larger", "smaller"),
    ("stronger", "weaker"),
    ("above", "below"),
    ("before", "after"),
    ("increase", "decrease"),
    ("increases", "decreases"),
    ("increased", "decreased"),
    ("rises", "falls"),
    ("rose", "fell"),
    ("safe", "unsafe"),
    ("safe", "dangerous"),
    ("allowed", "forbidden"),
    ("legal", "illegal"),
    ("possible", "impossible"),
    ("open", "closed"),
)
"""Pairs of which one in each of two otherwise equal sentences makes them contradict."""

DENIAL = "\u00ac"
"""Stands for any word that denies, as a term of questions like "when should I not …"."""

VERBS = _words("use need help work make")
"""Verbs too common to look for, unless the question has little else ("not use a panel")."""

NUMBERED = _words("arxiv version no number step chapter section status http page figure")
"""Words before a number that is a name, not a figure."""

AVOIDANCE = "avoid enough instead waste unnecessary"
"""What pages say where a question asks when *not* to do something."""

MONTHS = _words(
    "january february march april may june july august september october november december"
)

NUMBER_WORDS = {
    "two": 2.0,
    "three": 3.0,
    "four": 4.0,
    "five": 5.0,
    "six": 6.0,
    "seven": 7.0,
    "eight": 8.0,
    "nine": 9.0,
    "ten": 10.0,
    "eleven": 11.0,
    "twelve": 12.0,
    "twenty": 20.0,
    "thirty": 30.0,
    "forty": 40.0,
    "fifty": 50.0,
    "sixty": 60.0,
    "hundred": 100.0,
}
"""Numbers written out. "One" is left out: it is a pronoun more often than a figure."""

FACTORS = {"twofold": 2.0, "threefold": 3.0, "fourfold": 4.0, "fivefold": 5.0, "tenfold": 10.0}
"""Figures that carry their unit with them: times."""

UNITS: dict[str, tuple[str, float]] = {
    "%": ("percent", 1.0),
    "percent": ("percent", 1.0),
    "percentage": ("percent", 1.0),
    "prozent": ("percent", 1.0),
    "times": ("times", 1.0),
    "fold": ("times", 1.0),
    "x": ("times", 1.0),
    "millisecond": ("time", 0.001),
    "ms": ("time", 0.001),
    "second": ("time", 1.0),
    "sec": ("time", 1.0),
    "minute": ("time", 60.0),
    "min": ("time", 60.0),
    "hour": ("time", 3600.0),
    "day": ("time", 86_400.0),
    "week": ("time", 604_800.0),
    "month": ("time", 2_629_800.0),
    "year": ("time", 31_557_600.0),
    "dollar": ("dollar", 1.0),
    "$": ("dollar", 1.0),
    "usd": ("dollar", 1.0),
    "cent": ("dollar", 0.01),
    "euro": ("euro", 1.0),
    "€": ("euro", 1.0),
    "eur": ("euro", 1.0),
    "pound": ("pound", 1.0),
    "£": ("pound", 1.0),
    "millimetre": ("length", 0.001),
    "mm": ("length", 0.001),
    "centimetre": ("length", 0.01),
    "cm": ("length", 0.01),
    "metre": ("length", 1.0),
    "meter": ("length", 1.0),
    "km": ("length", 1000.0),
    "kilometre": ("length", 1000.0),
    "kilometer": ("length", 1000.0),
    "gram": ("mass", 0.001),
    "kg": ("mass", 1.0),
    "kilogram": ("mass", 1.0),
    "tonne": ("mass", 1000.0),
    "degree": ("degree", 1.0),
    "point": ("point", 1.0),
}
"""Singular unit → the kind of quantity, and how much of its base one is."""

MULTIPLES = {"thousand": 1e3, "million": 1e6, "billion": 1e9}

ASKS_FOR = (
    (r"\bhow (?:much|many) (?:more|less|longer|faster|slower)\b", "times percent"),
    (r"\bhow (?:long|soon|quick\w*|fast)\b|\btimeouts?\b|\bdeadlines?\b", "time"),
    (r"\bcosts?\b|\bprices?\b|\bexpensive\b|\bcheap\w*\b", "dollar euro pound times percent"),
    (r"\bhow (?:far|tall|high|wide|deep)\b", "length"),
    (r"\bhow (?:heavy|much does .* weigh)\b", "mass"),
    (r"\bhow (?:often|likely)\b|\bshare\b|\brate\b", "percent times"),
    (r"\b(?:what|which|highest|best|how high an?) scores?\b|\bpoints\b", "point percent"),
)
"""Patterns of questions → the kinds of quantity that would answer them."""

SEARCH_WORDS = {
    "time": "seconds minutes hours",
    "dollar": "cost dollars",
    "euro": "euros",
    "times": "times",
    "percent": "percent",
    "point": "points",
    "length": "metres kilometres",
    "mass": "kilograms",
}
"""Words that find pages with figures of a kind."""
