"""Figures read out of a text: numbers with the signs, units and currencies around them."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from decimal import Decimal

from fusion_graph.evidence._figures import Figure
from fusion_graph.evidence._measures import (
    CURRENCY_CODES,
    CURRENCY_MARKS,
    CURRENCY_WORDS,
    SHORT_SCALES,
    unit_of,
)
from fusion_graph.evidence._number_reader import Number, NumberReader


class FigureReader(NumberReader):
    """Reads the figures of one text."""

    def figure_at(self, at: int) -> tuple[Figure, int] | None:
        """The figure that begins at a word, and the word after it; None where none begins."""
        start, negative, currency = at, False, ""
        at, negative = self._sign(at)
        at, currency = self._currency_before(at)
        if currency and not negative:
            at, negative = self._sign(at)
        number = self.number_at(at)
        if number is None:
            return None
        figure, at = self._measured(number, start, currency, negative)
        other = self._range_end(figure, at)
        if other is not None:
            figure, at = other
        return figure, at

    # --- sign, currency

    def _sign(self, at: int) -> tuple[int, bool]:
        word, after = self._word(at), self._word(at + 1)
        if word is None or after is None:
            return at, False
        if word.kind == "sign" and word.text in "-+" and not word.glued:
            near = after.glued or (self._raw(at) == "\u2212" and after.kind == "number")
            if near and (after.kind == "number" or after.text in CURRENCY_MARKS):
                return at + 1, word.text == "-"
        if word.text == "minus" and self.number_at(at + 1) is not None:
            return at + 1, True
        return at, False

    def _currency_before(self, at: int) -> tuple[int, str]:
        word = self._word(at)
        if word is None:
            return at, ""
        after = self._word(at + 1)
        if word.text in CURRENCY_MARKS:
            amount = after is not None and (after.kind == "number" or after.kind == "sign")
            return (at + 1, CURRENCY_MARKS[word.text]) if amount else (at, "")
        if after is not None and after.text in CURRENCY_MARKS and after.glued:
            code = _DOLLARS.get(word.text + after.text)
            amount_after = self._word(at + 2)
            if code and amount_after is not None and amount_after.kind == "number":
                return at + 2, code
        if after is not None and after.kind == "number" and not after.breaks:
            raw = self._raw(at)
            if raw in CURRENCY_CODES:
                return at + 1, "CNY" if raw == "RMB" else raw
            if raw in ("Rs", "CHF", "Kč", "Fr"):
                return at + 1, {"Rs": "INR", "Kč": "CZK"}.get(raw, "CHF")
        return at, ""

    # --- units and ranges

    def _measured(
        self, number: Number, start: int, currency: str, negative: bool
    ) -> tuple[Figure, int]:
        at, scale = number.end, number.scale
        value, others, step = number.value, number.others, number.step
        word = self._word(at)
        if currency and not scale and word is not None and not word.breaks:
            short = SHORT_SCALES.get(word.text) if word.kind == "word" else None
            if short:  # $3.5m, $3.5 m
                ten = Decimal(10) ** short
                value, step, scale = value * ten, step * ten, short
                others, at = tuple(n * ten for n in others), at + 1
        unit = ""
        if not number.ordinal and not number.decade:
            if not currency:
                currency, at = self._currency_after(at)
            if not currency:
                unit, at = self._unit(at)
        if negative:
            value, others = -value, tuple(-n for n in others)
        if number.fraction and abs(value) < 1:
            value = value.quantize(Decimal("0.0001"))
        return (
            Figure(
                value,
                value,
                self._words[start].start,
                self._words[at - 1].end,
                unit,
                currency,
                scale,
                "",
                number.ordinal,
                number.decade,
                step,
                others,
                number.worded,
            ),
            at,
        )

    def _currency_after(self, at: int) -> tuple[str, int]:
        word = self._word(at)
        if word is None or word.breaks:
            return "", at
        if word.text == "-" and word.glued and self._word(at + 1) is not None:
            word, at = self._words[at + 1], at + 1
            if word.text not in CURRENCY_WORDS:
                return "", at - 1
        if word.text in CURRENCY_MARKS:
            after = self._word(at + 1)
            if after is not None and after.kind == "number" and after.glued and not word.glued:
                return "", at  # the mark belongs to the next number
            return CURRENCY_MARKS[word.text], at + 1
        if word.text == "us" and self._is(at + 1, "dollars", "dollar", "$"):
            return "USD", at + 2
        if word.text in ("元", "円", "원"):
            return {"元": "CNY", "円": "JPY", "원": "KRW"}[word.text], at + 1
        if word.kind != "word":
            return "", at
        if self._raw(at) in CURRENCY_CODES:
            return self._raw(at), at + 1
        if word.text == "de" and self._is(at + 1, *CURRENCY_WORDS):  # 3 millones de euros
            return CURRENCY_WORDS[self._words[at + 1].text], at + 2
        code = CURRENCY_WORDS.get(word.text)
        return (code, at + 1) if code else ("", at)

    def _unit(self, at: int) -> tuple[str, int]:
        unit, end = self._simple_unit(at)
        if not unit:
            return "", at
        after = self._word(end)
        if after is not None and not after.breaks:
            slashed = self._gap(end) == "/"
            if slashed or after.text in ("per", "pro", "par", "por"):
                below, below_end = self._simple_unit(end + (not slashed))
                if below and unit != "%":
                    return {"mi/h": "mph"}.get(f"{unit}/{below}", f"{unit}/{below}"), below_end
        return unit, end

    def _simple_unit(self, at: int) -> tuple[str, int]:
        word = self._word(at)
        if word is None or word.breaks:
            return "", at
        if word.text == "-" and word.glued:
            after = self._word(at + 1)
            if after is None or not after.glued or after.kind != "word":
                return "", at
            unit, end = self._simple_unit(at + 1)
            return (unit, end) if unit else ("", at)
        pair = self._pair(at)
        if pair is not None:
            return pair, at + 2
        if word.text in ("%", "‰"):
            return word.text, at + 1
        if word.text in ("℃", "°c", "℉", "°f"):
            return ("°C" if "c" in word.text or word.text == "℃" else "°F"), at + 1
        if word.text in ("°", "degrees", "degree", "º"):
            return _DEGREES.get(self._text_at(at + 1), ("°", 0))[0], at + 1 + (
                self._text_at(at + 1) in _DEGREES
            )
        if word.kind == "letter":
            return self._letters_unit(at)
        if word.kind != "word":
            return "", at
        return self._word_unit(at)

    def _word_unit(self, at: int) -> tuple[str, int]:
        word = self._words[at]
        if word.text in ("square", "sq", "cubic"):
            plain, after_plain = self._simple_unit(at + 1)
            raised = "3" if word.text == "cubic" else "2"
            return (plain + raised, after_plain) if plain else ("", at)
        raw = word.text if self._shouts else self._raw(at)  # 63 M OVER 11 YEARS
        unit = unit_of(unicodedata.normalize("NFKC", raw), word.text)
        if unit is None:
            return "", at
        end = at + 1
        after = self._word(end)
        if after is not None and after.glued and after.kind == "power":
            return unit + after.text, end + 1
        if self._is(end, "^") and self._is(end + 1, "2", "3"):
            return unit + self._words[end + 1].text, end + 2
        return unit, end

    def _letters_unit(self, at: int) -> tuple[str, int]:
        joined, found = "", ("", at)
        for end in range(at, min(at + 12, len(self._words))):
            word = self._words[end]
            if word.kind != "letter" or (end > at and not word.glued):
                break
            joined += word.text
            unit = unit_of(joined, joined)
            if unit and len(joined) > 1:
                found = unit, end + 1
        return found

    def _pair(self, at: int) -> str | None:
        one, two = self._word(at), self._word(at + 1)
        return None if one is None or two is None else _PAIRS.get((one.text, two.text))

    def _text_at(self, at: int) -> str:
        word = self._word(at)
        return "" if word is None or word.breaks else word.text

    def _range_end(self, figure: Figure, at: int) -> tuple[Figure, int] | None:
        word = self._word(at)
        if word is None or word.breaks or figure.ordinal or figure.decade:
            return None
        after = self._word(at + 1)
        if after is None or after.breaks:
            return None
        dash = word.kind == "sign" and word.text == "-" and after.glued == word.glued
        between = word.text == "and" and self._says_between(figure)
        if not dash and not between and (word.text not in _TO or self._says_from(figure)):
            return None
        start = at + 1
        start, currency = self._currency_before(start)
        number = self.number_at(start)
        if number is None or number.ordinal or number.decade or number.fraction:
            return None
        if dash and self._is(number.end, "-") and self._words[number.end].glued:
            return None  # 555-1234-99 is no range
        last, end = self._measured(number, at + 1, currency or figure.currency, False)
        if figure.unit and figure.unit != last.unit:
            return None
        if figure.currency and last.currency and figure.currency != last.currency:
            return None
        first = figure.first
        scale = figure.scale
        if not figure.scale and last.scale and abs(first) < 1000 and not figure.worded:
            first, scale = first * Decimal(10) ** last.scale, last.scale
        return (
            replace(
                last,
                first=first,
                start=figure.start,
                currency=last.currency or figure.currency,
                scale=max(scale, last.scale),
                others=(),
            ),
            end,
        )

    def _says_from(self, figure: Figure) -> bool:
        """Whether it is a change that is told, from one figure to another, and no range."""
        before = self._text[max(0, figure.start - 6) : figure.start].casefold().rstrip(" $€£¥")
        return before.endswith(_FROM)

    def _says_between(self, figure: Figure) -> bool:
        before = self._text[max(0, figure.start - 9) : figure.start].casefold()
        return before.rstrip(" $€£¥").endswith("between")


_FROM = ("from", "von", " de", "desde", " da", " od", "от", "från", "fra", "van")

_TO = frozenset(["to", "bis", "à", "до", "til", "till", "-", "~", "至", "到"])

_DOLLARS = {
    "us$": "USD",
    "a$": "AUD",
    "au$": "AUD",
    "c$": "CAD",
    "ca$": "CAD",
    "hk$": "HKD",
    "nz$": "NZD",
    "s$": "SGD",
    "nt$": "TWD",
    "r$": "BRL",
    "mx$": "MXN",
    "cn¥": "CNY",
}

_DEGREES = {
    "c": ("°C", 1),
    "f": ("°F", 1),
    "celsius": ("°C", 1),
    "centigrade": ("°C", 1),
    "fahrenheit": ("°F", 1),
}

_PAIRS = {
    ("per", "cent"): "%",
    ("pour", "cent"): "%",
    ("por", "ciento"): "%",
    ("por", "cento"): "%",
    ("per", "cento"): "%",
    ("per", "mille"): "‰",
    ("percentage", "point"): "pp",
    ("percentage", "points"): "pp",
    ("percent", "points"): "pp",
    ("%", "points"): "pp",
    ("puntos", "porcentuales"): "pp",
    ("pontos", "percentuais"): "pp",
    ("punti", "percentuali"): "pp",
    ("процентных", "пунктов"): "pp",
    ("процентных", "пункта"): "pp",
    ("punktów", "procentowych"): "pp",
    ("procentních", "bodů"): "pp",
    ("basis", "point"): "bp",
    ("basis", "points"): "bp",
    ("light", "years"): "ly",
    ("nautical", "miles"): "nmi",
    ("degrees", "celsius"): "°C",
    ("degrees", "fahrenheit"): "°F",
    ("kilowatt", "hours"): "kWh",
    ("metric", "tons"): "t",
    ("metric", "tonnes"): "t",
}
