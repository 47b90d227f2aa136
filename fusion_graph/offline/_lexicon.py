"""The few words the offline models know: which to ignore, which say the same, which deny."""

from __future__ import annotations

import re


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

ALL_STOPS = STOP.union(
    *FOREIGN_STOP.values(),
    _words(
        "a i v ve na do za od o u z ze s se si je jsou byl byla bylo byli být mít má mají roku "
        "který která které kolik kdy kde kdo jak jaký pro při po že to ten ta jeho její podle co "
        "wurde wurden worden hatte hatten laut zufolge été était avait selon fue ser sido tenía "
        "estaba está están según ve mělo měla měl"
    ),
)
"""The stop words of all languages that are known, those of Czech too."""

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

OPPOSITES = frozenset(
    frozenset((one, two))
    for line in """
    teurer teuer|billiger billig günstiger günstig
    gestiegen stieg steigt stiegen|gesunken sank sinkt sanken gefallen fiel fällt fielen
    größer|kleiner
    höher|niedriger tiefer
    schneller|langsamer
    mehr|weniger
    geöffnet offen|geschlossen
    immer|nie niemals
    besser|schlechter
    länger|kürzer
    kostenlos gratis|kostenpflichtig
    cher chère|économique
    augmenté monté augmente|baissé diminué baisse diminue
    ouvert ouverte ouverts ouvertes|fermé fermée fermés fermées
    plus|moins
    meilleur mieux|pire
    gratuit gratuite|payant payante
    toujours|jamais
    haut haute|bas basse
    caro cara|barato barata
    subió aumentó sube aumenta|bajó disminuyó cayó baja disminuye
    abierto abierta abiertos abiertas|cerrado cerrada cerrados cerradas
    más|menos
    mejor|peor
    siempre|nunca
    gratuito gratuita gratis|pago
    dražší drahý drahá|levnější levný levná
    vzrostl vzrostla vzrostlo vzrostly stoupl stoupla roste|klesl klesla kleslo klesly klesá
    otevřen otevřena otevřeno otevřený|zavřen zavřena zavřeno zavřený uzavřen uzavřena uzavřeno
    více víc|méně
    lepší|horší
    vyšší|nižší
    rychlejší|pomalejší
    expensive dearer dear costlier|cheap cheaper
    """.strip().splitlines()
    for left, right in [line.split("|")]
    for one in left.split()
    for two in right.split()
)
"""Opposites of other languages than English, whose own stand with the difference."""

ALLOWS = _words(
    "may allowed allow allows permitted permit permits permissible welcome erlaubt gestattet darf "
    "dürfen zulässig autorisé autorisée autorisés autorisées permis permise permitido permitida "
    "permitidos permitidas autorizado povolen povolena povoleno povoleny povolený povolené smí "
    "smějí permesso permessa permessi toegestaan разрешено разрешён разрешены "
    "允许 可以 準許 准许"
)
FORBIDS = _words(
    "forbidden forbid forbids prohibited prohibit prohibits banned disallowed verboten untersagt "
    "unzulässig interdit interdite interdits interdites prohibido prohibida prohibidos prohibidas "
    "zakázán zakázána zakázáno zakázány zakázaný zakázané nesmí nesmějí vietato vietata vietati "
    "proibido proibida verboden запрещено запрещён запрещены 禁止 不准 严禁"
)
"""Words of what may be done and what may not, in whatever form the verbs stand."""

SPACELESS_DENIALS = ("不", "没", "沒", "無", "无", "未", "ない", "ません", "않", "없")

CONDITIONS = _words(
    "if unless without except only during until when ohne außer nur wenn falls sans sauf si "
    "seulement pendant sin salvo excepto solo sólo durante bez kromě pouze jen pokud když "
    "monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays "
    "thursdays fridays saturdays sundays weekends winter summer spring autumn night day"
)
"""Words that set when or how far a statement holds; with others it is another statement."""

BREAKS = _words(
    "and but while whereas which that who und aber während et mais tandis y pero mientras že ale"
)
"""Words at which a clause begins."""

ONLY_CZECH = frozenset("ěřů")
"""Letters that tell Czech, in which "a" is "and"."""

GENERIC = _words(
    "taking taken visitor visitors guest guests people persons person buyers customers stand "
    "stands stood measure measures hold holds report reports reported found finds shows state "
    "states says "
    "exactly currently total whole new old official officially high long tall wide deep year years "
    "count counts comprise comprises comprising consist consists contain contains accommodate "
    "accommodates number numbers amount amounts according total altogether inventory survey "
    "besucher gäste beträgt liegt zählt umfasst insgesamt derzeit besitzt verfügt genau hoch lang "
    "jahr visiteurs mesure compte comporte possède total année visitantes mide tiene cuenta posee "
    "año návštěvníci měří činí čítá celkem rok letech vysoký vysoká dlouhý dlouhá"
)
"""Words without which a sentence is about the same: of being, having, measuring, telling."""

DESIGNATED = _words(
    "arxiv version no number step chapter section status http page figure item shelf village line "
    "platform room gate bus route table grade class type model level phase lot part linie halle "
    "gleis kapitel seite ligne salle línea sala linka sál"
)
"""Words after which a number is a name, not a count."""

DONE_ONCE = _words(
    "opened completed finished founded established born died built launched inaugurated discovered "
    "invented abolished eröffnet gegründet geboren gestorben erbaut fertiggestellt vollendet "
    "ouvert ouverte fondé fondée né née mort construit construite achevé achevée inauguré "
    "inaugurée "
    "inaugurado inaugurada fundado fundada abierto abierta construido construida terminado "
    "terminada nació murió "
    "otevřen otevřena otevřeno založen založena založeno postaven postavena postaveno narozen "
    "dokončen dokončena dokončeno zemřel"
)
"""What is done to a thing once, so that two years of it contradict."""

WHEN = re.compile(
    r"\b(?:when|what year|which year|how old|wann|seit wann|welche[ms]? jahr|quand|quelle année"
    r"|cuándo|qué año|kdy|kterém roce|quando|wanneer|когда)\b|什么时候|何时|哪年|いつ|언제",
)
WHO_OR_WHERE = re.compile(
    r"\b(?:who|whom|whose|where|which|what (?:is|are|was|were) the|wer|wem|wen|wo|woher|wohin"
    r"|welche[rsnm]?|qui|où|quel(?:le)?s?|quién|dónde|cuál|qué|kdo|kde|kam|který|která|které|jak se"
    r"|chi|dove|quem|onde|wie|waar|кто|где)\b",
)
"""Questions that a time, a person or a place answers."""

DENIAL = "\u00ac"
"""Stands for any word that denies, as a term of questions like "when should I not …"."""

VERBS = _words("use need help work make")
"""Verbs too common to look for, unless the question has little else ("not use a panel")."""

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
