"""Whether a request wants a panel, by plain signs in its wording."""

from __future__ import annotations

import re

_ONE = (
    (r"```|^\s*(?:def|class|import|SELECT|function)\b", "it holds or asks for code"),
    (
        r"\b(?:write|fix|debug|refactor|implement)\b.{0,40}\b(?:code|function|script|program|class"
        r"|regex|query|unit tests?|bug|sql)\b",
        "it holds or asks for code",
    ),
    (r"^[\s\d.,()+*/^%=x×÷-]+\??$", "arithmetic"),
    (
        r"^\W*(?:what(?:'s| is)|how much is|calculate|compute)\s[\s\d.,()+*/^%=x×÷-]+\W*$",
        "arithmetic",
    ),
    (
        r"^\W*(?:translate|rewrite|rephrase|proofread|shorten|summari[sz]e this|format)\b",
        "a chore on given text",
    ),
    (
        r"^\W*(?:hi|hello|hey|thanks?|thank you|good (?:morning|evening)|ok(?:ay)?|bye)\b"
        r"[^?]{0,40}$",
        "short chat",
    ),
)
_PANEL = (
    (
        r"\b(?:compar\w+|versus|vs\.?|better|best|differences?|pros|cons|trade-?offs?|should)\b",
        "a comparison or decision",
    ),
    (
        r"\b(?:evidence|stud(?:y|ies)|research|sources?|disputed|true that|proof|proven|myth)\b",
        "evidence is asked for",
    ),
    (
        r"\b(?:law|legal|court|contract|liab\w+|gdpr|tax\w*|regulat\w+|polic(?:y|ies))\b",
        "law or policy",
    ),
    (
        r"\b(?:medic\w+|dose|drug|symptoms?|disease|treatment|health|side effects?|vaccin\w+)\b",
        "medicine",
    ),
    (r"\b(?:cost\w*|pric\w+|invest\w*|loan|mortgage|market|financ\w+)\b", "money"),
    (r"\b(?:latest|current|recent\w*|today|news|20[2-9]\d)\b", "recent facts"),
)


def route(request: str) -> dict[str, str]:
    """`{"use": "panel" | "one", "reason": …}` for a request; a panel when in doubt."""
    for pattern, reason in _ONE:
        if re.search(pattern, request, re.IGNORECASE | re.MULTILINE):
            return {"use": "one", "reason": reason}
    for pattern, reason in _PANEL:
        if re.search(pattern, request, re.IGNORECASE):
            return {"use": "panel", "reason": reason}
    return {"use": "panel", "reason": "no sign that one model is enough"}
