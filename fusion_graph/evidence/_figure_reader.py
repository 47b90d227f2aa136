"""Figures read out of a text: numerals and number words, with what stands around them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from fusion_graph.evidence._figures import Figure
from fusion_graph.evidence._measures import (
    CURRENCY_CODES,
    CURRENCY_MARKS,
    CURRENCY_WORDS,
    SHORT_SCALES,
    scale_of,
    unit_of,
)
from fusion_graph.evidence._negations import number_of
from fusion_graph.evidence._number_words import (
    DOZEN,
    FRACTIONS,
    HUNDREDS,
    ORDINALS,
    SMALL,
    TENS,
)
from fusion_graph.evidence._numerals import numeral_value
from fusion_graph.evidence._words import Word


@dataclass(frozen=True, slots=True)
class _Number:
    value: Decimal
    end: int
    step: Decimal
    others: tuple[Decimal, ...] = ()
    worded: bool = False
    scale: int = 0
    ordinal: bool = False
    decade: bool = False
    fraction: bool = False


class FigureReader:
    """Reads the figures of one text."""

    def __init__(
        self, words: Sequence[Word], text: str, language: str, *, shouts: bool = False
    ) -> None:
        self._words = words
        self._text = text
        self._language = language
        self._shouts = shouts
        self._english = language == "en"

    def figure_at(self, at: int) -> tuple[Figure, int] | None:
        """The figure that begins at a word, and the word after it; None where none begins."""
        start, negative, currency = at, False, ""
        at, negative = self._sign(at)
        at, currency = self._currency_before(at)
        if currency and not negative:
            at, negative = self._sign(at)
        number = self._number(at)
        if number is None:
            return None
        figure, at = self._measured(number, start, currency, negative)
        other = self._range_end(figure, at)
        if other is not None:
            figure, at = other
        return figure, at

    # --- small helpers over the words

    def _word(self, at: int) -> Word | None:
        return self._words[at] if 0 <= at < len(self._words) else None

    def _is(self, at: int, *texts: str) -> bool:
        word = self._word(at)
        return word is not None and word.text in texts

    def _raw(self, at: int) -> str:
        word = self._words[at]
        return self._text[word.start : word.end]

    def _gap(self, at: int) -> str:
        """What stands between a word and the one before."""
        return self._text[self._words[at - 1].end : self._words[at].start]

    # --- sign, currency

    def _sign(self, at: int) -> tuple[int, bool]:
        word, after = self._word(at), self._word(at + 1)
        if word is None or after is None:
            return at, False
        if word.kind == "sign" and word.text in "-+" and not word.glued:
            near = after.glued or (self._raw(at) == "\u2212" and after.kind == "number")
            if near and (after.kind == "number" or after.text in CURRENCY_MARKS):
                return at + 1, word.text == "-"
        if word.text == "minus" and after.kind == "number":
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

    # --- numbers

    def _number(self, at: int) -> _Number | None:
        word = self._word(at)
        if word is None:
            return None
        if word.kind == "number":
            return self._numeral(at)
        if word.kind == "word":
            return self._in_words(at)
        if word.kind == "letter":
            return self._in_han(at)
        return None

    def _numeral(self, at: int) -> _Number | None:
        text, end = self._words[at].text, at + 1
        slashed = re.fullmatch(r"([1-9])/([2-9]|10)", text)
        if slashed and int(slashed[1]) < int(slashed[2]):
            value = Decimal(slashed[1]) / Decimal(slashed[2])
            return _Number(value, end, Decimal("0.02"), fraction=True)
        # Groups with plain spaces: 12 400; in tables "12 | 400" the bar breaks them.
        while (
            re.fullmatch(r"\d{1,3}(?: \d{3})*", text)
            and not text.startswith("0")
            and (after := self._word(end)) is not None
            and after.kind == "number"
            and not after.breaks
            and re.fullmatch(r"\d{3}(?:[.,]\d+)?", after.text)
            and self._gap(end) == " "
        ):
            text, end = f"{text} {after.text}", end + 1
        values: tuple[Decimal, ...]
        if " " in text:
            values = (Decimal(text.replace(" ", "").replace(",", ".")),)
        else:
            values = numeral_value(text, english=self._english)
        if not values:
            return None
        value = values[0]
        exponent = value.as_tuple().exponent
        step = Decimal(10) ** (exponent if isinstance(exponent, int) else 0)
        after = self._word(end)
        if after is not None and after.glued:
            if after.kind == "number" and len(after.text) == 1 and not after.text.isdigit():
                part = Decimal(str(unicodedata.numeric(after.text)))  # 2½
                return _Number(value + part, end + 1, Decimal("0.1"))
            if after.text in ("st", "nd", "rd", "th") and after.kind == "word":
                return _Number(value, end + 1, step, ordinal=True)
            if after.text in ("s", "'s") and value >= 100 and value % 10 == 0:
                return _Number(value, end + 1, step, decade=True)
            if after.kind == "power" and value == 10:
                return _Number(_power(after.text), end + 1, step)
            if after.text == "^":
                power = self._exponent(end + 1)
                if power and value == 10:
                    return _Number(_power(power[0]), power[1], step)
            scientific = re.fullmatch(r"e(\d{1,2})", after.text)
            if scientific:
                return _Number(value * _power(scientific[1]), end + 1, step)
        if self._is(end, "×", "x") and self._is(end + 1, "10"):
            raised = self._word(end + 2)
            if raised is not None and raised.kind == "power" and raised.glued:
                ten = _power(raised.text)
                return _Number(value * ten, end + 3, step * ten)
            if self._is(end + 2, "^"):
                power = self._exponent(end + 3)
                if power:
                    return _Number(value * _power(power[0]), power[1], step * _power(power[0]))
        number = _Number(value, end, step, values[1:])
        return self._scaled(number)

    def _exponent(self, at: int) -> tuple[str, int] | None:
        minus = self._is(at, "-")
        word = self._word(at + minus)
        if word is None or word.kind != "number" or not word.text.isdigit() or len(word.text) > 2:
            return None
        return ("-" if minus else "") + word.text, at + minus + 1

    def _scaled(self, number: _Number) -> _Number:
        """The number with the scale words after it."""
        while True:
            word = self._word(number.end)
            if word is None or word.breaks:
                return number
            hyphen = word.text == "-" and word.glued
            if hyphen:
                word = self._word(number.end + 1)
                if word is None or not word.glued:
                    return number
            power, end = self._scale(number.end + hyphen)
            if power is None:
                if word.kind == "word" and word.glued and self._raw(number.end) in _GLUED_SCALES:
                    power, end = SHORT_SCALES[word.text], number.end + 1
                else:
                    return number
            ten = Decimal(10) ** power
            number = replace(
                number,
                value=number.value * ten,
                end=end,
                step=number.step * ten,
                others=tuple(n * ten for n in number.others),
                scale=number.scale + power,
            )
            more = self._word(end)
            if word.kind == "letter" and more is not None and more.kind == "number" and more.glued:
                rest = self._numeral(end)  # 1億2000万
                if rest is not None and rest.value < ten:
                    return replace(
                        number, value=number.value + rest.value, end=rest.end, step=rest.step
                    )
            if more is not None and more.text in HUNDREDS and word.kind == "word":
                return number

    def _scale(self, at: int) -> tuple[int | None, int]:
        word = self._word(at)
        if word is None or word.breaks:
            return None, at
        if word.kind == "word":
            power = scale_of(word.text)
            if power is None and word.text[:1] in "وبلف":
                power = scale_of(word.text[1:])
            if power is None and word.text in ("mille", "mil") and self._is(at + 1, "millones"):
                return 9, at + 2
            return power, at + 1
        if word.kind == "letter":
            return self._longest_scale(at)
        return None, at

    def _longest_scale(self, at: int) -> tuple[int | None, int]:
        joined = ""
        found: tuple[int | None, int] = None, at
        most = 8  # signs in the longest scale word
        for end in range(at, min(at + most, len(self._words))):
            word = self._words[end]
            if word.kind != "letter" or (end > at and not word.glued):
                break
            joined += word.text
            power = scale_of(joined)
            if power is not None:
                found = power, end + 1
        return found

    def _in_words(self, at: int) -> _Number | None:
        word = self._words[at]
        share = self._share(at)
        if share is not None:
            return share
        start = at
        if word.text in ("a", "an") and (
            self._is(at + 1, "hundred", "thousand", "million", "billion", "trillion", "dozen")
        ):
            at += 1
        elif word.text not in SMALL and word.text not in TENS:
            if word.text in ORDINALS:
                return _Number(Decimal(ORDINALS[word.text]), at + 1, Decimal(1), ordinal=True)
            other = None if self._english else number_of(word.text, self._language)
            if other is None:
                return None
            return self._scaled(_Number(Decimal(other), at + 1, Decimal(1), worded=True))
        total, current, end, scale, last = 0, 1 if at > start else 0, at, 0, ""
        while (here := self._word(end)) is not None:
            text = here.text
            if end > start and here.breaks:
                break
            if text == "-" and here.glued and last in TENS and self._is(end + 1, *SMALL, *ORDINALS):
                end += 1
                continue
            if text in ORDINALS and last in TENS and ORDINALS[text] < 10:
                value = Decimal(total + current + ORDINALS[text])
                return _Number(value, end + 1, Decimal(1), ordinal=True)
            if (
                text == "and"
                and last in ("hundred", "thousand", "million")
                and (self._is(end + 1, *SMALL, *TENS))
            ):
                end += 1
                continue
            if text in SMALL and (last == "" or last in TENS or last in HUNDREDS):
                if last in TENS and not 0 < SMALL[text] < 10:
                    break
                current += SMALL[text]
            elif text in TENS and (last == "" or last in HUNDREDS):
                current += TENS[text]
            elif (text == "hundred" and last != "") or (text == "hundred" and at > start):
                current, scale = current * 100, max(scale, 2)
            elif text == "dozen":
                current, scale = current * DOZEN, 1
            elif text in HUNDREDS and (last != "" or at > start):
                power = HUNDREDS[text]
                total, current, scale = total + current * 10**power, 0, max(scale, power)
            else:
                break
            last = text
            end += 1
        if last == "":
            return None
        if self._is(end, "and") and self._is(end + 1, "a") and self._is(end + 2, "half"):
            half = Decimal(total + current) + Decimal("0.5")
            return self._scaled(_Number(half, end + 3, Decimal("0.1"), worded=True))
        value = Decimal(total + current)
        return _Number(value, end, _place(value), worded=True, scale=scale)

    def _share(self, at: int) -> _Number | None:
        """A third, two thirds, half of, three-quarters."""
        word = self._words[at]
        if word.text == "half" and not self._is(at - 1, "-"):
            if self._is(at + 1, "a", "of", "the", "all", "its", "their", "his", "her", "an"):
                number = _Number(Decimal("0.5"), at + 1, Decimal("0.1"), worded=True, fraction=True)
                if self._is(at + 1, "a") and self._is(at + 2, *HUNDREDS, "dozen"):
                    return self._scaled(replace(number, end=at + 2, fraction=False))
                return number
            return None
        count = 1 if word.text in ("a", "an", "one") else SMALL.get(word.text, 0)
        after = at + 1
        if self._is(after, "-"):
            after += 1
        part = self._word(after)
        if not 0 < count < 10 or part is None or part.text not in FRACTIONS or part.breaks:
            return None
        below = FRACTIONS[part.text]
        plural = part.text.endswith("s") or part.text == "halves"
        if (count > 1) != plural or (
            not plural and below in (2,) and not self._is(after + 1, "of")
        ):
            return None
        if not plural and below > 2 and not self._is(after + 1, "of", "in", "as", "less", "more"):
            following = self._word(after + 1)
            if following is not None and not following.breaks:
                return None
        return _Number(
            Decimal(count) / below, after + 1, Decimal("0.02"), worded=True, fraction=True
        )

    def _in_han(self, at: int) -> _Number | None:
        """三百二十, 二十万: at least two signs, one of them a power of ten."""
        end, signs = at, ""
        while (
            (word := self._word(end)) is not None
            and word.text in _HAN
            and (end == at or word.glued)
        ):
            signs += word.text
            end += 1
        if len(signs) < 2 or not set(signs) & set("十百千万萬億亿") or signs[0] in "百千万萬億亿":
            return None
        total = section = digit = 0
        for sign in signs:
            value = _HAN[sign]
            if value < 10:
                digit = value
            elif value < 10_000:
                section, digit = section + (digit or 1) * value, 0
            else:
                total, section, digit = total + (section + digit) * value, 0, 0
        return _Number(Decimal(total + section + digit), end, Decimal(1), worded=True)

    # --- units and ranges

    def _measured(
        self, number: _Number, start: int, currency: str, negative: bool
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
        if number.fraction and value < 1:
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
        number = self._number(start)
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


def _power(exponent: str) -> Decimal:
    return Decimal(10) ** int(exponent)


def _place(value: Decimal) -> Decimal:
    """Number words are exact to their last word: 400 of "four hundred" is."""
    return Decimal(1) if value == value.to_integral_value() else Decimal("0.1")


_FROM = ("from", "von", " de", "desde", " da", " od", "от", "från", "fra", "van")
_TO = frozenset(["to", "bis", "à", "до", "til", "till", "-", "~", "至", "到"])
_GLUED_SCALES = frozenset({"k", "K", "M", "B", "bn", "Bn", "T", "mn"})
_HAN = {s: n for n, s in enumerate("〇一二三四五六七八九")} | {
    "零": 0,
    "两": 2,
    "十": 10,
    "百": 100,
    "千": 1000,
    "万": 10_000,
    "萬": 10_000,
    "億": 10**8,
    "亿": 10**8,
}
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
