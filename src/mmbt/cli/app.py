"""The group `mmbt`: commands found by name and loaded when used, failures turned into exit codes.

| exit | meaning                          | exit | meaning                               |
|------|----------------------------------|------|---------------------------------------|
| 0    | done                             | 5    | the strategy raised                   |
| 1    | an internal error                | 6    | reading or writing failed             |
| 2    | wrong usage                      | 7    | a numeric failure                     |
| 3    | input data that cannot be read   | 130  | interrupted; partial results are kept |
| 4    | a corrupt or incompatible store  |      |                                       |
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from typing import Any

import click

from mmbt import __version__
from mmbt.cli import settings
from mmbt.cli.failures import report_failure
from mmbt.cli.output import Document, emit_json
from mmbt.errors import did_you_mean

__all__ = ["Command", "LazyGroup", "command", "main", "mmbt"]

_WANTS_HELP = "mmbt.wants_help"
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class Command(click.Command):
    """A command that answers with a `Document`: JSON on stdout with `--json`, its text otherwise."""

    def __init__(self, *args: Any, hint: Callable[[str], str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.hint = hint
        self.params += [
            click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document on stdout."),
            click.Option(["--debug"], is_flag=True, help="Show the whole traceback of an error."),
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, with a hint for words that have no place on this command line."""
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            hint = self.hint(rest[0]) if self.hint else ""
            raise click.UsageError(f"unexpected {rest[0]!r}{hint and '; ' + hint}", ctx)
        return rest

    def invoke(self, ctx: click.Context) -> int:
        """Run the command, print its document, and return its exit code."""
        as_json = ctx.params.pop("as_json")
        ctx.params.pop("debug")
        if not as_json:
            document: Document = super().invoke(ctx)
            document.show()
            return document.exit_code
        with redirect_stdout(sys.stderr):  # a strategy that prints must not spoil the document
            document = super().invoke(ctx)
        emit_json(document.data)
        return document.exit_code

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples as they stand: click would re-wrap them."""
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.strip().splitlines():
                    formatter.write(f"{'':>{formatter.current_indent}}{line.strip()}\n" if line.strip() else "\n")


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used.

    Parameters
    ----------
    lazy
        For each command where it is, ``module:attribute``, and its line in the list.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and remember whether help is all that is wanted."""
        ctx.meta.setdefault(_WANTS_HELP, bool({"-h", "--help"} & set(args)))
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the table."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name; None when there is none."""
        if cmd_name not in self.lazy:
            return None
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        found: click.Command = getattr(import_module(module), attribute)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which names are near."""
        name = args[0]
        if name not in self.lazy and not name.startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(name, self.lazy, n=2, cutoff=0.6)
            hint = did_you_mean(name, near) or f"; there are {', '.join(self.lazy)}"
            if name == "help":
                hint = f"; write {ctx.command_path} --help"
            raise click.UsageError(f"no such command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.lazy.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples as they stand."""
        Command.format_epilog(self, ctx, formatter)  # type: ignore[arg-type]  # the same lines, the same layout


def command(name: str, *, examples: str, hint: Callable[[str], str] | None = None) -> Callable[..., Command]:
    """Make a function that returns a `Document` into a command with `--json`, `--debug` and examples."""
    decorate: Callable[..., Command] = click.command(
        name, cls=Command, hint=hint, epilog=examples, context_settings=dict(_CONTEXT)
    )
    return decorate


@click.group(
    cls=LazyGroup,
    context_settings=dict(_CONTEXT),
    epilog="""
    mmbt convert raw-data
    mmbt backtest --strategy linear-skew
    mmbt backtest --strategy fixed-spread -S half_spread_ticks=2 --latency 5ms --fills conservative
    """,
    lazy={
        "convert": ("mmbt.cli.convert:convert", "Turn raw quote and trade files into a store."),
        "backtest": ("mmbt.cli.backtest:backtest", "Replay a store against a strategy."),
        "train": ("mmbt.cli.train:train", "Learn which quotes earn most."),
        "strategies": ("mmbt.cli.strategies:strategies", "List, show and start strategies."),
        "model": ("mmbt.cli.model:model", "Show and export what was learned."),
        "formats": ("mmbt.cli.formats:formats", "List the raw formats that convert reads."),
        "hot": ("mmbt.cli.hot:hot", "Show, fill or clear the hot store of a store."),
        "synthetic": ("mmbt.cli.synthetic:synthetic", "Price a pair through others, beside its own book."),
        "synth": ("mmbt.cli.synth:synth", "Generate raw data of a market whose truth is known."),
        "solve": ("mmbt.cli.solve:solve", "Compute the exact answers of a model."),
        "evaluate": ("mmbt.cli.evaluate:evaluate", "Judge strategies against tuned baselines on days held out."),
        "doctor": ("mmbt.cli.doctor:doctor", "Check the installation, and say what to do."),
    },
)
@click.version_option(__version__, "-V", "--version", prog_name="mmbt", message="%(prog)s %(version)s")
@click.pass_context
def mmbt(ctx: click.Context) -> None:
    """mmbt replays every quote and every trade of a market, one by one, against a market-making strategy.

    Settings of a project stand in mmbt.toml in the current directory; flags win.
    """
    ctx.obj = {} if ctx.meta[_WANTS_HELP] else settings.load()  # help is given whatever the file holds
    if ctx.obj:
        assert isinstance(ctx.command, click.Group)
        ctx.default_map = settings.to_default_map(ctx.obj, ctx.command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; nothing is raised."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    if "_MMBT_COMPLETE" in os.environ:
        mmbt.main(args, prog_name="mmbt")
    flags = args[: args.index("--")] if "--" in args else args
    # Rows are decoded in one thread and let go by another: mimalloc, Arrow's own choice, keeps 50 MB more of them.
    if "CS_GNU_LIBC_VERSION" in os.confstr_names:  # elsewhere Arrow may be built without jemalloc, and says so
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
    # Our matrices are small: threads that NumPy's BLAS starts would burn a tenth of a second of each command, and sums
    # would depend on how many there are.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name outside the terminal's encoding is shown escaped, not fatal
            stream.reconfigure(errors="backslashreplace")
    try:
        with mmbt.make_context("mmbt", args) as context:
            code: int = mmbt.invoke(context)
    except click.exceptions.Exit as done:
        code = done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 0 if not args else 2
    except (Exception, KeyboardInterrupt) as error:
        debug = "--debug" in flags or os.environ.get("MMBT_DEBUG", "") not in {"", "0"}
        code = _report(error, as_json="--json" in flags, debug=debug)
    return _flush(code)


def _report(error: BaseException, *, as_json: bool, debug: bool) -> int:
    try:
        return report_failure(error, as_json=as_json, debug=debug)
    except OSError:  # the place where errors are shown is gone; the exit code is what is left
        return int(getattr(error, "exit_code", 1))


def _flush(code: int) -> int:
    """Flush while a closed pipe can still be told from success: at exit Python would print a traceback."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or 6
    return code
