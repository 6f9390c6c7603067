"""The command group, and the one place where a failure becomes a message and an exit code."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from . import console

#: The commands in the order of the help; each lives in the module of its name and is loaded when it is used.
COMMANDS = (
    "new",
    "check",
    "build",
    "train",
    "runs",
    "evaluate",
    "export",
    "import-weights",
    "predict",
    "generate",
    "explain",
    "doctor",
    "fmt",
    "diff",
)


class Commands(click.Group):
    """A group whose commands are modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f".{cmd_name.replace('-', '_')}", __package__).command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f"did you mean `dlc {near[0]}`?" if near else f"the commands are {', '.join(COMMANDS)}"
            raise click.UsageError(f"unknown command `{args[0]}`: {hint}", ctx)
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        console.out(f"dlc {version('dlc')}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
def root() -> None:
    """Check, train, export and run the model described by a .dlspec file."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line; never raises, never shows a traceback."""
    console.prepare()
    try:
        code = _run(None if arguments is None else list(arguments))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of a pipe left
        console.close()
        return 1
    except OSError as error:  # standard output goes to a file on a full disk
        console.close()
        return _failed(error)


def _run(arguments: list[str] | None) -> int:
    try:
        result = root.main(arguments, prog_name="dlc", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        console.err(error.format_message())
        return 2
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        console.headed("error", error.format_message(), "1;31")
        if context is not None:
            console.err(f"  = help: `{context.command_path} --help`")
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        console.err("interrupted")
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001
        return _failed(error)


def _failed(error: Exception) -> int:
    from .failure import report

    return report(error)
