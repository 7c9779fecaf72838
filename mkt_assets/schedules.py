"""The daily job, when it runs, and what watches over the runs."""

from datetime import timedelta

import dagster as dg

from mkt_assets.alerting import alert, post
from mkt_assets.calendar_days import late_window
from mkt_assets.lake import Lake
from mkt_assets.partitions import range_tags
from mkt_assets.resources import end_dead_runs
from mkt_assets.settings import settings

#: asked for, it does not happen overnight because a variable changed
_ASKED_FOR = dg.AssetKey(["privacy", "key_rotation"])
_ROTATION = dg.AssetSelection.assets(*([_ASKED_FOR] if settings().has_ga4 else []))
#: the refresh is daily: a run that comes two hours late warns, two that are missing fail
_FRESH = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(hours=26), fail_window=timedelta(hours=50)
)

#: a run whose process died is run again whole: what it had made may not fit what came since
_WHOLE = {"dagster/retry_strategy": "ALL_STEPS"}

daily_marketing = dg.define_asset_job(
    "daily_marketing",
    tags=_WHOLE,
    selection=dg.AssetSelection.all() - _ROTATION,
    description="From raw events and spend to the published file and the DSP payload.",
)


#: what is computed from guarded rows; the guard itself need not run again
_DOWNSTREAM = dg.AssetSelection.all() - dg.AssetSelection.groups(
    "ingest", "privacy"
) | dg.AssetSelection.assets(["privacy", "lineage_ledger"])

#: only where there are people to take out or to rename
_ABOUT_PEOPLE = [
    dg.define_asset_job(
        "erase_subjects",
        selection=_DOWNSTREAM | dg.AssetSelection.assets(["privacy", "erasures"]),
        tags=_WHOLE,
        description="People of a subject file out of everything that lies here; publish anew.",
    ),
    dg.define_asset_job(
        "rotate_keys",
        selection=_DOWNSTREAM | _ROTATION,
        tags=_WHOLE,
        description="Stored pseudonyms from older keys to the active one, then publish anew.",
    ),
]

JOBS = [daily_marketing, *(_ABOUT_PEOPLE if settings().has_ga4 else [])]


def expected_daily(spec: dg.AssetSpec) -> dg.AssetSpec:
    """``spec`` with the policy that the daemon holds it to, if the daily job makes it.

    A freshness policy asks when an asset was made; how old its newest day is, dbt's source
    freshness and the volume checks tell.
    """
    if spec.key == _ASKED_FOR or "exposure" in spec.kinds:
        return spec
    fresh: dg.AssetSpec = dg.apply_freshness_policy(spec, _FRESH)
    return fresh


@dg.schedule(
    job=daily_marketing,
    cron_schedule=settings().refresh_cron,
    execution_timezone=settings().timezone,
)
def daily_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Yesterday, and the days before it that GA4 may still have rewritten."""
    moment = context.scheduled_execution_time.astimezone(settings().tz)
    first, last = late_window(settings(), moment.date() - timedelta(days=1))
    return dg.RunRequest(run_key=str(last), tags=range_tags(first, last))


@dg.sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description="Ends runs whose process was killed: the queue would wait for them for ever.",
)
def killed_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """A machine that was switched off in the night must not stop every night after it."""
    ended = end_dead_runs(context.instance, Lake(settings().data_dir))
    return dg.SkipReason(f"ended: {', '.join(ended)}" if ended else "no run was killed")


#: what of a run tells why it failed
_TELLING = {
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.STEP_FAILURE,
}


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Tells MKT_ALERT_URL which run failed, in which steps and blocking checks.",
)
def failed_runs(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """A hook that does not answer fails this tick, where it can be seen; never the run."""
    hook = settings().alert_url
    if hook is None:
        return dg.SkipReason("MKT_ALERT_URL is not set: nobody is told")
    run = context.dagster_run
    log = context.instance.all_logs(run.run_id, of_type=_TELLING)
    told = {"job": run.job_name, "run_id": run.run_id}
    post(hook.get_secret_value(), alert(told, [e.dagster_event for e in log if e.is_dagster_event]))
    return None
