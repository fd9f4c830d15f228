"""Who is there: kept in this process, by handlers on the event loop and by the monitor's thread."""

import threading
from collections import defaultdict
from datetime import UTC, datetime

from user_service.contracts import Member


class Connections:
    """The WebSocket clients of each user, with their sessions, at this replica."""

    def __init__(self) -> None:
        self._clients: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def __len__(self) -> int:
        """How many users are connected."""
        return len(self._clients)

    def enter(self, member: Member, client_id: str) -> None:
        self._clients[member.id][client_id] = member.session

    def leave(self, member: Member, client_id: str) -> bool:
        """Whether it was the user's last client."""
        self._clients[member.id].pop(client_id, None)
        if self._clients[member.id]:
            return False
        del self._clients[member.id]
        return True

    def of_session(self, session: str) -> list[str]:
        """The ids of the clients of a login."""
        return [id_ for clients in self._clients.values() for id_, theirs in clients.items() if theirs == session]


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
