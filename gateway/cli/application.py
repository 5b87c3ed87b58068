"""Runs commands with protected streams, and gives an error of Uplift an exit code of its own."""

import sys
import traceback
from typing import Any

import typer

from uplift.gateway.cli.output import ExitCode, complain_of_output, protect_streams


class Application(typer.Typer):
    """A typer application. Its exit code for an error of Uplift differs from that of a refused operation."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        protect_streams()
        try:
            return super().__call__(*arguments, **options)
        except SystemExit:
            raise
        except Exception as error:
            traceback.print_exception(error, file=sys.stderr)
            sys.exit(ExitCode.CRASHED)
        finally:
            complain_of_output()
