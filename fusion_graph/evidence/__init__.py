"""Evidence: the numbered sources of a run, citations of them, and quotes checked on their pages."""

from fusion_graph.evidence.quotes import check_quote
from fusion_graph.evidence.sources import (
    CITATION,
    QuoteRecord,
    SourceRecord,
    cited_ids,
    merge_sources,
    plain_citations,
    quote_verdict,
    quotes_in,
    rewrite_citations,
    source_list,
    used_sources,
)

__all__ = [
    "CITATION",
    "QuoteRecord",
    "SourceRecord",
    "check_quote",
    "cited_ids",
    "merge_sources",
    "plain_citations",
    "quote_verdict",
    "quotes_in",
    "rewrite_citations",
    "source_list",
    "used_sources",
]
