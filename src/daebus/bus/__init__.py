"""The bus as callers see it: calls, streams of replies, sends and publishes.

In comes a contract and a payload; out goes the reply, typed, or the error of the service. Handlers get it as the
services `bus` and `blocking_bus`, scripts open one of their own.
"""
