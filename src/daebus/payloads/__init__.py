"""Payloads: JSON and text in, typed values out, and back.

Decoders and encoders are compiled once for each handler. What cannot be decoded becomes a list of all its mistakes, in
one form for every transport. The houses that serve handlers call it, and the bus.
"""
