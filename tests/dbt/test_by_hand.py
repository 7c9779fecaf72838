"""dbt as a person calls it: what changed since the last build is known without the platform."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lake_project import DAY_1, PROJECT, Project, event
from small_lake import fill

pytestmark = pytest.mark.slow


def test_by_hand_a_changed_variable_or_macro_builds_anew(tmp_path: Path) -> None:
    project = Project(tmp_path, source=tmp_path / "dbt [1]")
    shutil.copytree(PROJECT, project.source)
    fill(project, ads=False)

    def key_events(*arguments: str) -> int:
        done = project.dbt("run", "--select", "stg_events int_session_days", *arguments)
        assert done.returncode == 0, done.stdout
        total = project.query("select sum(key_events) as n from intermediate.int_session_days")
        return int(total["n"].item())

    others = ("--vars", "{key_events: [view_item]}")
    assert (key_events(), key_events(*others)) == (3, 1)
    macro = project.source / "macros" / "keys.sql"
    macro.write_text(
        macro.read_text().replace('\'{{ var("key_events")', "'page_view', '{{ var(\"key_events\")")
    )
    assert key_events(*others) == 1 + 4


def test_by_hand_a_changed_seed_counts_once_it_is_loaded(tmp_path: Path) -> None:
    project = Project(tmp_path, source=tmp_path / "dbt")
    shutil.copytree(PROJECT, project.source)
    fill(project, ads=False)
    from_news = {"param_source": "news.example", "param_medium": "referral"}
    project.write("events", [event("page_view", "eve", 5, **from_news)], DAY_1)

    def group(command: str, *arguments: str) -> str:
        chosen = ("--select", "+fct_sessions", "--exclude", "tag:ads", *arguments)
        done = project.dbt(command, *chosen)
        assert done.returncode == 0, done.stdout
        sessions = "select min(channel_group) as one from marts.fct_sessions"
        return str(project.query(f"{sessions} where session_source = 'news.example'")["one"].item())

    # loads the seeds, then runs the models
    untested = ("build", "--resource-type", "seed", "--resource-type", "model")
    assert group(*untested) == "Referral"
    seed = project.source / "seeds" / "ga4_source_categories.csv"
    seed.write_text(seed.read_text() + "news.example,video,added\n")
    assert group("run") == "Referral"
    assert group(*untested) == "Organic Video"
    # a digest with numbers in it would look personal to the scan
    codes = project.query("select distinct code from builds.readings")["code"]
    assert codes.str.fullmatch("[0-9a-f]{16}").all()


def test_by_hand_a_new_rule_is_asked_of_days_that_were_tested_before(tmp_path: Path) -> None:
    project = Project(tmp_path, source=tmp_path / "dbt")
    shutil.copytree(PROJECT, project.source)
    fill(project, ads=False)
    build = ("build", "--select", "stg_events", "--exclude-resource-type", "unit_test")
    done = project.dbt(*build)
    assert done.returncode == 0, done.stdout
    contract = project.source / "models/staging/_staging.yml"
    text, key = contract.read_text(), "            key: [event_key]\n"
    assert text.count(key) == 1
    rule = "            rules: {nobody_is_called_ann: user_key != 'ann'}\n"
    contract.write_text(text.replace(key, key + rule))
    assert project.dbt(*build).returncode == 1
    assert project.broken("stg_events") == {"not so: nobody_is_called_ann."}
