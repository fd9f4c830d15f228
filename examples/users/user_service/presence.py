"""Who is there: kept in this process, by handlers on the event loop and by the monitor's thread."""

import threading
from collections import defaultdict
from datetime import UTC, datetime

import msgspec


class SignedIn(msgspec.Struct, frozen=True):
    """What ``client.state`` keeps of a WebSocket client that showed a valid token."""

    user_id: str


class Rooms:
    """The WebSocket clients of each user, at this replica."""

    def __init__(self) -> None:
        self._clients: defaultdict[str, set[str]] = defaultdict(set)

    def __len__(self) -> int:
        """How many users are connected."""
        return len(self._clients)

    def enter(self, user_id: str, client_id: str) -> None:
        self._clients[user_id].add(client_id)

    def leave(self, user_id: str, client_id: str) -> bool:
        """Whether it was the user's last client."""
        self._clients[user_id].discard(client_id)
        if self._clients[user_id]:
            return False
        del self._clients[user_id]
        return True


class Activity:
    """When users were last seen, until the monitor reports it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_seen: dict[str, datetime] = {}

    def saw(self, user_id: str) -> None:
        with self._lock:
            self._last_seen[user_id] = datetime.now(UTC)

    def take(self) -> dict[str, datetime]:
        """What was not reported yet."""
        with self._lock:
            taken = self._last_seen
            self._last_seen = {}
        return taken
