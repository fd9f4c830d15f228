"""The contracts of an app as documents for others: its compiled handlers come in, AsyncAPI goes out."""
