"""`mkt`: the command line; each command calls one function and prints what it returns.

Exit codes: 0 when it worked, 1 when a blocking check failed or an input was refused, 2 for wrong
usage.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mkt_assets.errors import MktError

if TYPE_CHECKING:
    from mkt_assets.erase import Proof

app = typer.Typer(
    help="Marketing data platform: consented events and ad spend to KPIs, insight and budgets.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DateOrder = Literal["ymd", "dmy", "mdy"]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@contextmanager
def _refusals(as_json: bool = False) -> Iterator[None]:
    """Turn a refusal into one clear line and exit code 1; anything else is a bug and shows."""
    try:
        yield
    except MktError as error:
        if as_json:
            typer.echo(json.dumps({"success": False, "error": str(error)}))
        else:
            typer.echo(f"mkt: {error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def demo(
    days: Annotated[int, typer.Option(min=1, help="How many days of sample data.")] = 60,
    as_json: Json = False,
) -> None:
    """Run the whole graph on sample data of our own making; needs no key, server or network."""
    with _refusals(as_json):
        from mkt_assets.calendar_days import last_complete_day
        from mkt_assets.settings import settings

        if settings().source != "sample":
            raise MktError("mkt demo uses the sample source: unset MKT_SOURCE, or use mkt run")
        last = last_complete_day(settings())
        first = max(last - timedelta(days=days - 1), settings().start_date)
        _run(first, last, as_json)


@app.command()
def run(
    day: Annotated[
        datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="One day.")
    ] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the daily job: yesterday and the days that GA4 still rewrites, or the days you name."""
    if day and (first or last):
        raise typer.BadParameter("give either --date or --from and --to")
    if bool(first) != bool(last):
        raise typer.BadParameter("--from and --to belong together")
    with _refusals(as_json):
        if day:
            _run(day.date(), day.date(), as_json)
        elif first and last:
            _run(first.date(), last.date(), as_json)
        else:
            from mkt_assets.calendar_days import last_complete_day, late_window
            from mkt_assets.settings import settings

            _run(*late_window(settings(), last_complete_day(settings())), as_json)


@app.command()
def analyze(
    file: Annotated[Path, typer.Argument(help="A campaign file: CSV or Parquet, plain or gzip.")],
    out: Annotated[Path, typer.Option(help="The folder for the results.")],
    currency: Annotated[
        str | None, typer.Option(help="Currency of the money columns; default: MKT_CURRENCY.")
    ] = None,
    date_order: Annotated[
        DateOrder | None, typer.Option(help="Order of ambiguous dates: ymd, dmy or mdy.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Analyse one campaign file: KPIs, anomalies, trends, insights, clusters and a report."""
    if currency is not None and not re.fullmatch("[A-Z]{3}", currency):
        raise typer.BadParameter(f"--currency {currency}: give three capital letters such as EUR")
    with _refusals(as_json):
        from mkt_assets.publish.analyze import analyze_file
        from mkt_assets.settings import settings

        result = analyze_file(
            file,
            out,
            currency=currency or settings().currency,
            date_order=date_order or settings().date_order,
            policy=settings().policy,
        )
        typer.echo(json.dumps(result.as_dict(), indent=1) if as_json else result.as_text())


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check versions, permissions, disk, locks, keys and the published file, and say what to do."""
    with _refusals(as_json):
        from mkt_assets.doctor import examine

        findings = examine()
        if as_json:
            typer.echo(json.dumps([asdict(f) for f in findings], indent=1))
        else:
            for finding in findings:
                typer.echo(finding.as_line())
        if any(f.status == "fail" for f in findings):
            raise typer.Exit(1)


@app.command()
def erase(
    subject_file: Annotated[
        Path | None, typer.Option(help="Whom to erase: a text file, one identifier a line.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only look whether anything is left, everywhere.")
    ] = False,
    removals: Annotated[
        Path | None, typer.Option(help="Write their match keys here first, for the ad platforms.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Take people out of everything that lies here, and keep them out; then publish anew."""
    if subject_file is None and not verify:
        raise typer.BadParameter("give --subject-file, or --verify, or both")
    with _refusals(as_json):
        from mkt_assets import erase as erasing
        from mkt_assets.settings import settings

        if verify:
            _verified(erasing.verify(settings(), subject_file), as_json)
        elif subject_file is not None:
            out = sys.stderr if as_json else sys.stdout
            told = erasing.erase(settings(), subject_file, out, removals)
            typer.echo(json.dumps(asdict(told), indent=1) if as_json else told.as_text())
            if not told.success:
                raise typer.Exit(1)


@app.command("rotate-keys")
def rotate_keys(
    unlink: Annotated[
        bool,
        typer.Option(
            "--unlink",
            help="Re-key people whose identifier is nowhere, cut from their later data. Keep the "
            "old key: without it they can be neither erased nor refused.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring stored pseudonyms from older keys to the first of MKT_PII_KEYS; may be interrupted."""
    with _refusals(as_json):
        from mkt_assets.erase import newest_day
        from mkt_assets.lake import Lake
        from mkt_assets.privacy.unlinked import warning as unlinked_warning
        from mkt_assets.runner import run_job
        from mkt_assets.settings import settings

        days = (newest_day(settings()),) * 2
        out = sys.stderr if as_json else sys.stdout
        config = {"privacy__key_rotation": {"unlink": unlink}}
        outcome = run_job(settings(), "rotate_keys", days, out, config)
        if as_json:
            typer.echo(json.dumps(asdict(outcome), indent=1))
        elif outcome.success:
            typer.echo(_closing(outcome))
            if told := unlinked_warning(Lake(settings().data_dir)):
                typer.echo(told)
        if not outcome.success:
            raise typer.Exit(1)


def _verified(proof: Proof, as_json: bool) -> None:
    told = {"success": proof.success, **asdict(proof)}
    typer.echo(json.dumps(told, indent=1) if as_json else proof.as_text())
    if not proof.success:
        raise typer.Exit(1)


@app.command()
def policy(as_json: Json = False) -> None:
    """Say which consent is needed for what: the written policy in force."""
    with _refusals(as_json):
        from mkt_assets.settings import settings

        stated = settings().policy
        told = {**asdict(stated), "stamp": stated.stamp, "statement": stated.statement()}
        typer.echo(json.dumps(told, indent=1) if as_json else stated.statement())


@app.command()
def lineage(
    asked: Annotated[str, typer.Argument(metavar="ID|PAYLOAD.json", help="An id or a payload.")],
    as_json: Json = False,
) -> None:
    """Show the way back: from a lineage id, or a payload file, to the files of the source rows."""
    with _refusals(as_json):
        from mkt_assets.activation import payload
        from mkt_assets.lake import Lake
        from mkt_assets.privacy import tracing
        from mkt_assets.privacy import tracing_text as words
        from mkt_assets.settings import settings

        lake = Lake(settings().data_dir)
        lines = tracing.all_lines(lake)
        if asked.endswith(".json") or Path(asked).is_file():
            trace = tracing.trace_payload(lines, Path(asked))
            told: Any = words.payload_as_dict(trace)
            content = json.loads(Path(asked).read_text(encoding="utf-8"))
            stated = content.get("idempotency_key")
            changed = stated is not None and payload.idempotency_key(content) != stated
            faults = ["its content was changed: the idempotency key is of another"] * changed
            told |= {"success": not (trace.unresolved or faults), "problems": faults}
            text = "\n".join([words.payload_as_text(trace), *(f"not valid: {f}" for f in faults)])
            success = told["success"]
        else:
            ways = [tracing.way_back(lake, line) for line in tracing.resolve(lines, asked)]
            told = {"success": True, "lineage": [words.way_as_dict(way) for way in ways]}
            text, success = "\n\n".join(map(words.way_as_text, ways)), True
        typer.echo(json.dumps(told, indent=1) if as_json else text)
        if not success:
            raise typer.Exit(1)


@app.command()
def scan(as_json: Json = False) -> None:
    """Look for personal data in everything that the data folder holds, closed areas apart."""
    with _refusals(as_json):
        from mkt_assets.lake import Lake
        from mkt_assets.privacy.scan_places import scan_everything
        from mkt_assets.settings import settings

        found = scan_everything(Lake(settings().data_dir))
        findings = [finding for place in found.values() for finding in place]
        if as_json:
            told = {"success": not findings, "places": {p: len(f) for p, f in found.items()}}
            typer.echo(json.dumps(told | {"findings": [asdict(f) for f in findings]}, indent=1))
        else:
            for place, here in sorted(found.items()):
                typer.echo(f"{place:<12} {f'{len(here)} findings' if here else 'nothing personal'}")
            for finding in findings:
                typer.echo(f"  {finding.as_line()}")
        if findings:
            raise typer.Exit(1)


def _run(first: date, last: date, as_json: bool) -> None:
    from mkt_assets.calendar_days import refuse_odd_days
    from mkt_assets.publish.summary import summarize
    from mkt_assets.runner import run_days
    from mkt_assets.settings import settings

    refuse_odd_days(settings(), first, last)
    out = sys.stderr if as_json else sys.stdout
    if not as_json:
        typer.echo(f"Running {first} to {last} into {settings().data_dir}")
    outcome = run_days(settings(), first, last, out)
    told: dict[str, Any] = asdict(outcome)
    if outcome.success:
        summary = summarize(settings(), first, last)
        told["summary"] = summary.as_dict()
        if not as_json:
            typer.echo(_closing(outcome))
            typer.echo(summary.as_text())
    elif not as_json:
        typer.echo(
            f"\nNot published: {len(outcome.failures)} failure(s). "
            f"What was published before is untouched. Details: {outcome.log}",
            err=True,
        )
    if as_json:
        typer.echo(json.dumps(told, indent=1, default=str))
    if not outcome.success:
        raise typer.Exit(1)


def _closing(outcome: Any) -> str:
    warned = f", {len(outcome.warnings)} warnings" if outcome.warnings else ""
    return (
        f"\n{len(outcome.assets)} assets, {outcome.checks_passed} checks passed{warned}, "
        f"{outcome.seconds:.1f} s"
    )


if __name__ == "__main__":
    app()
