"""The bus as callers see it: calls, streams of replies, sends and publishes.

The input is a contract and a payload. The output is the typed reply, or the error of the service. Handlers use it as
the services `bus` and `blocking_bus`; scripts open their own bus.
"""
