"""From an examined app to a snapshot: its handlers, its providers, and the contracts of its modules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import CodeType

from daebus.app.assembly import Assembly
from daebus.app.kinds import kind_of
from daebus.declare.signatures import MISSING, Signature
from daebus.declare.specs import ActionSpec, ListenSpec, Spec
from daebus.delivery.endpoint import Endpoint
from daebus.delivery.interceptors import name_of as interceptor_name
from daebus.errors import WiringError
from daebus.mistakes.places import Place, is_ours, place_of_class, unwrap
from daebus.mistakes.show_type import show_type
from daebus.wiring.lookup import name_of, path_of

from .contracts import Modules, key_of
from .examination import Examined
from .providers import providers_of
from .report import Report
from .snapshot import Handler, Service, Snapshot

__all__ = ["collect"]


def collect(examined: Examined, report: Report, folders: Sequence[str]) -> Snapshot:
    """The snapshot of an examined app, and of the modules of the workspace that were imported.

    Args:
        examined: The app.
        report: Its mistakes.
        folders: The folders of the workspace.
    """
    made = examined.made
    modules = Modules(folders, None if made is None else made.service)
    contracts = list(modules.contracts())
    if made is None:
        return Snapshot(problems=report.problems, contracts=contracts, names=modules.names(), modules=modules.files())
    owner = made.container.declarative_parent
    place = None if owner is None or is_ours(owner) else place_of_class(owner)
    file, line = (place.path, place.line) if isinstance(place, Place) else (None, None)
    return Snapshot(
        problems=report.problems,
        warnings=report.warnings,
        service=made.service,
        container=name_of(made.container),
        container_file=file,
        container_line=line,
        handlers=list(_handlers(made)),
        providers=list(providers_of(made.container, modules)),
        contracts=contracts,
        names=modules.names(),
        modules=modules.files(),
    )


def _handlers(made: Assembly) -> Iterator[Handler]:
    compiled = {id(spec): endpoint for spec, endpoint in made.plans.compiled()}
    for spec in made.plans.served():
        endpoint = compiled.get(id(spec))
        code = getattr(unwrap(spec.function), "__code__", None)
        file, line = (code.co_filename, code.co_firstlineno) if isinstance(code, CodeType) else (None, None)
        handler = Handler(
            title=spec.title,
            kind=kind_of(spec).name,
            function=getattr(spec.function, "__name__", "?"),
            file=file,
            line=line,
            blueprint=spec.blueprint,
            contract=_contract_key(spec, made.service),
            compiled=endpoint is not None,
            timeout=spec.policy.timeout if isinstance(spec, ActionSpec | ListenSpec) else spec.timeout,
            listener=spec.name if isinstance(spec, ListenSpec) and spec.is_durable else None,
        )
        signature = _signature(spec, endpoint)
        yield handler if signature is None else _signed(handler, signature, made, endpoint)


def _signature(spec: Spec, endpoint: Endpoint[object] | None) -> Signature | None:
    if endpoint is not None:
        return endpoint.signature
    try:
        return spec.read_signature()
    except WiringError:  # it is among the mistakes
        return None


def _signed(handler: Handler, signature: Signature, made: Assembly, endpoint: Endpoint[object] | None) -> Handler:
    """A handler with what its signature says."""
    bound = {} if endpoint is None else dict(endpoint.injection.bindings)
    known = made.container.providers
    services = [
        Service(one.name, path_of(made.container, bound[one.name]) if one.name in bound else None)
        if one.name in bound or one.name not in known
        else Service(one.name, one.name)
        for one in signature.right
    ]
    around = (
        ()
        if endpoint is None
        else endpoint.interceptors.streams
        if signature.streams
        else endpoint.interceptors.messages
    )
    return Handler(
        title=handler.title,
        kind=handler.kind,
        function=handler.function,
        file=handler.file,
        line=handler.line,
        blueprint=handler.blueprint,
        contract=handler.contract,
        compiled=handler.compiled,
        timeout=handler.timeout,
        listener=handler.listener,
        takes=[str(parameter) for parameter in signature.left],
        returns=None if signature.returns in (MISSING, type(None)) else show_type(signature.returns),
        streams=signature.streams,
        services=services,
        interceptors=[interceptor_name(one) for one in around],
    )


def _contract_key(spec: Spec, service: str) -> str | None:
    if isinstance(spec, ActionSpec):
        owner = None if spec.contract is None else spec.contract.service
        return key_of("Action", spec.name, owner or service)
    return key_of("Channel", spec.channel, None) if isinstance(spec, ListenSpec) else None
