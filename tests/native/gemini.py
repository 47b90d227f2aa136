"""Google's generateContent: thought signatures that must come back with the first call."""

import base64
import binascii
from typing import Any

from .dialogue import Asked, Refused, wanted


def answer(asked: Asked) -> tuple[Any, list[tuple[str, Any]] | None, Any]:
    """The reply in one piece, its stream, and its usage."""
    body = asked.body
    turns = _check(asked)
    declared = [
        f["name"] for t in body.get("tools") or () for f in t.get("functionDeclarations", ())
    ]
    mode = (body.get("toolConfig") or {}).get("functionCallingConfig", {}).get("mode", "AUTO")
    if asked.goes_on(turns, may_call=bool(declared) and mode != "NONE"):
        pieces = [_thoughts(turns), _calls(asked, turns, declared[0])]
    else:
        words = [{"text": "Gemini's answer "}], [{"text": f"after {turns} rounds."}]
        pieces = [_thoughts(turns), *words, [{"text": "", "thoughtSignature": _signature("end")}]]
    usage = {
        "promptTokenCount": len(str(body)) // 4,
        "cachedContentTokenCount": 40 * turns,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 2,
        "totalTokenCount": len(str(body)) // 4 + 7,
    }
    if asked.verb == "streamGenerateContent":
        parts = [("", _response(asked, part)) for part in pieces[:-1]]
        return None, [*parts, ("", _response(asked, pieces[-1], usage))], usage
    return _response(asked, [part for piece in pieces for part in piece], usage), None, usage


def _response(asked: Asked, parts: list[Any], usage: Any = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    response = {"candidates": [candidate], "modelVersion": asked.model}
    if usage is not None:
        candidate["finishReason"] = "STOP"
        response["usageMetadata"] = usage
    return response


def _signature(turn: object) -> str:
    return base64.b64encode(f"signature of {turn}?>".encode()).decode()


def _thoughts(turn: int) -> list[dict[str, Any]]:
    return [{"text": f"Thought {turn}.", "thought": True}]


def _calls(asked: Asked, turn: int, name: str) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = [
        {"functionCall": {"name": name, "args": wanted(turn, n)}} for n in asked.numbers(turn)
    ]
    calls[0]["thoughtSignature"] = _signature(turn)
    return calls


def _refuse(message: str) -> Refused:
    error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}
    return Refused(400, {"error": error})


def _bytes(signature: Any) -> bytes:
    try:
        return base64.urlsafe_b64decode(str(signature).replace("+", "-").replace("/", "_"))
    except binascii.Error:
        raise _refuse("Base64 decoding failed") from None


def _check(asked: Asked) -> int:
    turns, contents = 0, asked.body["contents"]
    for at, content in enumerate(contents):
        calls = [part for part in content["parts"] if "functionCall" in part]
        if not calls:
            continue
        for n, (call, own) in enumerate(
            zip(calls, _calls(asked, turns, calls[0]["functionCall"]["name"]), strict=True)
        ):
            if n == 0 and _bytes(call.get("thoughtSignature")) != _bytes(own["thoughtSignature"]):
                raise _refuse(f"contents {at}: Function call is missing a thought_signature")
            if {k: call["functionCall"].get(k) for k in ("name", "args")} != own["functionCall"]:
                raise _refuse(f"contents {at}: the call came back as {call}")
        after = contents[at + 1]["parts"] if at + 1 < len(contents) else []
        if sum("functionResponse" in part for part in after) != len(calls):
            raise _refuse("Please ensure that the number of function response parts is equal")
        turns += 1
    return turns
