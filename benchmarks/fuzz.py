"""The fuzz campaign: mutated input files through source, landing and guard; each row accounted for, or the file refused.

    python benchmarks/fuzz.py [--files 2000] [--seed 1] [--limit 120] [--case N]

Ads, GA4 events, consent logs, contacts, A/B tests, exchange rates and ad sources, as CSV, NDJSON and Parquet; the
mutations are in fuzz_mutations.py. The files are read in another process, many in one, which is ended and replaced if
a file takes longer than --limit seconds. --case replays one file here and prints what became of it.

A file must end in one of two ways. Refused: an MktError that names the file and a remedy. Accounted for: kept +
without consent + cookieless + duplicate + quarantined + erased = rows in, line by line of the ledger; rows in = the
rows of the file, wherever somebody else can count them (csv, the lines of JSON, pyarrow; see fuzz_files.rows_in);
and the lake holds the rows that the ledger says were kept. Anything else is a fault: another exception, a hang, a
dead process, a personal value in a message or in what Dagster is told, a file that only harmless things were done to
(line ends, gzip, a BOM ...) and that is refused all the same. The exit code is then 1.

All files are dated, so that each row counts for the one asked day.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from multiprocessing import connection, get_context
from pathlib import Path
from random import Random
from typing import Any

import fuzz_files as files
import fuzz_mutations as mutations
import pyarrow.parquet as pq

from mkt_assets.errors import InputError, MktError
from mkt_assets.ingest.file_source import FileSource
from mkt_assets.ingest.sources import CONSENT, Landed
from mkt_assets.lake import Lake
from mkt_assets.marts.own_seeds import write_own_seeds
from mkt_assets.privacy import quiet
from mkt_assets.privacy.guarding import Guard
from mkt_assets.privacy.ledger import LEDGER, unbalanced
from mkt_assets.privacy.pseudonyms import Key
from mkt_assets.privacy.reconciliation import unreconciled
from mkt_assets.redaction import speakably
from mkt_assets.settings import Settings, load_settings

DAY = files.DAY
KEY = Key("fuzz", bytes(range(32)))
_FATES = (
    "rows_kept",
    "rows_dropped_consent",
    "rows_cookieless",
    "rows_duplicate",
    "rows_quarantined",
    "rows_erased",
)
REFUSED, COUNTED, OWN, FAULT = "refused", "counted", "own count", "FAULT"

Told = dict[str, Any]


def _settings(folder: Path, table: str, path: Path) -> Settings:
    dated = str(path).replace(f"{DAY:%Y%m%d}", "{date}")
    given = {
        "ads_uri": dated if table == "ads" else str(folder / "no.csv"),
        "ga4_uri": dated if table in ("events", "items") else str(folder / "no.json"),
        "consent_uri": str(path if table == "consent" else folder / "log.csv"),
        "contacts_uri": str(path if table == "contacts" else folder / "no.csv"),
        "experiments_uri": str(path if table == "experiments" else folder / "no.csv"),
    }
    if table in files.SEEDS:
        given[f"{table}_uri"] = str(path)
    return load_settings(
        source="files", data_dir=folder / "data", pii_keys=json.dumps({"fuzz": KEY.secret.hex()}), phone_region="DE", **given
    )  # fmt: skip


@cache
def _guarded_consent() -> bytes:
    """A guarded consent log, which events and contacts are judged by."""
    home = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        case = files.Case(0, "consent", "csv", Random(0), *files.some("consent", None))  # noqa: S311
        files.write(case)
        files.encode(case)
        known = _settings(home, "consent", files.place(case, home))
        lake = Lake(known.data_dir)
        FileSource(lake, known).land_consent(DAY)
        with quiet.connect(lake.landing) as con:
            Guard(lake, known, "fuzz", key=KEY).consent(con)
        return lake.whole(CONSENT).read_bytes()
    finally:
        shutil.rmtree(home)


def _read(table: str, known: Settings, lake: Lake) -> tuple[int | None, list[Landed]]:
    """The product's own way; of a seed the rows read, of anything else what was landed."""
    if table in files.SEEDS:
        write_own_seeds(known, lake.guarded)
        with (lake.guarded / files.SEEDS[table]).open(newline="") as written:
            return len(list(csv.DictReader(written))), []
    source = FileSource(lake, known)
    guard = Guard(lake, known, "fuzz", key=KEY)
    landing: dict[str, Callable[[], Any]] = {
        "ads": lambda: source.land_ads([DAY])[DAY],
        "events": lambda: source.land_events([DAY])[DAY],
        "items": lambda: source.land_events([DAY])[DAY],
        "consent": lambda: source.land_consent(DAY),
        "contacts": lambda: source.land_contacts(DAY),
        "experiments": lambda: source.land_experiments(DAY),
    }
    landed = landing[table]()
    if table in ("events", "items"):
        guard.events_of([DAY])
    elif table == "ads":
        guard.ads(DAY)
    else:
        with quiet.connect(lake.landing) as con:
            {"consent": guard.consent, "experiments": guard.experiments}.get(
                table, lambda c: guard.contacts(c, DAY)
            )(con)
    return None, landed


def judge(case: files.Case) -> Told:
    """Read one file and say how it ended, with faults if there are any."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        path = files.place(case, folder)
        known = _settings(folder, case.table, path)
        lake = Lake(known.data_dir)
        lake.prepare()
        if case.table in ("events", "items", "contacts"):
            lake.whole(CONSENT).parent.mkdir(parents=True)
            lake.whole(CONSENT).write_bytes(_guarded_consent())
        return dict(files.described(case)) | _ended(case, path, known, lake)
    finally:
        shutil.rmtree(folder)


def _ended(case: files.Case, path: Path, known: Settings, lake: Lake) -> Told:
    try:
        seeds, landed = _read(case.table, known, lake)
    except MktError as error:
        said = str(error)
        faults = _of_a_refusal(error, path, _as_told(lake, error))
        if mutations.is_harmless(case):
            faults.append("refused, though only harmless things were done to it")
        return {"how": FAULT if faults else REFUSED, "faults": faults, "said": said}
    except Exception as error:  # noqa: BLE001  any other exception is what is looked for
        where = traceback.extract_tb(error.__traceback__)
        ours = [f"{Path(f.filename).name}:{f.lineno}" for f in where if "mkt_assets" in f.filename]
        fault = f"{type(error).__name__} at {ours[-1] if ours else '?'}"
        return {"how": FAULT, "faults": [fault], "said": str(error)[:2000]}
    expected = files.rows_in(case)
    told = json.dumps([asdict(item) for item in landed], default=str)
    if case.table in files.SEEDS:
        faults = [] if expected in (seeds, None) else [f"{expected} rows in the file, {seeds} read"]
    else:
        faults = _unaccounted(lake, landed, expected)
    faults += [f"personal in the metadata: {value!r}" for value in _personal(told)]
    how = FAULT if faults else OWN if expected is None else COUNTED
    return {"how": how, "faults": faults, "rows": expected, "said": ""}


def _of_a_refusal(error: MktError, path: Path, told: str) -> list[str]:
    faults = [f"personal in the message: {value!r}" for value in _personal(told)]
    named = (
        error.file is not None
        if isinstance(error, InputError)
        else path.name in str(error) or str(DAY) in str(error)
    )
    if not named or path.stem.split("_")[0] not in str(error):
        faults.append(f"the refusal does not name the file: {str(error)[:200]}")
    if isinstance(error, InputError) and not error.remedy:
        faults.append(f"the refusal names no remedy: {str(error)[:200]}")
    return faults


def _as_told(lake: Lake, error: MktError) -> str:
    """What Dagster keeps: refusals of a source are made speakable, those of the guard are so by themselves."""
    if not isinstance(error, InputError):
        return str(error)

    def again() -> None:
        raise error

    try:
        speakably(lake, again)
    except MktError as told:
        return str(told)
    return ""


def _personal(text: str) -> list[str]:
    return sorted(value for value in files.people() if value in text)


def _unaccounted(lake: Lake, landed: list[Landed], expected: int | None) -> list[str]:
    lines = [
        line
        for p in (lake.guarded / LEDGER).rglob("*.parquet")
        for line in pq.read_table(p, partitioning=None).to_pylist()
    ]
    rows = sum(line["rows_in"] for line in lines)
    faults = [*unbalanced(lake), *_other_than_stored(lake)]
    faults += [f"{item.lost} rows lost on landing" for item in landed if item.lost]
    fates = sum(line[name] for line in lines for name in _FATES)
    if rows != fates or sum(item.rows_in for item in landed) != rows:
        faults.append(f"{rows} rows in the ledger, {fates} with a fate")
    if expected is not None and rows != expected:
        faults.append(f"{expected} rows in the file, {rows} accounted for")
    return faults


def _other_than_stored(lake: Lake) -> list[str]:
    # the consent log that events are judged by was put there without a ledger
    return [
        told
        for told in unreconciled(lake)
        if not (told.startswith(CONSENT) and "says 0 rows" in told)
    ]


# --- many files ---


def _serve(pipe: connection.Connection, seed: int) -> None:
    while (number := pipe.recv()) is not None:
        before = time.process_time()
        told = judge(mutations.make(seed, number))
        told["cpu"] = time.process_time() - before
        told["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        pipe.send(told)


def campaign(seed: int, many: int, limit: float) -> Iterator[Told]:
    """Each case's end, in a process that may die or hang without harm."""
    context, reader = get_context("spawn"), None
    for number in range(many):
        if reader is None:
            ours, theirs = context.Pipe()
            reader = context.Process(target=_serve, args=(theirs, seed), daemon=True)
            reader.start()
            theirs.close()
        ours.send(number)
        fault = f"hung: no answer in {limit:.0f} s"
        try:
            if ours.poll(limit):
                yield ours.recv()
                continue
        except EOFError:
            reader.join()
            fault = f"the process died with {reader.exitcode}"
        reader.kill()
        reader.join()
        reader = None
        case = mutations.make(seed, number)
        yield dict(files.described(case)) | {
            "how": FAULT,
            "faults": [fault],
            "said": "",
            "cpu": 0.0,
            "peak_mb": 0,
        }
    if reader is not None:
        ours.send(None)
        reader.join()


@dataclass
class Tally:
    """How the files ended, by input and by mutation."""

    by_input: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    by_mutation: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    files: int = 0
    rows: int = 0
    faults: int = 0
    cpu: float = 0.0
    peak_mb: int = 0

    def add(self, told: Told) -> None:
        """One more; a fault is told at once."""
        self.by_input[f"{told['table']} {told['kind']}"][told["how"]] += 1
        for name in set(told["done"]):
            self.by_mutation[name][told["how"]] += 1
        self.files, self.rows = self.files + 1, self.rows + (told.get("rows") or 0)
        self.cpu, self.peak_mb = self.cpu + told["cpu"], max(self.peak_mb, told["peak_mb"])
        if told["how"] == FAULT:
            self.faults += 1
            done, what = ", ".join(told["done"]), "; ".join(told["faults"])
            print(
                f"case {told['case']}: {told['table']} {told['kind']}, {done}: {what}", flush=True
            )

    def show(self, seed: int) -> None:
        """Print the tables."""
        _table("input", self.by_input | {"all": sum(self.by_input.values(), Counter())})
        _table("mutation", dict(sorted(self.by_mutation.items())))
        print(
            f"\n{self.files} files of seed {seed}, {self.rows:,} rows counted apart, {self.faults} faults, "
            f"{self.cpu:.0f} CPU s, peak {self.peak_mb} MB"
        )


def _table(title: str, told: dict[str, Counter[str]]) -> None:
    print(
        f"\n| {title} | files | refused | every row, counted apart | every row, own count | faults |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, ends in told.items():
        counts = (ends.total(), ends[REFUSED], ends[COUNTED], ends[OWN], ends[FAULT])
        print(f"| {name} | {' | '.join(map(str, counts))} |")


def _replay(seed: int, number: int) -> int:
    told = judge(mutations.make(seed, number))
    print(json.dumps(told, indent=1, default=str))
    return 1 if told["how"] == FAULT else 0


def main() -> None:
    """Run it, or one case of it; ended early, it shows what it has."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=120, help="seconds that one file may take")
    parser.add_argument("--case", type=int, help="replay this one")
    asked = parser.parse_args()
    for name in [n for n in os.environ if n.startswith("MKT_")]:
        del os.environ[name]
    if asked.case is not None:
        sys.exit(_replay(asked.seed, asked.case))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tally = Tally()
    try:
        for told in campaign(asked.seed, asked.files, asked.limit):
            tally.add(told)
    except KeyboardInterrupt:
        print("ended early")
    tally.show(asked.seed)
    sys.exit(1 if tally.faults else 0)


if __name__ == "__main__":
    main()
