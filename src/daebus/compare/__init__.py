"""The comparison of contracts: those of before and those of now come in, the changes and whom they break go out.

The contracts are described in a form of their own, which depends on no version of a library: an upgrade that changes
nothing for callers is no change. The rules go by direction: what a service receives may become wider, what it gives may
become narrower. `daebus export --diff` and `daebus run --expect` use it,
and callers that check their contracts when they start.
"""
