"""Checks of the contracts that a caller has, against those of the services that run: outdated ones are logged."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import ModuleType
from typing import TypeAlias, TypeGuard

import msgspec

from daebus.compare.calls import Called, outdated
from daebus.compare.contracts import Contracts
from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.declare.contracts import Action, Contract, StreamAction
from daebus.errors import ServiceError, Unavailable
from daebus.payloads.encodable import Encodable
from daebus.protocol.discovery import WHOLE, Files, Identity, Inquiry
from daebus.telemetry.logs import Logger

from .asking import ask, ask_instance

__all__ = ["AnyAction", "checking_contracts", "contracts_by", "contracts_in", "files_by", "imported_contracts"]

AnyAction: TypeAlias = Action[Encodable, Encodable] | StreamAction[Encodable, Encodable]


def imported_contracts() -> Iterator[AnyAction]:
    """The actions of named services in the modules that are imported, each once."""
    seen: set[int] = set()
    for module in list(sys.modules.values()):
        for _, contract in contracts_in(module):
            if _is_of_service(contract) and id(contract) not in seen:
                seen.add(id(contract))
                yield contract


def contracts_in(module: ModuleType) -> Iterator[tuple[str, Contract]]:
    """The contracts at the top level of a module, and in its classes, with their names there."""
    for name, value in list(getattr(module, "__dict__", {}).items()):
        if _is_contract(value):
            yield name, value
        elif isinstance(value, type) and value.__module__ == module.__name__:
            inner: Mapping[str, object] = vars(value)
            for attribute, content in list(inner.items()):
                if _is_contract(content):
                    yield f"{name}.{attribute}", content


def _is_contract(value: object) -> TypeGuard[Contract]:
    """Whether it is a contract; one with a wrong name is only among the mistakes."""
    return isinstance(value, Contract) and isinstance(getattr(value, "name", None), str)


def _is_of_service(contract: Contract) -> TypeGuard[AnyAction]:
    return isinstance(contract, Action | StreamAction) and contract.service is not None


@asynccontextmanager
async def checking_contracts(node: Node, contracts: Iterable[AnyAction], logger: Logger) -> AsyncGenerator[None]:
    """Check contracts in the background; the log has a warning for each change that breaks this caller.

    A service that does not run yet is checked when it does. Each service is checked once.

    Args:
        node: This process.
        contracts: The actions that it calls, with the names of their services.
        logger: The log.
    """
    task = asyncio.create_task(_check_all(node, _by_service(contracts), logger), name="check of contracts")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def _by_service(contracts: Iterable[AnyAction]) -> dict[str, list[Called]]:
    found: defaultdict[str, list[Called]] = defaultdict(list)
    for each in contracts:
        if each.service is not None:
            takes, gives = each.types
            found[each.service].append(Called(each.name, takes, gives, isinstance(each, StreamAction)))
    return found


async def _check_all(node: Node, calls: dict[str, list[Called]], logger: Logger) -> None:
    while calls:
        for service in list(calls):
            try:
                contracts = await contracts_by(node, service)
            except (ServiceError, CommandError) as error:  # it is asked again
                logger.debug("contracts are not checked yet", service_called=service, reason=str(error))
                continue
            _tell(service, calls.pop(service), contracts, logger)
        await asyncio.sleep(node.timings.beat)


def _tell(service: str, calls: Sequence[Called], contracts: Contracts, logger: Logger) -> None:
    # A caller may have a contract twice, in equal words.
    changes = {change for each in calls for change in outdated(service, [each], contracts)}
    for change in sorted(changes, key=lambda one: (one.place, one.change)):
        logger.warning(
            "a contract is outdated",
            service_called=service,
            place=change.place,
            found=change.change,
            remedy=f"take over the contract of {service!r}: daebus export python --service {service}",
        )


async def contracts_by(node: Node, service: str) -> Contracts:
    """The contracts of a service that runs.

    Raises:
        Unavailable: No instance answers, or the server cannot be reached.
        ServiceError: The instance cannot say them.
    """
    files = await files_by(node, service, "contracts")
    try:
        return msgspec.json.decode(files[WHOLE], type=Contracts)
    except (KeyError, msgspec.MsgspecError) as error:
        raise ServiceError(f"The contracts of {service!r} cannot be read: {error}") from error


async def files_by(node: Node, service: str, form: str) -> Mapping[str, bytes]:
    """The contracts of a service that runs in a format, as its newest instance writes them; see `Files`.

    Raises:
        Unavailable: No instance answers, or the server cannot be reached.
        ServiceError: The instance cannot write them.
    """
    found = [one for one in await ask(node, "ping", Identity, service=service) if one.state == "running"]
    if not found:
        raise Unavailable(f"No instance of {service!r} answers")
    newest = max(found, key=lambda one: one.started)
    inquiry = Inquiry("export", "", "", form=form)
    return (await ask_instance(node, inquiry, Files, service=service, instance=newest.instance)).files
