"""The command group, and the one place where a failure becomes a message and an exit code."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Sequence

import click

from . import console
from .misused import Misused, message, way_out

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


#: Arguments that name files to read.
FILES = ("file", "files", "before", "after", "source", "target", "inputs")

#: `train.batch=64`; in a path that holds the sign, a separator comes before it.
_SETTING = re.compile(r"[A-Za-z_][\w.]*\s*=")


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
            raise Misused(f"unknown command `{args[0]}`", hint, ctx)
        name, command, rest = super().resolve_command(ctx, args)
        return name, command, rest if command is None else settings_last(command, standard_input(command, rest))


def standard_input(command: click.Command, args: list[str]) -> list[str]:
    """`-` as the file of standard input, where an argument is a file."""
    if not any(isinstance(one, click.Argument) and one.name in FILES for one in command.params):
        return args
    valued = _valued(command)
    return [
        "/dev/stdin" if text == "-" and before not in valued else text
        for before, text in zip(["", *args], args, strict=False)
    ]


def _valued(command: click.Command) -> set[str]:
    """Options that are followed by a value."""
    return {text for one in command.params if isinstance(one, click.Option) and not one.is_flag for text in one.opts}


def settings_last(command: click.Command, args: list[str]) -> list[str]:
    """The arguments of a command that takes settings, its `key=value`s behind all others: they may be anywhere."""
    if not any(isinstance(one, click.Argument) and one.name == "overrides" for one in command.params):
        return args
    valued = _valued(command)
    options: list[str] = []
    others: list[str] = []
    settings: list[str] = []
    rest = iter(args)
    for text in rest:
        if text == "--":
            others += rest
        elif text.startswith("-") and text != "-":
            options.append(text)
            options += [value for value in [next(rest, None)] if value is not None] if text in valued else []
        else:
            (settings if _SETTING.match(text) and not os.path.exists(text) else others).append(text)
    return [*options, "--", *others, *settings] if others or settings else options


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
        from .failure import complain

        complain(message(error), (way_out(error),), code="E0607")
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
