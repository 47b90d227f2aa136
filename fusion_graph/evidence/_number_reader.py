"""Numbers read out of a text: numerals with their groups and scales, and number words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from fusion_graph.evidence._measures import (
    SHORT_SCALES,
    scale_of,
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
class Number:
    value: Decimal
    end: int
    step: Decimal
    others: tuple[Decimal, ...] = ()
    worded: bool = False
    scale: int = 0
    ordinal: bool = False
    decade: bool = False
    fraction: bool = False


class NumberReader:
    """Reads the numbers of one text."""

    def __init__(
        self, words: Sequence[Word], text: str, language: str, *, shouts: bool = False
    ) -> None:
        self._words = words
        self._text = text
        self._language = language
        self._shouts = shouts
        self._english = language == "en"

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

    def number_at(self, at: int) -> Number | None:
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

    def _numeral(self, at: int) -> Number | None:
        text, end = self._words[at].text, at + 1
        slashed = re.fullmatch(r"([1-9])/([2-9]|10)", text)
        if slashed and int(slashed[1]) < int(slashed[2]):
            value = Decimal(slashed[1]) / Decimal(slashed[2])
            return Number(value, end, Decimal("0.02"), fraction=True)
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
                return Number(value + part, end + 1, Decimal("0.1"))
            if after.text in ("st", "nd", "rd", "th") and after.kind == "word":
                return Number(value, end + 1, step, ordinal=True)
            if after.text in ("s", "'s") and 100 <= value < 10_000 and value % 10 == 0:
                return Number(value, end + 1, step, decade=True)
            if after.kind == "power" and value == 10:
                return Number(_power(after.text), end + 1, step)
            if after.text == "^":
                power = self._exponent(end + 1)
                if power and value == 10:
                    return Number(_power(power[0]), power[1], step)
            scientific = re.fullmatch(r"e(\d{1,2})", after.text)
            if scientific:
                return Number(value * _power(scientific[1]), end + 1, step)
        if self._is(end, "×", "x") and self._is(end + 1, "10"):
            raised = self._word(end + 2)
            if raised is not None and raised.kind == "power" and raised.glued:
                ten = _power(raised.text)
                return Number(value * ten, end + 3, step * ten)
            if self._is(end + 2, "^"):
                power = self._exponent(end + 3)
                if power:
                    return Number(value * _power(power[0]), power[1], step * _power(power[0]))
        number = Number(value, end, step, values[1:])
        return self._scaled(number)

    def _exponent(self, at: int) -> tuple[str, int] | None:
        minus = self._is(at, "-")
        word = self._word(at + minus)
        if word is None or word.kind != "number" or not word.text.isdigit() or len(word.text) > 2:
            return None
        return ("-" if minus else "") + word.text, at + minus + 1

    def _scaled(self, number: Number) -> Number:
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

    def _in_words(self, at: int) -> Number | None:
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
                return Number(Decimal(ORDINALS[word.text]), at + 1, Decimal(1), ordinal=True)
            other = None if self._english else number_of(word.text, self._language)
            if other is None:
                return None
            return self._scaled(Number(Decimal(other), at + 1, Decimal(1), worded=True))
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
                return Number(value, end + 1, Decimal(1), ordinal=True)
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
            return self._scaled(Number(half, end + 3, Decimal("0.1"), worded=True))
        value = Decimal(total + current)
        return Number(value, end, _place(value), worded=True, scale=scale)

    def _share(self, at: int) -> Number | None:
        """A third, two thirds, half of, three-quarters."""
        word = self._words[at]
        if word.text == "half" and not self._is(at - 1, "-"):
            if self._is(at + 1, "a", "of", "the", "all", "its", "their", "his", "her", "an"):
                number = Number(Decimal("0.5"), at + 1, Decimal("0.1"), worded=True, fraction=True)
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
        return Number(
            Decimal(count) / below, after + 1, Decimal("0.02"), worded=True, fraction=True
        )

    def _in_han(self, at: int) -> Number | None:
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
        return Number(Decimal(total + section + digit), end, Decimal(1), worded=True)


def _power(exponent: str) -> Decimal:
    return Decimal(10) ** int(exponent)


def _place(value: Decimal) -> Decimal:
    """Number words are exact to their last word: 400 of "four hundred" is."""
    return Decimal(1) if value == value.to_integral_value() else Decimal("0.1")


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
