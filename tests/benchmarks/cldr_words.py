"""Write the words for months, units and scales of many languages from Unicode CLDR.

    python -m tests.benchmarks.cldr_words > fusion_graph/evidence/data/cldr.json

CLDR comes with Babel (which the extraction of pages needs anyway); `fusion_graph` itself reads
only the file. CLDR is under the Unicode Licence V3.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from typing import Any

LOCALES = """
en de fr es it pt nl sv da nb fi pl cs sk sl hr sr bg ru uk be lt lv et hu ro el tr az ar he fa ur
hi bn mr ta te gu kn ml pa zh zh_Hant ja ko th vi id ms fil sw ca eu gl is ga cy sq mk ka hy kk uz
am ne si km lo my mn af
"""

UNITS = {
    "duration-year": "year",
    "duration-month": "month",
    "duration-week": "week",
    "duration-day": "day",
    "duration-hour": "h",
    "duration-minute": "min",
    "duration-second": "s",
    "duration-millisecond": "ms",
    "length-kilometer": "km",
    "length-meter": "m",
    "length-centimeter": "cm",
    "length-millimeter": "mm",
    "length-mile": "mi",
    "length-foot": "ft",
    "length-inch": "in",
    "mass-kilogram": "kg",
    "mass-gram": "g",
    "mass-milligram": "mg",
    "mass-microgram": "µg",
    "mass-tonne": "t",
    "mass-metric-ton": "t",
    "volume-liter": "l",
    "volume-milliliter": "ml",
    "area-hectare": "ha",
    "area-square-kilometer": "km2",
    "area-square-meter": "m2",
    "volume-cubic-meter": "m3",
    "energy-kilowatt-hour": "kWh",
    "power-watt": "W",
    "power-kilowatt": "kW",
    "power-megawatt": "MW",
    "concentr-percent": "%",
}


SHORT = """
jahr tag tage mes mois jour ans anno anni ano anos dia dias rok roku roky lat lata jaar dag år saat
gün mln mld mrd mil mille tys tun
"""
"""Short ASCII words that are kept; the others (`let`, `time`, `stop`) are English words too."""


def folded(word: str) -> str:
    return unicodedata.normalize("NFKC", word).casefold().strip(" .\u200e\u200f")


def single(pattern: str) -> str | None:
    """The one word of a pattern such as `{0} Kilometer`."""
    word = folded(re.sub(r"\{0\}|0+", " ", pattern))
    if not word or len(word) < 2 or re.search(r"[\s\d{}()'¤/·-]", word):
        return None
    return word if not word.isascii() or len(word) > 4 or word in SHORT.split() else None


def tables() -> dict[str, dict[str, Any]]:
    from babel import Locale

    months: dict[str, set[int]] = {}
    units: dict[str, str] = {}
    scales: dict[str, int] = {}
    for name in LOCALES.split():
        locale = Locale.parse(name)
        for use in ("format", "stand-alone"):
            for number, word in locale.months[use]["wide"].items():
                word = folded(word)
                if re.fullmatch(r"[^\W\d]{3,}", word):
                    months.setdefault(word, set()).add(number)
        for unit, symbol in UNITS.items():
            forms = locale._data["unit_patterns"].get(unit, {}).get("long", {})
            for form in forms.values():
                word = single(form) if isinstance(form, str) else None
                if word and len(word) > 2 and units.setdefault(word, symbol) != symbol:
                    print(f"{name}: {word} is {units[word]} and {symbol}", file=sys.stderr)
        for length in ("long", "short"):
            for powers in locale._data["compact_decimal_formats"][length].values():
                for power, form in powers.items():
                    pattern = getattr(form, "pattern", str(form))
                    word = single(pattern)
                    exponent = len(str(power)) - 1 - (pattern.count("0") - 1)
                    if word and exponent >= 3 and scales.setdefault(word, exponent) != exponent:
                        print(f"{name}: {word} 10^{scales[word]}, 10^{exponent}", file=sys.stderr)
    return {
        "months": {word: sorted(numbers) for word, numbers in sorted(months.items())},
        "units": dict(sorted(units.items())),
        "scales": dict(sorted(scales.items())),
    }


if __name__ == "__main__":
    print(json.dumps(tables(), ensure_ascii=False, indent=0))
