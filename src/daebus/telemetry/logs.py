"""Logging: the typed `Logger`, and one format for its lines and those of the standard library's loggers.

Every line is a `logging.LogRecord`, so that other handlers (pytest's caplog, Sentry, …) see all of them.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Self, TextIO

import msgspec
import structlog

from daebus.core.context import current_context
from daebus.errors import ConfigurationError
from daebus.mistakes.terminal import visible_json

from .consoles import Render, TracebackInfo, pretty_renderer, safe_repr, safe_text
from .traces import log_fields

__all__ = ["Logger", "configure_logging", "granian_logging", "make_logger"]

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_LOGGER_NAME = "daebus"
_RECORD_FIELDS = {*vars(logging.LogRecord("", 0, "", 0, "", (), None)), "message", "asctime"}


class Logger(structlog.BoundLoggerBase):
    """Writes events with fields: ``logger.info("user created", user_id=user.id)``.

    Each line also has the fields of `bind`, the time, the level, the service, the instance and, inside a handler, the
    handler and its request id. Positional arguments are formatted into the event as by `logging`. ``exc_info=True``
    or ``exc_info=error`` adds a traceback.
    """

    _logger: logging.Logger

    def debug(self, event: str, *args: object, **fields: object) -> None:
        """Write a line that is only useful for debugging.

        Args:
            event: The text of the line, the same for all lines of its kind; with `args`, a format as of `logging`.
            args: What is formatted into the event.
            fields: Further fields of the line; ``exc_info=True`` or ``exc_info=error`` adds a traceback.
        """
        self._emit("debug", logging.DEBUG, event, args, fields)

    def info(self, event: str, *args: object, **fields: object) -> None:
        """Write a line about normal operation.

        Args:
            event: The text of the line, the same for all lines of its kind; with `args`, a format as of `logging`.
            args: What is formatted into the event.
            fields: Further fields of the line; ``exc_info=True`` or ``exc_info=error`` adds a traceback.
        """
        self._emit("info", logging.INFO, event, args, fields)

    def warning(self, event: str, *args: object, **fields: object) -> None:
        """Write a line about something that may need attention.

        Args:
            event: The text of the line, the same for all lines of its kind; with `args`, a format as of `logging`.
            args: What is formatted into the event.
            fields: Further fields of the line; ``exc_info=True`` or ``exc_info=error`` adds a traceback.
        """
        self._emit("warning", logging.WARNING, event, args, fields)

    def error(self, event: str, *args: object, **fields: object) -> None:
        """Write a line about something that failed.

        Args:
            event: The text of the line, the same for all lines of its kind; with `args`, a format as of `logging`.
            args: What is formatted into the event.
            fields: Further fields of the line; ``exc_info=True`` or ``exc_info=error`` adds a traceback.
        """
        self._emit("error", logging.ERROR, event, args, fields)

    def critical(self, event: str, *args: object, **fields: object) -> None:
        """Write a line about a failure of the whole service.

        Args:
            event: The text of the line, the same for all lines of its kind; with `args`, a format as of `logging`.
            args: What is formatted into the event.
            fields: Further fields of the line; ``exc_info=True`` or ``exc_info=error`` adds a traceback.
        """
        self._emit("critical", logging.CRITICAL, event, args, fields)

    def exception(self, event: str, *args: object, **fields: object) -> None:
        """Write an error with the traceback of the exception that is being handled.

        Args:
            event: The text of the line, the same for all lines of its kind; with `args`, a format as of `logging`.
            args: What is formatted into the event.
            fields: Further fields of the line; ``exc_info=True`` or ``exc_info=error`` adds a traceback.
        """
        fields.setdefault("exc_info", True)
        self._emit("error", logging.ERROR, event, args, fields)

    def bind(self, **fields: object) -> Self:
        """A logger that adds these fields to each of its lines.

        Args:
            fields: The fields, such as ``user_id="u1"``.
        """
        return super().bind(**fields)

    def _emit(self, method: str, level: int, event: str, args: tuple[object, ...], fields: dict[str, object]) -> None:
        logger = self._logger
        if not logger.isEnabledFor(level):
            return
        if args:
            fields["positional_args"] = args
        try:
            (line,), options = self._process_event(method, event, fields)
        except structlog.DropEvent:
            return
        # Cheaper than `Logger.findCaller`, which walks the stack: the caller's frame is two up.
        frame = inspect.currentframe()
        caller = frame and frame.f_back and frame.f_back.f_back
        place = (caller.f_code.co_filename, caller.f_lineno) if caller else ("", 0)
        logger.handle(logging.LogRecord(logger.name, level, *place, line, (), options["exc_info"]))


def make_logger(**bound: object) -> Logger:
    """A logger whose lines have the fields `bound`. Works before `configure_logging`, as plain text on stderr."""
    return Logger(logging.getLogger(_LOGGER_NAME), _PROCESSORS, dict(bound))


def configure_logging(
    *,
    service: str,
    instance: str,
    level: str = "INFO",
    stream: TextIO | None = None,
    pretty: bool | None = None,
) -> None:
    """Write all lines of this process in one format. May be called again: the last call counts.

    Args:
        service: The service name for lines outside a handler and of loggers without a service of their own.
        instance: The instance name of the process for the same lines.
        level: The lowest level that is written; the environment variable DAEBUS_LOG_LEVEL takes precedence.
        stream: The output stream; None: the current `sys.stderr`.
        pretty: Lines for people instead of JSON; None: if the stream is a terminal.

    Raises:
        ConfigurationError: There is no such level.
    """
    threshold = _level(level)
    target = stream or sys.stderr
    terminal = target is not None and target.isatty()
    render = pretty_renderer(colors=terminal) if pretty or (pretty is None and terminal) else _render_json
    handler = _Handler(stream)
    handler.setFormatter(_Formatter(service, instance, render))
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(threshold)
    logging.captureWarnings(capture=True)
    if not structlog.is_configured():
        structlog.configure(_PROCESSORS, structlog.stdlib.BoundLogger, logger_factory=_named_logger)


def granian_logging() -> dict[str, object]:
    """The ``log_dictconfig`` that sends Granian's lines through our handler, and not through its own, to stdout."""
    loggers = {name: {"propagate": True} for name in ("_granian", "granian.access")}
    return {"incremental": True, "formatters": {}, "handlers": {}, "loggers": loggers}


def _level(level: str) -> str:
    variable = os.environ.get("DAEBUS_LOG_LEVEL")
    name = (variable or level).upper()
    if name not in _LEVELS:
        where = "The environment variable DAEBUS_LOG_LEVEL" if variable else "The log level"
        raise ConfigurationError(f"{where} is {variable or level!r}: choose one of {', '.join(_LEVELS)}.")
    return name


def _named_logger(*names: str) -> logging.Logger:
    return logging.getLogger(names[0] if names else "structlog")


class _Line(dict[str, object]):
    """The message of a record: the event and its fields, which other handlers see as text."""

    def __str__(self) -> str:
        fields = (f"{key}={safe_repr(value)}" for key, value in self.items() if key != "event")
        return " ".join([str(self.get("event", "")), *fields])


def _to_line(
    _logger: object, _method: str, fields: structlog.typing.EventDict
) -> tuple[tuple[_Line], dict[str, TracebackInfo | None]]:
    """The last processor of structlog: the arguments for the call of `logging`."""
    options = {"exc_info": _exc_info(fields.pop("exc_info", None))}
    args: tuple[object, ...] = fields.pop("positional_args", ())
    if args:
        fields["event"] = _formatted(str(fields.get("event")), args)
    return (_Line(fields),), options


# Shared by all loggers: `structlog.testing.capture_logs` changes the list that it finds.
_PROCESSORS: list[structlog.typing.Processor] = [structlog.contextvars.merge_contextvars, _to_line]


def _formatted(event: str, args: tuple[object, ...]) -> str:
    try:
        return event % args
    except (TypeError, ValueError):
        return f"{event} {safe_repr(args)}"


def _exc_info(given: object) -> TracebackInfo | None:
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    return sys.exc_info() if given else None


class _Handler(logging.Handler):
    """Writes to a stream; None stands for the `sys.stderr` at the time of each line, because pytest replaces it."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        try:
            stream = self._stream or sys.stderr
            stream.write(self.format(record) + "\n")
            stream.flush()
        except Exception:
            self.handleError(record)


class _Formatter(logging.Formatter):
    def __init__(self, service: str, instance: str, render: Render) -> None:
        super().__init__()
        self._service = service
        self._instance = instance
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, object] = {"timestamp": time.replace("+00:00", "Z"), "level": record.levelname.lower()}
        given: Mapping[str, object]
        if isinstance(record.msg, _Line):
            given = record.msg
            fields["event"] = given.get("event", "")
        else:
            fields["event"] = record.getMessage().rstrip()
            given = {key: value for key, value in vars(record).items() if key not in _RECORD_FIELDS}
        if record.name != _LOGGER_NAME:
            fields["logger"] = record.name
        # A field that is called "level" must neither hide the line's level nor get lost.
        fields.update((f"{key}_" if key in fields else key, value) for key, value in given.items() if key != "event")
        if record.stack_info:
            fields["stack"] = record.stack_info
        self._add_context(fields)
        return self._render(fields, record.exc_info if record.exc_info and record.exc_info[0] else None)

    def _add_context(self, fields: dict[str, object]) -> None:
        context = current_context.get()
        service = self._service
        if context is not None:
            service = context.service
            for name, value in log_fields(context).items():
                fields.setdefault(name, value)
        # Popped first, so that they stand last: on a terminal they are the same on every line.
        fields["service"] = fields.pop("service", service)
        fields["instance"] = fields.pop("instance", self._instance)


def _render_json(fields: dict[str, object], exc_info: TracebackInfo | None) -> str:
    if exc_info is not None:
        fields["exception"] = "".join(traceback.format_exception(exc_info[1])).rstrip()
    try:
        line = _encoder.encode(fields)
    except Exception:
        line = _encoder.encode({safe_text(key): _encodable(value) for key, value in fields.items()})
    return visible_json(line).decode()


def _encodable(value: object) -> object:
    try:
        return msgspec.Raw(_encoder.encode(value))
    except Exception:
        return safe_repr(value)


_encoder = msgspec.json.Encoder(enc_hook=safe_repr)
