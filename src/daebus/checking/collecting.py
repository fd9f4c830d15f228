"""From an examined app to a snapshot: its handlers, its providers, and the contracts of its modules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import CodeType

from daebus.app.assembly import Assembly
from daebus.app.kinds import kind_of
from daebus.declare.signatures import Signature
from daebus.declare.specs import ActionSpec, ListenSpec, Spec
from daebus.delivery.endpoint import Endpoint
from daebus.errors import WiringError
from daebus.mistakes.places import Place, is_ours, place_of_class, unwrap
from daebus.wiring.lookup import name_of, path_of

from .contracts import Modules, key_of
from .description import interceptors_of, listener_of, show_returned, timeout_of
from .examination import Examined
from .providers import providers_of
from .report import mistakes_of
from .snapshot import Handler, Service, Snapshot

__all__ = ["collect"]


def collect(examined: Examined, folders: Sequence[str]) -> Snapshot:
    """The snapshot of an examined app, and of the modules of the workspace that were imported.

    Args:
        examined: The app.
        folders: The folders of the workspace.
    """
    problems, warnings = mistakes_of(examined)
    made = examined.made
    modules = Modules(folders, None if made is None else made.service)
    contracts = list(modules.contracts())
    if made is None:
        return Snapshot(problems=problems, contracts=contracts, names=modules.names(), modules=modules.files())
    owner = made.container.declarative_parent
    place = None if owner is None or is_ours(owner) else place_of_class(owner)
    file, line = (place.path, place.line) if isinstance(place, Place) else (None, None)
    return Snapshot(
        problems=problems,
        warnings=warnings,
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
        signature = _signature(spec, endpoint)
        yield Handler(
            title=spec.title,
            kind=kind_of(spec).name,
            function=getattr(spec.function, "__name__", "?"),
            file=file,
            line=line,
            blueprint=spec.blueprint,
            contract=_contract_key(spec, made.service),
            compiled=endpoint is not None,
            timeout=timeout_of(spec),
            listener=listener_of(spec),
            takes=[] if signature is None else [str(parameter) for parameter in signature.left],
            returns=None if signature is None else show_returned(signature),
            streams=signature is not None and signature.streams,
            services=[] if signature is None else list(_services(made, signature, endpoint)),
            interceptors=[] if endpoint is None else interceptors_of(endpoint),
            is_door=spec.opens is not None,
        )


def _signature(spec: Spec, endpoint: Endpoint[object] | None) -> Signature | None:
    if endpoint is not None:
        return endpoint.signature
    try:
        return spec.read_signature()
    except WiringError:  # it is among the mistakes
        return None


def _services(made: Assembly, signature: Signature, endpoint: Endpoint[object] | None) -> Iterator[Service]:
    """The services of a handler, also of one that could not be compiled."""
    bound = {} if endpoint is None else dict(endpoint.injection.bindings)
    for one in signature.right:
        if one.name in bound:
            yield Service(one.name, path_of(made.container, bound[one.name]))
        else:
            yield Service(one.name, one.name if one.name in made.container.providers else None)


def _contract_key(spec: Spec, service: str) -> str | None:
    if isinstance(spec, ActionSpec):
        owner = None if spec.contract is None else spec.contract.service
        return key_of("Action", spec.name, owner or service)
    return key_of("Channel", spec.channel, None) if isinstance(spec, ListenSpec) else None
