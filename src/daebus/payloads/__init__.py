"""Payloads: decoding JSON and text to typed values, and encoding.

Decoders and encoders are compiled once for each handler. Input that cannot be decoded is reported as a list of all its
mistakes, in one form for every transport. The packages that serve handlers use it, and the bus.
"""
