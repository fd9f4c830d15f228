"""Calls of a bus and of WebSocket clients: the contract, the first argument, decides the types of the others."""

from __future__ import annotations

from mypy.checker import TypeChecker
from mypy.errorcodes import ARG_TYPE
from mypy.expandtype import expand_type
from mypy.maptype import map_instance_to_supertype
from mypy.nodes import ARG_OPT, ARG_STAR, ARG_STAR2, ArgKind, CallExpr, Expression, MemberExpr, NameExpr, StrExpr
from mypy.plugin import MethodSigContext
from mypy.types import (
    AnyType,
    CallableType,
    FunctionLike,
    Instance,
    LiteralType,
    NoneType,
    TypeOfAny,
    TypeVarType,
    get_proper_type,
)

from daebus.mypy.model.reports import report, show

__all__ = ["CALLS", "check_call", "is_for_none", "lenient", "with_types"]

_BUSES = ("daebus.bus.bus.Bus", "daebus.bus.blocking.BlockingBus", "daebus.testing.RunningService")
_CLIENTS = ("daebus.websocket.clients.Clients", "daebus.websocket.blocking_clients.BlockingClients")
_ROOMS = ("daebus.rooms.rooms.Rooms", "daebus.rooms.blocking.BlockingRooms")
CALLS = frozenset(
    {f"{bus}.{method}" for bus in _BUSES for method in ("call", "stream", "send", "publish")}
    | {f"{clients}.{method}" for clients in _CLIENTS for method in ("send", "broadcast")}
    | {f"{rooms}.send" for rooms in _ROOMS}
    | {"daebus.websocket.clients.Client.send"}
)
"""The methods that take a contract and a value of its type."""

_CONTRACT = "daebus.declare.contracts.Contract"
_ANYTHING = AnyType(TypeOfAny.from_error)
_WAYS = {
    "Action": "use call(...), or send(...) if no reply is needed",
    "StreamAction": "use `async for item in stream(...)`",
    "Channel": "use publish(...)",
    "Message": "use send(...) of a client, or broadcast(...) of the clients",
    "Room": "name one room, as in ROOM(id=...), and use send(...) of the rooms",
}


def check_call(context: MethodSigContext) -> FunctionLike | None:
    """The signature of the call for its contract, so that a wrong payload is an error of this argument.

    Without it, mypy would report a type parameter that it cannot infer.

    Returns:
        The signature; one that accepts any arguments if a mistake was reported here; None: the contract is not known.
    """
    api, call, signature = context.api, context.context, context.default_signature
    if not isinstance(api, TypeChecker) or not isinstance(call, CallExpr) or any(map(ArgKind.is_star, call.arg_kinds)):
        return None
    if _is_another(signature, call):
        return None
    position, formal = _formal(signature)
    if position >= len(context.args) or len(context.args[position]) != 1:
        return None
    given = context.args[position][0]
    with api.msg.filter_errors(), api.local_type_map:
        contract = get_proper_type(api.expr_checker.accept(given))
    if isinstance(contract, Instance) and contract.type.has_base(formal.type.fullname):
        return _checked(api, call, _concrete(signature, formal, map_instance_to_supertype(contract, formal.type)))
    if not isinstance(contract, Instance | CallableType) or (
        isinstance(contract, Instance) and contract.type.fallback_to_any
    ):
        return None
    _report_other(api, given, contract, formal.type.name)
    return lenient(signature)


def is_for_none(signature: CallableType) -> bool:
    """Whether a signature is the second overload, for a contract without payload; mypy tries the first one before."""
    _, formal = _formal(signature)
    return isinstance(get_proper_type(formal.args[0]), NoneType)


def _is_another(signature: CallableType, call: CallExpr) -> bool:
    """Whether a signature is the overload for other named arguments than those of the call: ``to=``, ``after=``."""
    if ("to" in signature.arg_names) != ("to" in call.arg_names):
        return True
    wanted = "after" in signature.arg_names and get_proper_type(signature.arg_types[signature.arg_names.index("after")])
    given = call.args[call.arg_names.index("after")] if "after" in call.arg_names else None
    if isinstance(wanted, NoneType):
        return given is not None and not (isinstance(given, NameExpr) and given.name == "None")
    return isinstance(wanted, LiteralType) and not isinstance(given, StrExpr)


def _formal(signature: CallableType) -> tuple[int, Instance]:
    """The position and the type of the parameter for the contract."""
    return next(
        (index, typ)
        for index, typ in enumerate(map(get_proper_type, signature.arg_types))
        if isinstance(typ, Instance) and typ.type.has_base(_CONTRACT)
    )


def _concrete(signature: CallableType, formal: Instance, contract: Instance) -> CallableType:
    """The signature with the types of one contract; without a payload, none has to be given."""
    kinds = list(signature.arg_kinds)
    if isinstance(get_proper_type(contract.args[0]), NoneType) and "payload" in signature.arg_names:
        kinds[signature.arg_names.index("payload")] = ARG_OPT
    open_ = signature.copy_modified(arg_kinds=kinds)  # pyright: ignore[reportUnknownMemberType]  # mypy's `Bogus`
    return with_types(open_, formal, contract)


def with_types(signature: CallableType, formal: Instance, contract: Instance) -> CallableType:
    """A signature with the types of one contract instead of its variables.

    Args:
        signature: The signature.
        formal: The type of its parameter for the contract.
        contract: The type of the contract.
    """
    known = {
        variable.id: argument
        for variable, argument in zip(map(get_proper_type, formal.args), contract.args, strict=True)
        if isinstance(variable, TypeVarType)
    }
    open_ = signature.copy_modified(variables=[])  # pyright: ignore[reportUnknownMemberType]  # mypy's `Bogus`
    return expand_type(open_, known)


def _checked(api: TypeChecker, call: CallExpr, signature: CallableType) -> CallableType:
    with api.msg.filter_errors(save_filtered_errors=True) as found, api.local_type_map:
        api.expr_checker.check_call(signature, call.args, call.arg_kinds, call, call.arg_names)
    if not found.has_new_errors():
        return signature
    api.msg.add_errors(found.filtered_errors())
    return lenient(signature)


def lenient(signature: CallableType) -> CallableType:
    """A signature that accepts any arguments, so that mypy does not report the same mistake a second time."""
    returned = signature.ret_type if not signature.variables else _ANYTHING
    return CallableType([_ANYTHING] * 2, [ARG_STAR, ARG_STAR2], [None, None], returned, signature.fallback)


def _report_other(api: TypeChecker, given: Expression, contract: Instance | CallableType, wanted: str) -> None:
    shown = given.name if isinstance(given, NameExpr | MemberExpr) else show(api, contract)
    shown = f'"{given.value}"' if isinstance(given, StrExpr) else shown
    article = "an" if wanted == "Action" else "a"
    kinds = [base.name for base in contract.type.mro if base.name in _WAYS] if isinstance(contract, Instance) else []
    if kinds:
        found = f"it is {'an' if kinds[0] == 'Action' else 'a'} {kinds[0]}, and this takes {article} {wanted}"
        report(api, ARG_TYPE, given, shown, found, _WAYS[kinds[0]])
        return
    types = "Payload, Reply" if "Action" in wanted else "ItsType"
    made = f'make one: {wanted}[{types}]("the_name")'
    remedy = f"{made}, or pass the decorated handler" if "Action" in wanted else made
    report(api, ARG_TYPE, given, shown, f"this takes {article} {wanted}, which has the types", remedy)
