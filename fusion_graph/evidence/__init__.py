"""Evidence: the numbered sources of a run, citations of them, and words checked on their pages."""

from fusion_graph.evidence._citation_marks import Mark
from fusion_graph.evidence._passages import PageIndex, share_words
from fusion_graph.evidence.citations import (
    ANY_SOURCE,
    NO_SOURCE,
    Reading,
    cited,
    quoted,
    read_citations,
    renumber,
)
from fusion_graph.evidence.claims import Claim, ClaimVerdict, check_claims, passages
from fusion_graph.evidence.counting import Miscount, miscounted, unfounded
from fusion_graph.evidence.independence import independent, with_origins
from fusion_graph.evidence.ledger import Ledger, Pages, close_ledger, no_pages, open_ledger
from fusion_graph.evidence.matching import matched
from fusion_graph.evidence.quotes import check_quote
from fusion_graph.evidence.sources import (
    QuoteRecord,
    SourceRecord,
    merge_sources,
    quote_verdict,
    recheck,
    record_of,
    source_list,
    used_sources,
    with_found,
)

__all__ = [
    "ANY_SOURCE",
    "NO_SOURCE",
    "Claim",
    "ClaimVerdict",
    "Ledger",
    "Mark",
    "Miscount",
    "PageIndex",
    "Pages",
    "QuoteRecord",
    "Reading",
    "SourceRecord",
    "check_claims",
    "check_quote",
    "cited",
    "close_ledger",
    "independent",
    "matched",
    "merge_sources",
    "miscounted",
    "no_pages",
    "open_ledger",
    "passages",
    "quote_verdict",
    "quoted",
    "read_citations",
    "recheck",
    "record_of",
    "renumber",
    "share_words",
    "source_list",
    "unfounded",
    "used_sources",
    "with_found",
    "with_origins",
]
