"""`mkt` as people and scripts use it: exit codes, one clear line for a refusal, JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mkt_assets.cli import app
from mkt_assets.lake import Lake
from mkt_assets.privacy.lineage import FATES, ledger_rows
from mkt_assets.privacy.lineage_history import replace_lines
from mkt_assets.settings import settings

MKT = Path(sys.executable).with_name("mkt")


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of the test's own, and no ``.env`` of the developer's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MKT_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def mkt() -> Callable[..., Result]:
    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)

    return run


def _today() -> date:
    return datetime.now(UTC).date()


@pytest.mark.parametrize(
    "arguments",
    [
        "run --from 2025-02-01",
        "run --to 2025-02-01",
        "run --date 2025-02-01 --from 2025-02-01 --to 2025-02-02",
        "run --date 2025-02-01 --to 2025-02-02",
        "run --date 01.02.2025",
        "run --date 2025-02-30",
        "run --days 3",
        "run 2025-02-01",
        "demo --days 0",
        "demo --days many",
        "demo --nonsense",
        "doctor --nonsense",
        "analyze file.csv",
        "analyze --out out",
        "lineage",
        "policy now",
        "analyze file.csv --out out --date-order mddy",
        "no-such-command",
        "",
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_touched(
    mkt: Callable[..., Result], data: Path, arguments: str
) -> None:
    result = mkt(*arguments.split())
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert not data.exists()
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("run --date {tomorrow}", "is not over yet in UTC: the last day is {yesterday}"),
        ("run --date {today}", "is not over yet in UTC: the last day is {yesterday}"),
        ("run --from 2025-02-01 --to {tomorrow}", "is not over yet"),
        ("run --from 2025-02-02 --to 2025-02-01", "after the last day 2025-02-01: swap them"),
        ("run --date 2024-12-31", "set MKT_START_DATE=2024-12-31 or earlier"),
    ],
)
def test_days_that_cannot_be_run_are_refused_in_one_line(
    mkt: Callable[..., Result], data: Path, arguments: str, words: str
) -> None:
    days = {
        "today": _today(),
        "tomorrow": _today() + timedelta(days=1),
        "yesterday": _today() - timedelta(days=1),
    }
    result = mkt(*arguments.format(**days).split())
    assert result.exit_code == 1
    assert result.stdout == ""
    assert words.format(**days) in _one_line(result.stderr)
    assert not data.exists()
    result = mkt(*arguments.format(**days).split(), "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["success"] is False
    assert words.format(**days) in told["error"]


@pytest.mark.parametrize("command", ["run", "demo"])
@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (("MKT_SORCE", "files"), "unknown setting MKT_SORCE"),
        (("MKT_TIMEZONE", "Mars/Olympus"), "MKT_TIMEZONE"),
        (("MKT_SOURCE", "files"), "needs MKT_GA4_URI or MKT_ADS_URI"),
        (("MKT_PII_KEYS", "not-a-secret-but-close"), "MKT_PII_KEYS"),
    ],
)
def test_a_setting_that_is_wrong_is_refused_by_name(
    mkt: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    setting: tuple[str, str],
    words: str,
) -> None:
    monkeypatch.setenv(*setting)
    result = mkt(command)
    assert result.exit_code == 1
    assert words in _one_line(result.stderr)
    assert "not-a-secret" not in result.output


def test_the_demo_never_runs_on_a_users_own_files(
    mkt: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    monkeypatch.setenv("MKT_SOURCE", "files")
    monkeypatch.setenv("MKT_ADS_URI", "ads.csv")
    result = mkt("demo")
    assert result.exit_code == 1
    assert "unset MKT_SOURCE, or use mkt run" in _one_line(result.stderr)
    assert not data.exists()


def _one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    assert text.startswith("mkt: ")
    return text


# --- doctor ---


def test_the_doctor_of_an_empty_folder_says_what_to_do_first(
    mkt: Callable[..., Result], data: Path
) -> None:
    result = mkt("doctor")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert all(line.split()[0] in ("ok", "warn") for line in lines)
    for what in ("landing", "published", "partitions"):
        (line,) = [line for line in lines if line.split()[1] == what]
        assert line.startswith("warn")
        assert line.endswith("-> mkt demo or mkt run")
    assert not data.exists(), "looking changes nothing"


def test_the_doctor_as_json_is_a_list_of_the_same_findings(mkt: Callable[..., Result]) -> None:
    lines = mkt("doctor").stdout.splitlines()
    findings = json.loads(mkt("doctor", "--json").stdout)
    assert [f["what"] for f in findings] == [line.split()[1] for line in lines]
    assert all(set(f) == {"status", "what", "seen", "remedy"} for f in findings)
    assert {"versions", "settings", "disk", "landing", "keys", "lock", "published"} <= {
        f["what"] for f in findings
    }


def test_the_doctor_fails_an_open_landing_area_and_says_how_to_close_it(
    mkt: Callable[..., Result], data: Path
) -> None:
    landing = Lake(data).landing
    Lake(data).prepare()
    landing.chmod(0o755)
    result = mkt("doctor")
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("fail")]
    assert "mode 0755" in line
    assert line.endswith(f"-> chmod 700 {landing}")
    landing.chmod(0o700)
    assert mkt("doctor").exit_code == 0


def test_the_doctor_fails_an_open_vault_and_says_how_to_close_it(
    mkt: Callable[..., Result], data: Path
) -> None:
    vault = Lake(data).vault
    (vault / "match_keys").mkdir(parents=True, mode=0o755)
    vault.chmod(0o700)
    result = mkt("doctor")
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("fail")]
    assert "1 places open to others" in line
    assert line.endswith(f"chmod -R go-rwx {vault}")
    (vault / "match_keys").chmod(0o700)
    assert mkt("doctor").exit_code == 0


def test_the_doctor_fails_a_published_file_that_does_not_open(
    mkt: Callable[..., Result], data: Path
) -> None:
    serving = Lake(data).serving
    serving.mkdir(parents=True)
    (serving / "v-1.duckdb").write_bytes(b"no database")
    (serving / "mkt_bi.duckdb").symlink_to("v-1.duckdb")
    result = mkt("doctor", "--json")
    assert result.exit_code == 1
    (finding,) = [f for f in json.loads(result.stdout) if f["status"] == "fail"]
    assert finding["what"] == "published"


@pytest.mark.parametrize(
    ("name", "value"), [("MKT_SORCE", "files"), ("MKT_PII_KEYS", '{"k1": "beef"}')]
)
def test_the_doctor_finds_a_refused_setting(
    mkt: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    result = mkt("doctor", "--json")
    assert result.exit_code == 1
    (finding,) = [f for f in json.loads(result.stdout) if f["status"] == "fail"]
    assert finding["what"] == "settings"
    assert name in finding["seen"]
    assert "beef" not in result.stdout


def test_the_doctor_shows_what_a_killed_run_left(mkt: Callable[..., Result], data: Path) -> None:
    lake = Lake(data)
    lake.prepare()
    (lake.locks / "run.lock").write_text('{"pid": 1, "holder": "run deadbeef"}')
    (lake.guarded / ".writing-events.parquet").write_bytes(b"half")
    findings = {f["what"]: f for f in json.loads(mkt("doctor", "--json").stdout)}
    assert findings["lock"]["status"] == "warn"
    assert "1 leftovers" in findings["lock"]["seen"]


def test_the_policy_is_said_in_words_and_as_json(
    mkt: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mkt("policy").stdout.startswith("Policy 1. An event is kept")
    monkeypatch.setenv("MKT_POLICY_VERSION", "2")
    monkeypatch.setenv("MKT_ANALYSIS_NEEDS", "analytics_storage,ad_storage")
    settings.cache_clear()
    told = json.loads(mkt("policy", "--json").stdout)
    assert told["analysis_needs"] == ["analytics_storage", "ad_storage"]
    assert told["stamp"].startswith("2-")
    assert told["statement"].startswith(f"Policy {told['stamp']}.")


def test_lineage_leads_back_or_says_that_it_does_not(
    mkt: Callable[..., Result], data: Path
) -> None:
    result = mkt("lineage", "ln_ab")
    assert (result.exit_code, "no ledger" in result.stderr) == (1, True)
    made = "ln_" + "ab" * 16
    now = datetime(2025, 2, 2, tzinfo=UTC)
    line = {
        "lineage_id": made, "table_name": "events", "partition": date(2025, 2, 1),
        "source_uri": "file:///gone.json", "source_bytes": 1, "source_sha256": "ab", "rows_in": 1,
        **dict.fromkeys(FATES, 0), "rows_kept": 1, "reasons": "{}", "policy_version": "1",
        "consent_basis": "privacy_info", "key_id": "k1", "code_version": "0", "run_id": "r",
        "processed_at": now,
    }  # fmt: skip
    replace_lines(Lake(data), "events", date(2025, 2, 1), ledger_rows([line]), now=now)
    result = mkt("lineage", "ln_ab")
    assert result.exit_code == 0
    assert "/gone.json: gone" in result.stdout
    (told,) = json.loads(mkt("lineage", made, "--json").stdout)["lineage"]
    assert told["landed"]["state"] == "purged"

    payload = Path("payload.json")
    payload.write_text(json.dumps({"lineage_ids": [made]}))
    assert mkt("lineage", payload).exit_code == 0
    payload.write_text(json.dumps({"lineage_ids": [made, "ln_lost"]}))
    result = mkt("lineage", payload, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["unresolved"] == ["ln_lost"]
    for wrong in ("ln_cd", "no-such.json", "nonsense"):
        result = mkt("lineage", wrong)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("mkt: ")


# --- the installed program ---


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], 0), (["run", "--from", "2025-02-01"], 2), (["run", "--date", "2999-01-01"], 1)],
)
def test_the_installed_program_ends_with_the_same_codes(arguments: list[str], code: int) -> None:
    done = subprocess.run(
        [MKT, *arguments], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_help_and_usage_load_no_heavy_library() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from mkt_assets.cli import app\n"
        "CliRunner().invoke(app, ['--help'])\n"
        "CliRunner().invoke(app, ['run', '--from', '2025-02-01'])\n"
        "print(sorted({'dagster', 'duckdb', 'pandas', 'sklearn'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_scan_of_a_folder_that_is_clean_ends_with_zero(
    mkt: Callable[..., Result], data: Path
) -> None:
    Lake(data).prepare()
    (data / "reports").mkdir()
    (data / "reports" / "daily.txt").write_text("all is well", encoding="utf-8")
    done = mkt("scan")
    assert done.exit_code == 0
    assert "reports" in done.output
    told = json.loads(mkt("scan", "--json").output)
    assert told == {"success": True, "places": {"reports": 0}, "findings": []}


def test_a_scan_names_place_and_kind_and_ends_with_one(
    mkt: Callable[..., Result], data: Path
) -> None:
    Lake(data).prepare()
    (data / "reports").mkdir()
    (data / "reports" / "daily.txt").write_text("to jane.doe@example.com", encoding="utf-8")
    done = mkt("scan", "--json")
    assert done.exit_code == 1
    told = json.loads(done.output)
    assert told["findings"] == [
        {"place": "reports/daily.txt", "column": "text", "kind": "email", "count": 1}
    ]
    assert mkt("scan").exit_code == 1
    assert "jane" not in done.output + mkt("scan").output


def test_a_scan_of_nothing_is_refused(mkt: Callable[..., Result]) -> None:
    done = mkt("scan", "--json")
    assert done.exit_code == 1
    assert "mkt demo or mkt run" in json.loads(done.output)["error"]
