"""Equal parts of snapshots are kept once: the apps of a workspace import the same contracts."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from daebus.checking.snapshot import Contract, Snapshot

__all__ = ["Sharing"]


class Sharing:
    """The parts that were seen, by the place that they describe."""

    def __init__(self) -> None:
        self._contracts: dict[tuple[str, str | None, int | None], Contract] = {}
        self._names: dict[str, Mapping[str, str]] = {}

    def share(self, snapshot: Snapshot) -> Snapshot:
        """The same snapshot, whose parts are those of earlier ones where they are equal."""
        contracts = [self._contract(contract) for contract in snapshot.contracts]
        names = {path: self._named(path, names) for path, names in snapshot.names.items()}
        return msgspec.structs.replace(snapshot, contracts=contracts, names=names)

    def _contract(self, contract: Contract) -> Contract:
        place = (contract.key, contract.file, contract.line)
        known = self._contracts.get(place)
        if known is not None and known == contract:
            return known
        self._contracts[place] = contract
        return contract

    def _named(self, path: str, names: Mapping[str, str]) -> Mapping[str, str]:
        known = self._names.get(path)
        if known is not None and known == names:
            return known
        self._names[path] = names
        return names
