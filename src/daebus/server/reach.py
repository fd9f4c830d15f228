"""Who can reach a service, by the address on which it listens."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

__all__ = ["describe_reach"]


def describe_reach(address: str, *, isolated: bool) -> dict[str, str]:
    """The fields of the log line that says where a service listens.

    Args:
        address: The IP address.
        isolated: Whether this is a container, where loopback is for its own processes alone.
    """
    found = ip_address(address)
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_unspecified:
        kind = "" if isinstance(found, IPv6Address) else "IPv4 "
        return {"reachable_by": f"everyone who reaches this host on any of its {kind}addresses"}
    if not found.is_loopback:
        return {"reachable_by": f"everyone who reaches this host on {found}"}
    if not isolated:
        return {"reachable_by": "this machine only"}
    return {
        "reachable_by": "this container only",
        "hint": "for others too: --host 0.0.0.0, or DAEBUS_HOST=0.0.0.0 in the environment",
    }
