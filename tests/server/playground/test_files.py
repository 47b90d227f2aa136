"""Files beside a question: picked, pasted and dropped on the page, and given to the panel."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.server.conftest import Server
from tests.server.playground.visiting import Open, Visit

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PDF = b"%PDF-1.4\n1 0 obj << /Type /Catalog >> endobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"

CLIPBOARD = ["clipboard-read", "clipboard-write"]

TRANSFER = """([name, text]) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name));
    return data;
}"""

COPY = """async (parts) => {
    const types = { png: "image/png", text: "text/plain" };
    const blob = (kind) => {
        const bytes = Uint8Array.from(atob(parts[kind]), (letter) => letter.charCodeAt(0));
        return [types[kind], new Blob([bytes], { type: types[kind] })];
    };
    const item = Object.fromEntries(Object.keys(parts).map(blob));
    await navigator.clipboard.write([new ClipboardItem(item)]);
}"""


def chips(seen: Visit) -> Any:
    """What the form says is attached."""
    return seen.page.locator("#ask").get_by_role("list", name="Attached").get_by_role("listitem")


async def drop(seen: Visit, on: str, name: str, content: bytes) -> None:
    """Drop a file, as a browser tells a page of it."""
    text = base64.b64encode(content).decode()
    data = await seen.page.evaluate_handle(TRANSFER, [name, text])
    await seen.page.locator(on).dispatch_event("drop", {"dataTransfer": data})


async def paste(seen: Visit, **parts: bytes) -> None:
    """Copy these parts, by type, and paste them into the question."""
    encoded = {kind: base64.b64encode(part).decode() for kind, part in parts.items()}
    await seen.page.evaluate(COPY, encoded)
    await seen.question.press("Control+V")


def shown(models: Any, model: str) -> list[Any]:
    """The parts of the user's messages that a model was sent last."""
    messages = models.calls(model)[-1].body["messages"]
    return [one["content"] for one in messages if one["role"] == "user"]


@pytest.mark.slow
async def test_files_are_picked_pasted_and_dropped_and_the_panel_gets_them(
    server: Server, models, offer: Callable[..., str], visit: Open, tmp_path: Path
):
    (tmp_path / "notes.txt").write_text("The lake is 12 m deep.", "utf-8")
    (tmp_path / "paper.pdf").write_bytes(PDF)
    preset = offer()
    models.script("w", "Deep.", "Still deep.")
    seen = await visit(server, permissions=CLIPBOARD)
    await seen.choose(preset)
    async with seen.page.expect_file_chooser() as chooser:
        await seen.page.get_by_role("button", name="Attach").click()
    await (await chooser.value).set_files([tmp_path / "notes.txt", tmp_path / "paper.pdf"])
    await expect(chips(seen)).to_have_text(["notes.txttext, 22 bytes✕", "paper.pdfPDF, 77 bytes✕"])
    await paste(seen, png=PNG)
    await expect(chips(seen).nth(2)).to_contain_text("image.png")
    await drop(seen, "header.top", "gone.txt", b"Never mind.")
    await expect(chips(seen)).to_have_count(4)
    await seen.page.get_by_role("button", name="Remove gone.txt").click()
    await expect(chips(seen)).to_have_count(3)
    await seen.ask("How deep is it?")
    await seen.ended("ok")
    attached = seen.run.locator(".run-head").get_by_role("list", name="Attached")
    await expect(attached.get_by_role("listitem")).to_have_text(
        ["notes.txt text", "paper.pdf PDF", "image.png picture"]
    )
    parts = shown(models, "a")[0]
    assert parts[0]["text"].startswith(
        "How deep is it?\n\n[File: notes.txt]\nThe lake is 12 m deep."
    )
    data = base64.b64encode(PDF).decode()
    assert parts[1]["file"] == {
        "file_data": f"data:application/pdf;base64,{data}",
        "filename": "paper.pdf",
    }
    assert parts[2]["image_url"]["url"].startswith("data:image/png;base64,iVBORw0KGgo")
    assert "Never mind" not in str(parts)

    # A follow-up needs no second upload.
    await expect(chips(seen)).to_have_count(0)
    await seen.question.fill("Sure?")
    await seen.question.press("Control+Enter")
    await expect(seen.answer.locator(".prose")).to_have_text("Still deep.")
    first, second = shown(models, "a")
    assert first == parts
    assert second.startswith("Sure?")
    thread = seen.page.get_by_role("region", name="Earlier in this thread")
    await expect(thread.get_by_role("list", name="Attached")).to_contain_text("paper.pdf")
    seen.assert_quiet()


@pytest.mark.slow
async def test_what_no_model_takes_is_told_beside_the_field_and_nothing_is_lost(
    server: Server, visit: Open
):
    seen = await visit(server, permissions=CLIPBOARD)
    await seen.question.fill("What is it?")
    problem = seen.page.get_by_role("alert")
    await drop(seen, "#ask", "film.mp4", b"\x00\x00\x00\x18ftypmp42\xff")
    await expect(problem).to_contain_text("film.mp4 is neither text (UTF-8), a picture")
    await drop(seen, "#ask", "<img src=x onerror=alert(1)>.txt", b"")
    await expect(problem).to_contain_text("<img src=x onerror=alert(1)>.txt is empty.")
    large = "() => { const data = new DataTransfer();"
    large += " data.items.add(new File([new Uint8Array(7_000_001)], 'large.txt')); return data; }"
    data = await seen.page.evaluate_handle(large)
    await seen.page.locator("#ask").dispatch_event("drop", {"dataTransfer": data})
    await expect(problem).to_contain_text("large.txt is too large (7.0 MB)")
    await expect(chips(seen)).to_have_count(0)
    await expect(seen.question).to_have_value("What is it?")
    # Words that were copied with a picture of them are pasted as words.
    await paste(seen, png=PNG, text=b" And why?")
    await expect(seen.question).to_have_value("What is it? And why?")
    await expect(chips(seen)).to_have_count(0)
    seen.assert_quiet()


@pytest.mark.slow
async def test_a_question_is_asked_again_with_its_files(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    preset = offer()
    seen = await visit(server, permissions=CLIPBOARD)
    await seen.choose(preset)
    await drop(seen, "#ask", "notes.txt", b"The lake is 12 m deep.")
    await paste(seen, png=PNG)
    await expect(chips(seen)).to_have_count(2)
    await seen.ask("")
    await seen.ended("ok")
    await expect(seen.page.locator("h1#run-title")).to_have_text("(see the attachment)")
    await seen.page.get_by_role("button", name="Ask again").click()
    await seen.page.get_by_role("button", name="Remove image.png").click()
    await seen.question.fill("How deep?")
    await seen.question.press("Control+Enter")
    await expect(seen.page.get_by_role("heading", name="How deep?", level=1)).to_be_visible()
    await seen.ended("ok")
    (content,) = shown(models, "b")
    assert "How deep?\n\n[File: notes.txt]\nThe lake is 12 m deep." in content
    seen.assert_quiet()


def test_files_that_cannot_be_taken_are_refused_by_name(
    server: Server, models, offer: Callable[..., str]
):
    fusion = {"preset": offer().removeprefix("fusion/")}

    def refused(files: Any) -> tuple[int, dict[str, Any]]:
        body = {"question": "What is it?", "files": files, "fusion": fusion}
        reply = server.request("POST", "/api/runs", json=body)
        return reply.status_code, reply.json()["error"]

    def data(content: bytes) -> str:
        return base64.b64encode(content).decode()

    good = {"name": "notes.txt", "data": data(b"words")}
    for files, status, code, said in (
        ("notes", 400, "invalid_file", "a list of at most 20 files"),
        ([good] * 21, 400, "invalid_file", "a list of at most 20 files"),
        ([good, "x"], 400, "invalid_file", "{name, data}"),
        ([good, {"name": "b.txt"}], 400, "invalid_file", "b.txt comes without `data`"),
        ([{"name": "b.txt", "data": "%%"}], 400, "invalid_file", "b.txt is broken"),
        ([{"name": "b.txt", "data": ""}], 400, "invalid_file", "b.txt is empty"),
        ([{"name": "b.zip", "data": data(b"PK\x03\x04\0")}], 400, "unsupported_file", "b.zip"),
        ([{"run": "nobody", "file": 0}], 404, "run_not_found", "attach it again"),
        ([{"name": "b.txt", "data": data(b"x" * 7_000_001)}], 413, "files_too_large", "7 MB"),
    ):
        got, error = refused(files)
        assert (got, error["code"]) == (status, code), error
        assert said in error["message"]
        assert error["param"].startswith("files")
    assert models.calls() == []
    body = {"question": "?", "files": [good], "fusion": {"preset": "offline"}}
    run = server.request("POST", "/api/runs", json=body).json()
    assert run["files"] == [{"name": "notes.txt", "kind": "text"}]
    got, error = refused([{"run": run["id"], "file": 1}])
    assert (got, error["message"]) == (400, "That question has no such file.")
