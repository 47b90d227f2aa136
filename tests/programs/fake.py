"""A fake program: `fake.py NAME SCENE ARGUMENTS…`, which does what its scene says.

Like the real ones it keeps sessions and counters in its folder of settings, starts the MCP server
that its arguments or settings name, and speaks lines of JSON. The standard library alone, and none
of ours: it stands for somebody else's program.

A scene is {"steps": [step, …]}; the last repeats. A step: "lines" (JSON events or texts), "calls"
([{"name", "args"}] of tools, made after the first line), "stderr", "code", "signal" (ends itself
by it), "hang" (before its last line, or "after" it), "children" (processes it leaves behind, one
of which leaves its group), "renew" (writes its login anew: "through" the link or "over" it),
"pause" (a file to wait for before the last line), "flood" (bytes to write).
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

NAME, SCENE, ARGUMENTS = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
HOME = {
    "claude": Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude"),
    "codex": Path(os.environ.get("CODEX_HOME") or Path.home() / ".codex"),
    "gemini": Path(os.environ.get("GEMINI_CLI_HOME") or Path.home()) / ".gemini",
}[NAME]
VERSIONS = {"claude": "2.1.197 (Claude Code)", "codex": "codex-cli 0.171.0", "gemini": "0.61.0"}
LOGINS = {"claude": ".credentials.json", "codex": "auth.json", "gemini": "oauth_creds.json"}


def say(line):
    sys.stdout.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
    sys.stdout.flush()


def after(flag):
    """The argument after a flag; None without the flag."""
    return ARGUMENTS[ARGUMENTS.index(flag) + 1] if flag in ARGUMENTS else None


def server():
    """The command of the MCP server that it is told of; None for none."""
    if NAME == "claude":
        config = after("--mcp-config")
        servers = json.loads(Path(config).read_text())["mcpServers"] if config else {}
    elif NAME == "codex":
        told = dict(a.split("=", 1) for a in ARGUMENTS if a.startswith("mcp_servers."))
        command = told.get("mcp_servers.fusion.command")
        servers = (
            {
                "fusion": {
                    "command": json.loads(command),
                    "args": json.loads(told["mcp_servers.fusion.args"]),
                }
            }
            if command
            else {}
        )
    else:
        settings = HOME / "settings.json"
        servers = (
            json.loads(settings.read_text()).get("mcpServers", {}) if settings.exists() else {}
        )
    for one in servers.values():
        return [one["command"], *one["args"]]
    return None


class Tools:
    """A client of the MCP server."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.number = 0
        begun = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": NAME}}
        self.begun = self.ask("initialize", begun)
        self.send({"method": "notifications/initialized"})
        self.listed = self.ask("tools/list", {})["tools"]

    def send(self, message):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method, params):
        self.number += 1
        self.send({"id": self.number, "method": method, "params": params})
        return json.loads(self.process.stdout.readline())["result"]


def mentioned(prompt):
    """The files that a prompt mentions, which Claude Code and Gemini CLI put into it."""
    files = [Path(name) for name in re.findall(r"(?:^|\s|[\"'(])@([^\s\"')]+)", prompt)]
    return [file.read_text() for file in files if file.is_file()]


def main():
    if "--version" in ARGUMENTS or ARGUMENTS == ["-V"]:
        scene = json.loads(SCENE.read_text())
        print(scene.get("version", VERSIONS[NAME]))
        return 0
    if ARGUMENTS[:2] == ["login", "status"]:
        print(json.loads(SCENE.read_text()).get("login", "Logged in using ChatGPT"))
        return 0
    prompt = sys.stdin.read()
    log = SCENE.with_suffix(".log")
    number = len(log.read_text().splitlines()) if log.exists() else 0
    steps = json.loads(SCENE.read_text())["steps"]
    step = steps[min(number, len(steps) - 1)]
    HOME.mkdir(parents=True, exist_ok=True)
    before = sorted(str(p.relative_to(HOME)) for p in HOME.rglob("*"))
    (HOME / "sessions").mkdir(exist_ok=True)
    (HOME / "sessions" / f"{os.getpid()}.json").write_text(prompt)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache.mkdir(parents=True, exist_ok=True)
    (cache / NAME).write_text("counters")
    system = after("--system-prompt-file") or os.environ.get("GEMINI_SYSTEM_MD")
    for argument in ARGUMENTS:
        if argument.startswith("model_instructions_file="):
            system = json.loads(argument.split("=", 1)[1])
    schema = after("--json-schema")
    if file := after("--output-schema"):
        schema = Path(file).read_text()
    told = {
        "arguments": ARGUMENTS,
        "environment": dict(os.environ),
        "prompt": prompt,
        "system": Path(system).read_text() if system else "",
        "work": os.getcwd(),
        "there": os.listdir("."),
        "home": str(HOME),
        "kept": before,
        "login": (HOME / LOGINS[NAME]).exists(),
        "pid": os.getpid(),
        "schema": json.loads(schema or "{}"),
        "attached": mentioned(prompt),
        "tools": [],
        "results": [],
        "children": [],
    }
    for n in range(step.get("children", 0)):
        child = subprocess.Popen(["sleep", "600"], start_new_session=n % 2 == 1)
        told["children"].append(child.pid)
    *lines, last = step.get("lines") or [None]
    for line in lines[:1]:
        say(line)
    if (command := server()) is not None:
        tools = Tools(command)
        told["tools"] = tools.listed
        for call in step.get("calls", ()):
            told["results"].append(
                tools.ask("tools/call", {"name": call["name"], "arguments": call["args"]})
            )
    for line in lines[1:]:
        say(line)
    if step.get("renew"):
        login = HOME / LOGINS[NAME]
        if step["renew"] == "over":
            login.unlink()
        login.write_text("renewed")
    with log.open("a") as out:
        out.write(json.dumps(told) + "\n")
    if step.get("stderr"):
        sys.stderr.write(step["stderr"])
        sys.stderr.flush()
    if step.get("flood"):
        try:
            for _ in range(step["flood"] // 65536):
                sys.stdout.write("x" * 65536)
        except BrokenPipeError:
            os._exit(1)
    if step.get("hang") is True:
        time.sleep(600)
    if last is not None:
        say(last)
    if step.get("hang") == "after":
        time.sleep(600)
    if step.get("signal"):
        os.kill(os.getpid(), step["signal"])
        signal.pause()
    return step.get("code", 0)


if __name__ == "__main__":
    ended = main()
    sys.stdout.flush()
    os._exit(ended)
