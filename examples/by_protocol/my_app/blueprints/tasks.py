"""What happens without being asked for."""

from datetime import UTC, datetime, timedelta

from daebus import Blueprint, Logger, Running
from my_app.container import Container
from my_app.utils.db import Notes

KEPT_FOR = timedelta(days=365)

tasks = Blueprint("tasks", services=Container)


@tasks.background("note_cleanup", cron="0 3 * * *")
def cleanup(*, notes: Notes, logger: Logger) -> None:
    removed = notes.remove_before(datetime.now(UTC) - KEPT_FOR)
    logger.info("old notes cleaned up", count=removed)


@tasks.thread("note_monitor", restart=True)
def monitor(running: Running, *, notes: Notes, logger: Logger) -> None:
    counted = 0
    while running():
        count = len(notes.all())
        if count != counted:
            counted = count
            logger.info("notes counted", count=count)
        running.wait(60)


@tasks.on_start()
def initialize(*, notes: Notes, logger: Logger) -> None:
    logger.info("note store ready", notes=len(notes.all()))


@tasks.on_stop()
def say_goodbye(*, logger: Logger) -> None:
    logger.info("note store closing")
