"""The page templates: everything that goes into them is escaped unless it was made here."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from fusion_graph.report.html._failures import what_failed, words_and_remedy
from fusion_graph.report.html._wording import (
    duration,
    effort,
    from_sources,
    moment,
    money,
    others,
    shown,
)
from fusion_graph.report.html.strangers import web_address
from fusion_graph.text.phrases import counted, paid, place


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("fusion_graph.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "counted": counted,
        "duration": duration,
        "effort": effort,
        "from_sources": from_sources,
        "moment": moment,
        "money": money,
        "paid": paid,
        "others": others,
        "place": place,
        "shown": shown,
        "web_address": web_address,
        "what_failed": what_failed,
        "words_and_remedy": words_and_remedy,
    }
    return environment


def template(name: str) -> Template:
    """A template of this package."""
    return _environment().get_template(name)
