"""Evidence: the numbered sources of a run, citations of them, and quotes checked on their pages."""

from fusion_graph.evidence._citation_marks import Mark
from fusion_graph.evidence.citations import (
    ANY_SOURCE,
    NO_SOURCE,
    Reading,
    cited,
    quoted,
    read_citations,
    renumber,
)
from fusion_graph.evidence.quotes import check_quote
from fusion_graph.evidence.sources import (
    QuoteRecord,
    SourceRecord,
    merge_sources,
    quote_verdict,
    source_list,
    used_sources,
)

__all__ = [
    "ANY_SOURCE",
    "NO_SOURCE",
    "Mark",
    "QuoteRecord",
    "Reading",
    "SourceRecord",
    "check_quote",
    "cited",
    "merge_sources",
    "quote_verdict",
    "quoted",
    "read_citations",
    "renumber",
    "source_list",
    "used_sources",
]
