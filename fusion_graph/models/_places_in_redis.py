"""Who is under way to a provider, counted for all processes in a Redis.

A place is a lease: whoever holds it says again and again that it is there, and the place of one who
died is free after `LEASE_SECONDS`. Times are the Redis's own, so clocks of machines may differ.
"""

from __future__ import annotations

from typing import Any

from fusion_graph.models._places_here import FORGET_SECONDS, FULL, GROW, LEAST, SHRINK, Line

LEASE_SECONDS = 30.0
"""How long a place is kept for one who is not heard of."""

_NOW = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
"""

# KEYS: calls to the provider, calls to the model, what the model refused.
_ENTER = f"""{_NOW}
local paused = tonumber(redis.call('HGET', KEYS[3], 'paused') or '0')
if paused > now then return paused - now end
local most = tonumber(ARGV[2])
local allowed = tonumber(redis.call('HGET', KEYS[3], 'allowed') or '0')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if most > 0 and redis.call('ZCARD', KEYS[1]) >= most then return -1 end
if allowed > 0 and redis.call('ZCARD', KEYS[2]) >= math.floor(allowed) then return -1 end
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

_LEAVE = f"""{_NOW}
local before = redis.call('ZCARD', KEYS[2])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
local allowed = tonumber(redis.call('HGET', KEYS[3], 'allowed') or '0')
local refused = tonumber(ARGV[3])
if refused < 0 then
  if allowed > 0 then redis.call('HSET', KEYS[3], 'allowed', allowed + {GROW} / allowed) end
  return
end
local paused = tonumber(redis.call('HGET', KEYS[3], 'paused') or '0')
redis.call('HSET', KEYS[3], 'paused', math.max(paused, now + refused))
local shrunk = tonumber(redis.call('HGET', KEYS[3], 'shrunk') or '0')
local room = tonumber(redis.call('HGET', KEYS[3], 'room') or '0')
if now - tonumber(ARGV[2]) > shrunk then
  room = before
  if allowed > 0 then before = math.min(before, allowed) end
  allowed = before * {SHRINK}
  redis.call('HSET', KEYS[3], 'shrunk', now)
end
room = room - 1
allowed = math.max({LEAST}, math.min(allowed, room))
redis.call('HSET', KEYS[3], 'allowed', allowed, 'room', room)
redis.call('PEXPIRE', KEYS[3], {int(FORGET_SECONDS * 1000)})
"""


class PlacesInRedis:
    """Counts the calls of all processes that share a Redis; the rules are those of `PlacesHere`.

    Args:
        client: A client of `redis.asyncio`.
        lease: Seconds a place is kept for one who is not heard of.
    """

    def __init__(self, client: Any, lease: float = LEASE_SECONDS) -> None:
        self._lease = int(lease * 1000)
        self._enter = client.register_script(_ENTER)
        self._stay = client.register_script(_STAY)
        self._leave = client.register_script(_LEAVE)

    async def enter(self, line: Line, token: str) -> float:
        """Try to take a place; as `PlacesHere.enter`."""
        args = [token, line.most or 0, self._lease]
        said = float(await self._enter(keys=_keys(line), args=args))
        return FULL if said < 0 else said / 1000

    async def stay(self, line: Line, token: str) -> None:
        """Say that the call is still under way."""
        await self._stay(keys=_keys(line), args=[token, self._lease])

    async def leave(self, line: Line, token: str, took: float, refused: float | None) -> None:
        """Give a place back; as `PlacesHere.leave`."""
        wait = -1 if refused is None else int(refused * 1000)
        await self._leave(keys=_keys(line), args=[token, int(took * 1000), wait])


def _keys(line: Line) -> list[str]:
    # In braces: a Redis cluster keeps them together.
    return [
        f"{{fusion}}:calls:{line.provider}",
        f"{{fusion}}:calls:{line.model}",
        f"{{fusion}}:refused:{line.model}",
    ]
