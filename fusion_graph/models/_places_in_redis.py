"""Who is under way to a provider, counted for all processes in a Redis.

A place is a lease: whoever holds it says again and again that it is there, and the place of one who
died is free after `LEASE_SECONDS`. Times are the Redis's own, so clocks of machines may differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fusion_graph.models._pace import (
    FADE,
    FORGET_MS,
    GROW,
    LEAST,
    LEAST_OF_ALL,
    MOST_PROBE_MS,
    PROBE_MS,
    SECOND_LOOK_MS,
    SHRINK,
    START,
)
from fusion_graph.models._places_here import FULL, Line

LEASE_SECONDS = 30.0
"""How long a place is kept for one who is not heard of."""

# The last argument is the time in milliseconds, for tests; empty takes the Redis's own.
_NOW = """
local now = tonumber(ARGV[#ARGV])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
"""

# What is known of a model or a provider. By %.14g, Lua's own way to write a number, sums would not
# be those of Python.
_KNOWN = f"""
local function known(key, names)
  local found = {{}}
  if tonumber(redis.call('HGET', key, 'forget') or '0') <= now then
    redis.call('DEL', key)
    return found
  end
  for i, value in ipairs(redis.call('HMGET', key, unpack(names))) do
    found[names[i]] = value and tonumber(value) or nil
  end
  return found
end
local function note(key, fields)
  fields.forget = now + {FORGET_MS}
  for name, value in pairs(fields) do
    redis.call('HSET', key, name, string.format('%.17g', value))
  end
  redis.call('PEXPIRE', key, {FORGET_MS})
end
"""

# KEYS: calls to the provider, calls to the model, what the model refused, what the provider takes.
_ENTER = f"""{_NOW}{_KNOWN}
local model = known(KEYS[3], {{'paused', 'allowed'}})
if model.paused and model.paused > now then return model.paused - now end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if model.allowed and redis.call('ZCARD', KEYS[2]) >= math.floor(model.allowed) then return -1 end
local most, calls = tonumber(ARGV[2]), redis.call('ZCARD', KEYS[1])
if most > 0 then
  if calls >= most then return -1 end
else
  local pace = known(KEYS[4], {{'ceiling', 'full', 'step', 'look', 'grown'}})
  local ceiling, full = pace.ceiling or {START}, pace.full or 0
  local step, look, grown = pace.step or 0, pace.look or 0, pace.grown or 0
  if calls >= ceiling then
    if full == 0 then full = now end
    if now - full < (look > 0 and look or {SECOND_LOOK_MS}) then
      note(KEYS[4], {{ceiling = ceiling, full = full}})
      return -1
    end
    ceiling = ceiling + (step > 0 and step or ceiling)
    if look > 0 and grown > 0 then look = {PROBE_MS} end
    step, full, grown = step * 2, 0, 1
  end
  if calls + 1 >= ceiling and full == 0 then full = now end
  note(KEYS[4], {{ceiling = ceiling, full = full, step = step, look = look, grown = grown}})
end
for i = 1, 2 do
  redis.call('ZADD', KEYS[i], now + tonumber(ARGV[3]), ARGV[1])
  redis.call('PEXPIRE', KEYS[i], 2 * tonumber(ARGV[3]))
end
return 0
"""

_STAY = f"""{_NOW}
for i = 1, 2 do
  redis.call('ZADD', KEYS[i], now + tonumber(ARGV[2]), ARGV[1])
  redis.call('PEXPIRE', KEYS[i], 2 * tonumber(ARGV[2]))
end
"""

_LEAVE = f"""{_NOW}{_KNOWN}
local of_all, of_model = redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
local model = known(KEYS[3], {{'paused', 'allowed', 'room', 'shrunk', 'forget'}})
local pace = known(KEYS[4], {{'ceiling', 'seen', 'look', 'grown'}})
local refused, seen = tonumber(ARGV[3]), pace.seen or 0
if refused < 0 then
  note(KEYS[4], {{seen = math.max(seen, of_all)}})
  if model.allowed then
    local more = model.allowed + {GROW} / model.allowed
    redis.call('HSET', KEYS[3], 'allowed', string.format('%.17g', more))
  end
  return
end
if of_all <= seen then
  note(KEYS[4], {{seen = seen * {FADE}}})
else
  local ceiling = math.max({LEAST_OF_ALL}, math.min(pace.ceiling or {START}, of_all - 1))
  local look, grown = pace.look or 0, pace.grown or 0
  if grown > 0 or look == 0 then
    look = look > 0 and math.min(2 * look, {MOST_PROBE_MS}) or {PROBE_MS}
  end
  note(KEYS[4], {{ceiling = ceiling, step = 1, full = now, look = look, grown = 0}})
end
local allowed, room, shrunk = model.allowed or 0, model.room or 0, model.shrunk or 0
if now - tonumber(ARGV[2]) > shrunk then
  room, shrunk = of_model, now
  allowed = (allowed > 0 and math.min(of_model, allowed) or of_model) * {SHRINK}
end
room = room - 1
allowed = math.max({LEAST}, math.min(allowed, room))
local paused = math.max(model.paused or 0, now + refused)
note(KEYS[3], {{paused = paused, allowed = allowed, room = room, shrunk = shrunk}})
"""


class PlacesInRedis:
    """Counts the calls of all processes that share a Redis; the rules are those of `_pace`.

    Args:
        client: A client of `redis.asyncio`.
        lease: Seconds a place is kept for one who is not heard of.
        clock: Gives the time in milliseconds; by default the Redis does.
    """

    def __init__(
        self,
        client: Any,
        lease: float = LEASE_SECONDS,
        clock: Callable[[], int | str] = lambda: "",
    ) -> None:
        self._clock = clock
        self._lease = int(lease * 1000)
        self._enter = client.register_script(_ENTER)
        self._stay = client.register_script(_STAY)
        self._leave = client.register_script(_LEAVE)

    async def enter(self, line: Line, token: str) -> float:
        """Try to take a place; as `PlacesHere.enter`."""
        args = [token, line.most or 0, self._lease, self._clock()]
        said = float(await self._enter(keys=_keys(line), args=args))
        return FULL if said < 0 else said / 1000

    async def stay(self, line: Line, token: str) -> None:
        """Say that the call is still under way."""
        await self._stay(keys=_keys(line), args=[token, self._lease, self._clock()])

    async def leave(self, line: Line, token: str, took: float, refused: float | None) -> None:
        """Give a place back; as `PlacesHere.leave`."""
        wait = -1 if refused is None else int(refused * 1000)
        await self._leave(keys=_keys(line), args=[token, int(took * 1000), wait, self._clock()])


def _keys(line: Line) -> list[str]:
    # In braces: a Redis cluster keeps them together.
    return [
        f"{{fusion}}:calls:{line.provider}",
        f"{{fusion}}:calls:{line.model}",
        f"{{fusion}}:refused:{line.model}",
        f"{{fusion}}:pace:{line.provider}",
    ]
