"""Several keys of one server: what each may ask, spend and see, and what their file may hold."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from fusion_graph.errors import ApiError, ConfigurationError
from fusion_graph.faces.server._spending import Spending, seconds_left
from fusion_graph.faces.server.holders import Holder
from fusion_graph.faces.server.keys import digest_of_key, entry, new_key, read_keys
from fusion_graph.faces.server.run import Run
from tests.commands import run_here
from tests.conftest import VERDICT
from tests.server.conftest import MESSAGES, PATIENCE, Server, running

DIGEST = digest_of_key("a key")
OWN = "the-owners-own-key"


class Client:
    """Somebody with a key."""

    def __init__(self, server: Server, key: str) -> None:
        self._server, self._headers = server, {"authorization": f"Bearer {key}"}

    def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = {**self._headers, **options.pop("headers", {})}
        return self._server.request(method, path, headers=headers, **options)

    def ask(self, model: str, **more: Any) -> httpx2.Response:
        body = {"model": model, "messages": MESSAGES, **more}
        return self.request("POST", "/v1/chat/completions", json=body)

    def listed(self) -> set[str]:
        told = self.request("GET", "/api/runs").json()
        return {run["id"] for run in (*told["runs"], *told["others"])}


def told(data: Path, run: str, panelists: int) -> None:
    """Return when the file of runs says of so many panelists what they have cost."""
    query = "SELECT COUNT(*) FROM events WHERE run = ? AND event LIKE '%\"panel.completed\"%'"
    rows = sqlite3.connect(data / "serve" / "runs.sqlite")
    try:
        for _ in range(PATIENCE * 100):
            if rows.execute(query, (run,)).fetchone()[0] >= panelists:
                return
            time.sleep(0.01)
    finally:
        rows.close()
    raise TimeoutError


def written(file: Path, keys: dict[str, str], **limits: dict[str, Any]) -> None:
    file.write_text("\n".join(entry(n, key, limits.get(n, {})) for n, key in keys.items()))


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    return {name: new_key() for name in ("alice", "bob", "carol")}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]) -> Iterator[Server]:
    """A server with three keys; carol may only ask one preset, once at a time."""
    config = tmp_path_factory.mktemp("keyed")
    limits = {"presets": ("offline",), "max_runs": 1, "max_cost_usd": 0.5}
    written(config / "keys.toml", keys, carol=limits)
    with running(config, "--keys", str(config / "keys.toml"), FUSION_API_KEY=OWN) as server:
        yield server


@pytest.fixture
def people(keyed: Server, keys: dict[str, str]) -> Callable[[str], Client]:
    everybody = {**keys, "owner": OWN, "stranger": new_key()}
    return lambda name: Client(keyed, everybody[name])


def test_a_key_sees_and_deletes_its_own_runs_and_the_owners_key_all(keyed, people, offer, models):
    model = offer(keyed.config)
    alice, bob, owner = map(people, ("alice", "bob", "owner"))
    over_api = alice.ask(model).headers["x-fusion-run"]
    body = {"question": "And ice?", "fusion": {"preset": model.removeprefix("fusion/")}}
    on_page = alice.request("POST", "/api/runs", json=body).json()["id"]
    alice.request("GET", f"/api/runs/{on_page}/events")
    for id in (over_api, on_page):
        for path in ("", "/events", "/cards", "/report"):
            assert bob.request("GET", f"/api/runs/{id}{path}").status_code == 404
            assert alice.request("GET", f"/api/runs/{id}{path}").status_code == 200
        assert bob.request("DELETE", f"/api/runs/{id}?forget=true").status_code == 404
        assert bob.request("POST", f"/api/runs/{id}/resume").status_code == 404
    follows = bob.request("POST", "/api/runs", json={**body, "follows": on_page})
    assert follows.status_code == 404
    assert {over_api, on_page} <= alice.listed() & owner.listed()
    assert not {over_api, on_page} & bob.listed()
    assert owner.request("GET", f"/api/runs/{on_page}").json()["key"] == "alice"
    assert owner.request("DELETE", f"/api/runs/{on_page}?forget=true").status_code == 204
    assert on_page not in alice.listed()
    # Whoever was given the address of a report may read that report.
    address = alice.request("GET", f"/api/runs/{over_api}").json()["report_url"]
    assert keyed.request("GET", f"/{address}").status_code == 200


def test_what_a_key_may_not_ask_is_refused_in_the_words_of_each_api(keyed, people, offer):
    model = offer(keyed.config)
    carol, stranger = people("carol"), people("stranger")
    names = [one["id"] for one in carol.request("GET", "/v1/models").json()["data"]]
    assert names == ["fusion/offline", "fusion/offline:direct"]
    assert [p["name"] for p in carol.request("GET", "/api/presets").json()["presets"]] == [
        "offline"
    ]
    refused = carol.ask(model)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "preset_not_allowed")
    assert "fusion/offline" in refused.json()["error"]["message"]
    body = {"model": model, "messages": MESSAGES, "max_tokens": 100}
    refused = carol.request("POST", "/v1/messages", json=body)
    assert (refused.status_code, refused.json()["error"]["type"]) == (403, "permission_error")
    dearer = carol.ask("fusion/offline", fusion={"max_cost_usd": 2})
    assert dearer.json()["error"]["code"] == "limit_exceeded"
    refused = stranger.request("POST", "/v1/messages", json=body)
    assert (refused.status_code, refused.json()["error"]["type"]) == (401, "authentication_error")
    assert stranger.request("GET", "/metrics").status_code == 401
    assert carol.request("GET", "/metrics").json()["error"]["code"] == "owner_only"


def test_nothing_that_is_remembered_for_one_key_is_told_to_another(keyed, people, offer, models):
    model = offer(keyed.config)
    alice, bob = people("alice"), people("bob")
    body = {"model": model, "input": "How wet is water?"}
    id = alice.request("POST", "/v1/responses", json=body).json()["id"]
    following = {**body, "input": "And ice?", "previous_response_id": id}
    reply = bob.request("POST", "/v1/responses", json=following)
    assert reply.json()["error"]["code"] == "previous_response_not_found"
    assert alice.request("POST", "/v1/responses", json=following).status_code == 200
    for name in "abc":
        models.script(name, {"status": 401})
    first, again, other = (one.ask(model) for one in (alice, alice, bob))
    assert first.status_code == again.status_code == other.status_code == 502
    runs = {person: person.listed() for person in (alice, bob)}
    assert len(models.calls("a")) == 2 + 2  # two answers, alice's failure told twice, and bob's own
    assert not runs[alice] & runs[bob]


@pytest.mark.slow
def test_metrics_and_logs_tell_names_and_no_keys(keyed, people, keys, offer):
    model = offer(keyed.config)
    people("alice").ask(model)
    text = people("owner").request("GET", "/metrics").text
    assert 'fusion_key_runs_total{key="alice",outcome="ok"}' in text
    assert 'fusion_key_spent_today_usd{key="alice"}' in text
    assert "key=alice" in keyed.log
    for secret in (*keys.values(), *map(digest_of_key, keys.values()), OWN):
        assert secret not in keyed.log + text


@pytest.mark.slow
def test_a_key_has_no_more_runs_at_work_than_it_may(tmp_path, keys, offer, models):
    model = offer(tmp_path)
    written(tmp_path / "keys.toml", keys, bob={"max_runs": 1})
    models.script("a", {"hang": True})
    with running(tmp_path, "--keys", str(tmp_path / "keys.toml")) as server:
        alice, bob = (Client(server, keys[name]) for name in ("alice", "bob"))
        body = {"question": "Water?", "fusion": {"preset": model.removeprefix("fusion/")}}
        assert bob.request("POST", "/api/runs", json=body).status_code == 201
        refused = bob.request("POST", "/api/runs", json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_runs")
        assert "'bob'" in refused.json()["error"]["message"]
        assert alice.request("POST", "/api/runs", json=body).status_code == 201


def test_a_days_money_is_counted_over_a_kill_and_refused_till_midnight(
    tmp_path, keys, offer, models
):
    model, file = offer(tmp_path), tmp_path / "keys.toml"
    written(file, keys, alice={"max_cost_usd_per_day": 0.019})
    verdict = {"text": json.dumps(VERDICT), "cost": 0.002}
    models.script("j", verdict, {"hang": True}, verdict)
    fusion = {"preset": model.removeprefix("fusion/"), "max_cost_usd": 0.011}
    with running(tmp_path, "--keys", str(file)) as server:
        alice = Client(server, keys["alice"])
        assert alice.ask(model, fusion={"max_cost_usd": 0.019}).status_code == 200  # 0.008
        body = {"question": "And ice?", "fusion": fusion}
        cut = alice.request("POST", "/api/runs", json=body).json()["id"]
        models.calls("j", arrived=2)
        told(tmp_path, cut, 3)  # 0.003, when it is killed
        aside = alice.ask(model)
        assert (aside.status_code, aside.json()["error"]["code"]) == (429, "daily_budget_set_aside")
        assert Client(server, keys["bob"]).ask(model).status_code == 200
        server.stop(signal.SIGKILL)
    with running(tmp_path, "--keys", str(file)) as server:
        alice = Client(server, keys["alice"])
        done = alice.ask(model, fusion={"max_cost_usd": 0.008})
        assert done.json()["fusion"]["usage"]["total"]["cost_usd"] == pytest.approx(0.008)
        refused = alice.ask(model)
        body = {"model": model, "messages": MESSAGES, "max_tokens": 100}
        other = alice.request("POST", "/v1/messages", json=body)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (429, "daily_budget_spent")
    assert 0 < int(refused.headers["retry-after"]) <= 86_401
    assert refused.headers["x-should-retry"] == "false"
    assert (other.status_code, other.json()["error"]["type"]) == (429, "rate_limit_error")


@pytest.mark.slow
def test_a_changed_file_counts_at_once_and_a_broken_one_not_at_all(tmp_path, keys):
    file = tmp_path / "keys.toml"
    written(file, {"alice": keys["alice"]})
    with running(tmp_path, "--keys", str(file), "--preset", "offline") as server:
        alice, bob = (Client(server, keys[name]) for name in ("alice", "bob"))

        def statuses() -> list[int]:
            return [one.request("GET", "/v1/models").status_code for one in (alice, bob)]

        assert statuses() == [200, 401]
        written(file, {"bob": keys["bob"]})
        assert statuses() == [401, 200]
        file.write_text(file.read_text() + "\nsurprise = 1\n")
        assert statuses() == [401, 200]
        assert statuses() == [401, 200]
        assert server.log.count("the keys of before stay good") == 1
        assert "key 'bob': there is no field 'surprise'" in server.log
        file.unlink()
        assert statuses() == [401, 200]
        written(file, keys)
        assert statuses() == [200, 200]


def test_a_new_key_is_shown_once_and_its_entry_holds_its_digest(tmp_path):
    options = ("--preset", "offline", "--max-runs", "2", "--max-cost-per-day", "2.5")
    made = run_here("key", "alice", *options)
    file = tmp_path / "keys.toml"
    file.write_text(made.out)
    ((digest, holder),) = read_keys(file, ["offline"]).items()
    (key,) = (word for word in made.err.split() if word.startswith("fg-"))
    assert made.code == 0
    assert digest_of_key(key) == digest
    assert key not in made.out
    assert holder == Holder("alice", ("offline",), 2, None, 2.5)
    assert run_here("key", "../alice").code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("keys = 1", "[keys.NAME]"),
        ("", "[keys.NAME]"),
        ("[keys.alice", "no TOML"),
        ("[keys.alice]\n", "key 'alice': sha256"),
        (f"[keys.alice]\nsha256 = '{DIGEST}'\nmax_runs = 0", "key 'alice': max_runs"),
        (f"[keys.alice]\nsha256 = '{DIGEST}'\nmax_runs = true", "key 'alice': max_runs"),
        (f"[keys.alice]\nsha256 = '{DIGEST}'\nmax_cost_usd = nan", "key 'alice': max_cost_usd"),
        (f"[keys.alice]\nsha256 = '{DIGEST}'\npresets = ['x']", "the preset 'x' is not on offer"),
        (f"[keys.alice]\nsha256 = '{DIGEST}'\npresets = []", "presets is a list"),
        (f"[keys.alice]\nsha256 = '{DIGEST}'\nmax_run = 1", "no field 'max_run'"),
        (f"[keys.owner]\nsha256 = '{DIGEST}'", "not 'owner'"),
        (f"[keys.'a b']\nsha256 = '{DIGEST}'", "a name is letters"),
        (f"[keys.a]\nsha256='{DIGEST}'\n[keys.b]\nsha256='{DIGEST}'", "twice: 'a' and 'b'"),
        (f"[keys.alice]\nsha256 = '{DIGEST.upper()}'", "64 hexadecimal"),
    ],
)
def test_a_wrong_file_is_a_line_that_names_the_entry(tmp_path, text, said):
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        read_keys(file, ["offline"])
    assert said in str(refused.value)
    assert refused.value.remedy


def test_a_server_with_a_wrong_file_of_keys_does_not_start(tmp_path):
    ended = run_here("serve", "--port", "0", "--keys", str(tmp_path / "none.toml"))
    assert ended.code == 2
    assert "none.toml cannot be read" in ended.err
    assert "fusion-graph key" in ended.err


def spent_by(usd: float) -> Run:
    report = {"usage": {"total": {"cost_usd": usd}}}
    return Run("1", "", "", 0.0, owner="alice", report=report)


def test_runs_at_once_share_what_is_left_of_a_day():
    alice = Holder("alice", max_runs=2, max_cost_usd_per_day=1.0)
    spending = Spending({"alice": 0.2})
    assert spending.allowed(alice, [], None) == pytest.approx(0.4)
    first = Run("1", "", "", 0.0, may_cost=0.4)
    assert spending.allowed(alice, [first], None) == pytest.approx(0.4)
    assert spending.allowed(alice, [first], 0.1) == 0.1
    assert spending.allowed(alice, [first], 9.0) == pytest.approx(0.4)
    with pytest.raises(ApiError) as refused:
        spending.allowed(alice, [first, first], 0.1)
    assert refused.value.code == "daily_budget_set_aside"
    spending.count(spent_by(0.8))
    with pytest.raises(ApiError) as refused:
        spending.allowed(alice, [], 0.1)
    assert refused.value.code == "daily_budget_spent"
    assert spending.allowed(Holder("bob"), [], None) is None


def test_a_run_is_counted_once_however_often_it_is_looked_at():
    kept: list[tuple[str, str, float]] = []
    spending = Spending({}, lambda *told: kept.append(told))
    run = Run("1", "", "", 0.0, owner="alice")
    for _ in range(2):  # the second time as it goes on after a restart
        run.add({"type": "panel.completed", "name": "a", "cost_usd": 0.25})
    run.add({"type": "panel.failed", "name": "b", "cost_usd": None})
    spending.count(run)
    spending.count(run)
    run.report = {"usage": {"total": {"cost_usd": None, "known_usd": 0.75}}}
    spending.count(run)
    assert spending.today() == {"alice": 0.75}
    assert [usd for _, _, usd in kept] == [0.25, 0.75]


def test_the_next_day_begins_at_midnight_utc():
    assert seconds_left(datetime(2026, 12, 31, 23, 59, 30, tzinfo=UTC)) == 31
    assert seconds_left(datetime(2026, 2, 28, 0, 0, 0, tzinfo=UTC)) == 86_401
