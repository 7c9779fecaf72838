"""The dbt project as Dagster assets: every model an asset, every dbt test a check."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject, dbt_assets
from packaging.version import Version

from mkt_assets.contracts import ANALYTICS
from mkt_assets.marts.column_lineage import LAKE, STORED, parents_of_models
from mkt_assets.marts.dbt import (
    dbt_exclude,
    dbt_executable,
    export_environment,
    prepared_manifest,
    run_path,
    seeds_path,
    without_keys,
)
from mkt_assets.marts.dbt_tests import (
    RESULTS,
    described,
    failing_rows,
    first_of,
    messages,
)
from mkt_assets.marts.own_seeds import write_own_seeds
from mkt_assets.metadata import COLUMNS, preview
from mkt_assets.partitions import POOL, SINGLE_RUN
from mkt_assets.project import dbt_project_dir
from mkt_assets.quality.expectations import import_meanwhile
from mkt_assets.resources import LakeResource
from mkt_assets.settings import settings
from mkt_assets.warehouse import Relation, Warehouse

GROUP = "marts"


class MartsTranslator(DagsterDbtTranslator):
    """Keys ``marts/<model>``; sources are the guard's assets; tests of severity error block."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """``marts/<model>``, and the guard's own keys for what it wrote."""
        is_source = dbt_resource_props["resource_type"] == "source"
        return dg.AssetKey(["privacy" if is_source else GROUP, dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:  # noqa: ARG002
        """One group for the whole project."""
        return GROUP

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """Whom to ask about a mart."""
        return [ANALYTICS]


PROJECT = DbtProject(dbt_project_dir(), profiles_dir=dbt_project_dir())


@dbt_assets(
    manifest=described(prepared_manifest(settings())),
    exclude=dbt_exclude(settings()),
    dagster_dbt_translator=MartsTranslator(),
    project=PROJECT,
    backfill_policy=SINGLE_RUN,
    pool=POOL,
    name="dbt_marts",
)
def dbt_marts(
    context: dg.AssetExecutionContext,
    dbt: DbtCliResource,
    lake: LakeResource,  # noqa: ARG001  holds the run lock while dbt writes
    warehouse: Warehouse,
) -> Iterator[Any]:
    """Build and test the models, then fingerprint what was built."""
    warehouse.make_ready(timeout=settings().lock_timeout_seconds, say=context.log.warning)
    export_environment(settings())
    write_own_seeds(settings(), seeds_path(settings()))
    # unit tests prove the models on made-up rows; they belong to CI, not to every night
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    # the run's log has what dbt says; a file of its own, with every statement, costs a tenth
    arguments += ["--log-level-file", "none"]
    artifacts = run_path(settings())
    # else a dbt that was killed would be explained in the words of the run before
    (artifacts / RESULTS).unlink(missing_ok=True)
    with without_keys():
        running = dbt.cli(arguments, context=context, target_path=artifacts, raise_on_error=False)
    if context.selected_asset_check_keys:
        # dbt is a process of its own: what the data contracts need costs no time beside it
        import_meanwhile()
    events = list(running.stream())
    failure = running.get_error()
    built: dict[str, Relation] = {}
    lineage: dict[str, dg.TableColumnLineage] = {}
    if not failure:
        warehouse.stamp_build()
        built = warehouse.relations()
        lineage = _column_lineage(artifacts, built)
    for event in events:
        if isinstance(event, dg.AssetCheckResult) and not event.passed:
            yield _explained(event, artifacts, warehouse)
        else:
            yield _measured(event, built, lineage)
    if failure:
        warehouse.drop_if_damaged(context.log.error)
        raise failure


def _column_lineage(
    artifacts: Path, built: Mapping[str, Relation]
) -> dict[str, dg.TableColumnLineage]:
    """Where each column of each model comes from, as far as its SQL tells."""
    manifest = json.loads((artifacts / "manifest.json").read_text(encoding="utf-8"))
    columns = {f"{table.schema}.{name}": table.columns for name, table in built.items()}
    compiled = artifacts / "compiled" / manifest["metadata"]["project_name"]
    parents = parents_of_models(manifest, compiled, columns, artifacts / STORED)
    return {
        model: dg.TableColumnLineage(
            {
                column: [
                    dg.TableColumnDep(
                        dg.AssetKey(["privacy" if schema == LAKE else GROUP, table]), parent
                    )
                    for relation, parent in above
                    for schema, table in [relation.split(".")]
                ]
                for column, above in columns_of_model.items()
            }
        )
        for model, columns_of_model in parents.items()
    }


def _explained(
    check: dg.AssetCheckResult, artifacts: Path, warehouse: Warehouse
) -> dg.AssetCheckResult:
    """A failed test with dbt's own words, which else stand only in the log, and rows it found."""
    test = str(check.metadata["unique_id"].value)
    metadata, words = dict(check.metadata), messages(artifacts).get(test)
    failing = failing_rows(artifacts, test)
    if failing:
        reasons, sample = first_of(failing, warehouse.query)
        words = f"{words}: {reasons}" if reasons else words
        metadata["sample"] = preview(sample)
    return check._replace(description=words, metadata=metadata)


def _measured(
    event: Any, built: Mapping[str, Relation], lineage: Mapping[str, dg.TableColumnLineage]
) -> Any:
    """A model's event with its rows and columns as they were built, which dbt does not tell."""
    if not isinstance(event, dg.Output):
        return event
    table = event.output_name.rsplit("__", 1)[-1]
    told: dict[str, Any] = {}
    if table in built:
        columns = [dg.TableColumn(name, kind) for name, kind in built[table].columns.items()]
        told = {"dagster/row_count": built[table].rows}
        # marts are described column by column in their contract
        told |= {} if built[table].schema == "marts" else {COLUMNS: dg.TableSchema(columns)}
    if table in lineage:
        told["dagster/column_lineage"] = lineage[table]
    return dg.Output(
        event.value,
        output_name=event.output_name,
        metadata={**event.metadata, **told},
        data_version=event.data_version,
        tags=event.tags,
    )


def _exposures() -> list[dg.AssetSpec]:
    """Who reads the marts beside the assets, as dbt's exposures tell: the end of the lineage graph.

    An exposure that says which asset it is in ``meta.dagster.asset_key`` is in the graph already.
    """
    manifest = json.loads(prepared_manifest(settings()).read_text(encoding="utf-8"))
    translator = MartsTranslator()
    return [
        dg.AssetSpec(
            ["publish", exposure["name"]],
            deps=[
                translator.get_asset_key(manifest["nodes"][node])
                for node in exposure["depends_on"]["nodes"]
                if not settings().absent.keys() & set(manifest["nodes"][node]["tags"])
            ],
            description=exposure["description"],
            group_name="publish",
            owners=[exposure["owner"]["name"]],
            kinds={"dbt", "exposure"},
        )
        for exposure in manifest["exposures"].values()
        if "dagster" not in exposure["meta"]
    ]


class OwnDbt(DbtCliResource):
    """The dbt of this environment, whose version is known and whose adapter nobody here asks for.

    Else each run starts one more dbt to ask its version and loads dbt in this process, too: 7 CPU
    seconds. If dagster-dbt renames these two, runs are as slow as that again, and not wrong.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:  # noqa: ARG002
        return None


def dbt_resource() -> OwnDbt:
    """The command line of dbt in this environment."""
    folder = str(dbt_project_dir())
    return OwnDbt(project_dir=folder, profiles_dir=folder, dbt_executable=dbt_executable())


ASSETS = [dbt_marts, *_exposures()]
