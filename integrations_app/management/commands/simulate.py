"""`manage.py simulate`: the simulated vendors, in the foreground."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from integrations_app.simulator.server import SimulatorServer


class Command(BaseCommand):
    """Thin: builds the server and stops it on a signal."""

    help = "Serve the simulated vendors (for trying the console and for tests; never part of production)."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8100, help="port to listen on; 0 picks a free one")
        parser.add_argument("--data-dir", type=Path, default=None, help="where its state is kept (default: DATA_DIR)")
        parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same world")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until SIGTERM or SIGINT."""
        data_dir = options["data_dir"] or Path(settings.DATA_DIR)
        try:
            server = SimulatorServer(options["port"], data_dir, options["seed"], options["host"])
        except OSError as error:
            raise CommandError(f"cannot listen on port {options['port']}: {error.strerror}") from error

        def stop(signum: int, frame: FrameType | None) -> None:
            # In a thread, because the signal may have interrupted a lock that stopping needs.
            threading.Thread(target=server.stop).start()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        self.stdout.write(f"Simulated vendors: {server.url}")
        self.stdout.flush()
        server.serve_forever()
        self.stdout.write("Simulated vendors: stopped")
