"""The numbered sources of one researcher: what its `[n]` mean, and the text to check quotes in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict

from fusion_tools.render import without_invisibles
from fusion_tools.results import Artifact, PageArtifact, SearchResult
from fusion_tools.sites import source_key


class SourceEntry(TypedDict):
    """A source as plain data.

    `text` is what the researcher could have quoted: the whole page when `fetched`, else the
    title and the snippets. `retrieved_at` is None for a page that was never fetched.
    """

    id: int
    url: str
    title: str
    retrieved_at: str | None
    text: str
    fetched: bool


class SourceBook:
    """Sources numbered from 1 in the order in which one researcher met them.

    The same artifacts in the same order give the same numbers, so a resumed run has them too.

    Args:
        artifacts: Artifacts to note at once.
        known: Sources that have their numbers already, from 1 and without a gap.
    """

    def __init__(
        self, artifacts: Iterable[Artifact] = (), known: Iterable[SourceEntry] = ()
    ) -> None:
        self._entries: list[SourceEntry] = [entry.copy() for entry in known]
        self._id_by_url: dict[str, int] = {}
        for entry in self._entries:
            self._id_by_url.setdefault(source_key(entry["url"]), entry["id"])
        for artifact in artifacts:
            self.note(artifact)

    def note(self, artifact: Artifact) -> list[int]:
        """Register what a tool brought; the ids of its results in their order, or of its page.

        A failure brings nothing and gives [].
        """
        if artifact["failure"] is not None:
            return []
        if artifact["kind"] == "search":
            return self.note_results(artifact["results"])
        return [self._note_page(artifact)]

    def note_results(self, results: Sequence[SearchResult]) -> list[int]:
        """Register hits, such as `normalise` finds in another package's tool answer."""
        return [self._note_result(result) for result in results]

    def entries(self) -> list[SourceEntry]:
        """Copies of all sources by id, as plain data."""
        return [entry.copy() for entry in self._entries]

    def _note_result(self, result: SearchResult) -> int:
        key = source_key(result["url"])
        known = self._id_by_url.get(key)
        snippet = without_invisibles(result["snippet"])
        if known is None:
            title = without_invisibles(result["title"])
            url = without_invisibles(result["url"])
            return self._add(key, url, title, f"{title}\n{snippet}".strip())
        entry = self._entries[known - 1]
        title = without_invisibles(result["title"])
        if entry["title"] == entry["url"] and not entry["fetched"] and title != result["url"]:
            entry["text"] = title + entry["text"].removeprefix(entry["title"])
            entry["title"] = title  # whoever found it first did not tell
        if not entry["fetched"] and snippet not in entry["text"]:
            entry["text"] += f"\n{snippet}"  # the model saw both, and may quote either
        return known

    def _note_page(self, page: PageArtifact) -> int:
        keys = [source_key(url) for url in (page["url"], page["final_url"]) if url]
        ids = [self._id_by_url[key] for key in keys if key in self._id_by_url]
        text = without_invisibles(page["text"])
        ids = [version for id in ids if (version := self._version(id, text, page["offset"]))]
        if not ids:
            ids = [self._add(keys[0], page["url"], "", "")]
            self._id_by_url[keys[0]] = ids[0]
        for key in keys:
            self._id_by_url.setdefault(key, ids[0])
        for id in ids:  # two hits may turn out to be one page behind a redirect
            self._fill(self._entries[id - 1], page, text)
        return ids[0]

    def _version(self, id: int, text: str, offset: int) -> int | None:
        """The source with this text at that source's address; None if it says something new."""
        entry = self._entries[id - 1]
        if not entry["fetched"] or not entry["text"] or offset > 0:
            return id
        key = source_key(entry["url"])
        same = (
            other["id"]
            for other in self._entries
            if other["fetched"] and other["text"] == text and source_key(other["url"]) == key
        )
        return next(same, None)

    def _add(self, key: str, url: str, title: str, text: str) -> int:
        id = len(self._entries) + 1
        self._entries.append(
            {
                "id": id,
                "url": url,
                "title": title,
                "retrieved_at": None,
                "text": text,
                "fetched": False,
            }
        )
        self._id_by_url.setdefault(key, id)
        return id

    @staticmethod
    def _fill(entry: SourceEntry, page: PageArtifact, text: str) -> None:
        if entry["fetched"] and entry["text"] and entry["text"] != text:
            text = f"{entry['text']}\n\n{text}"  # it changed between two parts of one reading
        entry["url"] = page["final_url"] or page["url"]
        entry["title"] = without_invisibles(page["title"]) or entry["title"]
        entry["retrieved_at"] = page["retrieved_at"]
        entry["text"] = text
        entry["fetched"] = True
