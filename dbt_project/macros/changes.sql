{# Which days must be built again, kept in the warehouse itself, so that no run, crash or build of a
   few models can lose one.

   `builds.changes` has a row for each time that a producer (a model, or a table of the lake) changed
   the rows of a day; `builds.readings` how far each consumer has read. Both are written in the
   transaction that replaces a model's rows. A consumer's stale days are those that one of the
   producers it follows changed since it last read.

   A model says what it follows in its config:
   meta={'dates': {'column': its day,
                   'follows': {producer: [first, last]},  days around a changed one that it touches
                   'spans': [columns of other days that a row's values come from],
                   'entity': {'rows': model, 'key': column, 'date': column}}}
   where a row is made of another model's rows of several days with one key. A model that follows nothing is
   computed whole each time; its days that came out otherwise are the changed ones.

   A model with a row for each key, made of the key's rows of all days, says 'keys' instead of 'spans' and
   'entity' and has the strategy `replace_keys`:
                   'keys': {'key': column, 'rows': model, 'date': its day, 'first': column, 'last': column}}}

   All this is DuckDB's: other engines build such models whole, as by_days() tells them, and the rest of this
   file then says nothing. #}


{# The materialization of a model that replaces only the days that changed. #}
{% macro by_days() -%} {{ 'incremental' if target.type == 'duckdb' else 'table' }} {%- endmacro %}


{# dbt's own answer, which needs a look into the warehouse, is asked for only where it can be yes. #}
{% macro is_incremental() -%} {{ return(by_days() == 'incremental' and dbt.is_incremental()) }} {%- endmacro %}


{# on-run-start: what differs in the lake from what was last seen is a change, whoever made it:
   a daily run, late data, an erasure, a file removed by hand. #}
{% macro note_lake_changes() -%}
    {{ return(adapter.dispatch('note_lake_changes', 'mkt')()) }}
{%- endmacro %}

{% macro default__note_lake_changes() -%} {%- endmacro %}

{% macro duckdb__note_lake_changes() -%}
    {%- if execute -%}
    create schema if not exists builds;
    create table if not exists builds.changes (producer varchar, event_date date, number bigint);
    create table if not exists builds.readings (consumer varchar, producer varchar, number bigint, code varchar);
    create table if not exists builds.lake_files (producer varchar, event_date date, looks varchar);
    create or replace temporary table lake_now as
        select '' as producer, current_date as event_date, '' as looks where false
        {%- for node in graph.sources.values()
            if '/event_date=*/' in node.config.meta.files and duckdb__lake_has_files(node) %}
        union all
        select
            'lake.{{ node.name }}',
            {{ duckdb__day_of_file('filename') }},
            -- whole seconds do: nobody writes the lake while dbt runs, and dbt takes seconds to start
            size || ' ' || last_modified
        from read_blob('{{ lake_pattern(node) }}')
        {%- endfor %};
    insert into builds.changes
    select
        coalesce(lake.producer, seen.producer),
        coalesce(lake.event_date, seen.event_date),
        (select coalesce(max(number), 0) + 1 from builds.changes)
    from lake_now as lake
    full join builds.lake_files as seen on lake.producer = seen.producer and lake.event_date = seen.event_date
    where lake.looks is distinct from seen.looks;
    delete from builds.lake_files;
    insert into builds.lake_files from lake_now;
    {%- endif -%}
{%- endmacro %}


{# The days that this model has to build again, as a list of ISO dates, or none where it is built whole. Asked
   twice of one build, by the model and by the strategy, and looked up once. #}
{% macro stale_dates() -%}
    {%- if execute and is_incremental() -%}
    {%- if not model.config.meta.dates.follows -%} {{ return(none) }} {%- endif -%}
    {%- set known = known_in_this_run('stale') -%}
    {%- if model.name not in known -%} {%- do known.update({model.name: find_stale_dates()}) -%} {%- endif -%}
    {{ return(known[model.name]) }}
    {%- endif -%}
{%- endmacro %}


{# A dictionary that lives as long as dbt does: the graph is the one thing that all of a run's contexts share. #}
{% macro known_in_this_run(name) -%} {{ return(graph.setdefault('mkt_' ~ name, {})) }} {%- endmacro %}


{% macro find_stale_dates() -%}
    {%- set dates = model.config.meta.dates -%}
    {%- set changed -%}
        {%- for producer, reach in dates.follows.items() %}
        {{ "union" if not loop.first }}
        select changes.event_date + cast(days.n as integer) as event_date
        from builds.changes as changes
        cross join range({{ reach[0] }}, {{ reach[1] + 1 }}) as days (n)
        where changes.producer = '{{ producer }}' and changes.number > {{ read_until(producer) }}
        {%- endfor %}
    {%- endset -%}
    {%- set query -%}
        with changed as ({{ changed }})
        {%- if 'spans' in dates %},
        {%- set whole = "built." ~ dates.column ~ ", built." ~ dates.spans | join(', built.') %}
        {%- set reach = {'first': 'least(' ~ whole ~ ')', 'last': 'greatest(' ~ whole ~ ')'} %}
        touched as (
            select distinct
                built.{{ dates.column }}{% if 'entity' in dates %}, built.{{ dates.entity.key }}{% endif %}
            from {{ this }} as built
            inner join changed on changed.event_date between {{ reach.first }} and {{ reach.last }}
            -- what lies within its own day is told by that day
            where {{ reach.first }} != {{ reach.last }}
        )
        {%- endif %}
        select event_date from changed
        {%- if 'spans' in dates %}
        union
        select {{ dates.column }} from touched
        {%- endif %}
        {%- if 'entity' in dates %}
        union
        select parts.{{ dates.entity.date }}
        from {{ ref(dates.entity.rows) }} as parts
        where parts.{{ dates.entity.key }} in (
            select picked.{{ dates.entity.key }} from {{ ref(dates.entity.rows) }} as picked
            where picked.{{ dates.entity.date }} in (select event_date from changed)
            {%- if 'spans' in dates %}
            union
            select {{ dates.entity.key }} from touched
            {%- endif %}
        )
        {%- endif %}
        order by 1
    {%- endset -%}
    {{ return(run_query(query).columns[0].values() | map('string') | list) }}
{%- endmacro %}


{# The number of the producer's last change that this model has seen. #}
{% macro read_until(producer) -%}
    coalesce((
        select max(number) from builds.readings
        where consumer = '{{ model.name }}' and producer = '{{ producer }}'
    ), 0)
{%- endmacro %}


{# A condition that a day lies between `back` days before the first and `ahead` days after the last of `dates`;
   true where all is built. #}
{% macro around(column, dates, back=0, ahead=0) -%}
    {%- if dates is none or dates is string -%} true
    {%- elif not dates -%} false
    {%- else -%}
    {{ column }} between {{ minus_days("date '" ~ dates[0] ~ "'", back) }}
    and {{ plus_days("date '" ~ dates[-1] ~ "'", ahead) }}
    {%- endif -%}
{%- endmacro %}


{# A condition that a day is among `dates`; literals, so that only their files are read. #}
{% macro among(column, dates) -%}
    {%- if dates is none or dates is string -%} true
    {%- elif not dates -%} false
    {%- else -%} {{ column }} in ({% for day in dates %}date '{{ day }}'{{ ", " if not loop.last }}{% endfor %})
    {%- endif -%}
{%- endmacro %}


{# A model is built anew, whole, when its code or a setting is not the one it was built with. #}
{% macro should_full_refresh() -%}
    {%- set told = config.get('full_refresh') -%}
    {%- if told is not none -%} {{ return(told) }} {%- endif -%}
    {%- if flags.FULL_REFRESH or not execute or not follows_dates() -%} {{ return(flags.FULL_REFRESH) }} {%- endif -%}
    {{ return(not is_of_this_code()) }}
{%- endmacro %}

{% macro follows_dates() -%}
    {{ return(target.type == 'duckdb' and model is defined and 'dates' in model.config.get('meta', {})) }}
{%- endmacro %}

{# As it was when dbt began: a model that was not is built whole, and its post-hook wants to know that. #}
{% macro is_of_this_code() -%}
    {%- set known = known_in_this_run('codes') -%}
    {%- if 'consumers' not in known -%}
        {%- set query = "select distinct consumer, code from builds.readings" -%}
        {%- do known.update({'consumers': run_query(query).rows | map('list') | list}) -%}
    {%- endif -%}
    {{ return([model.name, this_code()] in known.consumers) }}
{%- endmacro %}

{# A digest of the project and the settings, with that of the seeds that the model at hand reads, as they are loaded: a
   file that changed says nothing of a table that nobody loaded. The platform tells the first; by hand it is worked out,
   once in a run. 16 hex digits in any case: counts and sums side by side would look like a phone number. #}
{% macro this_code() -%}
    {%- set known = known_in_this_run('code') -%}
    {%- if 'digest' not in known -%}
        {%- do known.update({'digest': env_var('MKT_DBT_CODE', '') or code_by_hand()}) -%}
    {%- endif -%}
    {%- set seeds = looks_of_seeds() -%}
    {{ return(local_md5(known.digest ~ seeds)[:16] if seeds else known.digest) }}
{%- endmacro %}

{% macro looks_of_seeds() -%}
    {%- set known, looks = known_in_this_run('seeds'), [] -%}
    {%- set parents = model.depends_on.nodes if model is defined and model.resource_type == 'model' else [] -%}
    {%- for id in parents | sort if id.startswith('seed.') -%}
        {%- if id not in known -%}
            {%- set seed = ref(graph.nodes[id].name) -%}
            {%- set query = 'select count(*), sum(cast(hash(seed) as hugeint)) from ' ~ seed ~ ' as seed' -%}
            {%- do known.update({id: ' ' ~ run_query(query).rows[0].values() | join(' ')}) -%}
        {%- endif -%}
        {%- do looks.append(known[id]) -%}
    {%- endfor -%}
    {{ return(looks | join) }}
{%- endmacro %}

{% macro code_by_hand() -%}
    {%- set folder = invocation_args_dict.project_dir | string | replace("'", "''") -%}
    {#- what is special in a pattern is not so in a path -#}
    {%- set folder = folder | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]') -%}
    {%- set settings = [final_after_days()] -%}
    {%- for name in ('MKT_DBT_CURRENCY', 'MKT_DBT_ACTIVATION_NEEDS') -%} {%- do settings.append(env_var(name, '')) -%}
    {%- endfor -%}
    {%- set files = ['dbt_project.yml', 'macros/*.sql', 'models/**/*.sql', 'models/**/*.yml'] -%}
    {%- set query -%}
        select md5(string_agg(parse_filename(filename) || ' ' || md5(content), ' ' order by filename))
        from read_text([
            {%- for pattern in files + ['models/**/*.py'] %}
            '{{ folder }}/{{ pattern }}'{{ "," if not loop.last }}
            {%- endfor %}
        ])
    {%- endset -%}
    {%- set digest = run_query(query).columns[0].values()[0] -%}
    {%- if not digest -%}
        {{ exceptions.raise_compiler_error('no file of the dbt project is below ' ~ folder) }}
    {%- endif -%}
    {{ return(local_md5(tojson(['by hand', digest, settings, invocation_args_dict.vars], sort_keys=true))[:16]) }}
{%- endmacro %}


{# The incremental strategy: whole days are replaced where their rows changed, and emptied where they
   became empty, which `delete+insert` by key does not do. #}
{% macro get_incremental_replace_dates_sql(arguments) -%}
    {%- set column = model.config.meta.dates.column -%}
    {%- set old, new = arguments.target_relation, arguments.temp_relation -%}
    {%- set dates = stale_dates() -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    create or replace temporary table {{ model.name }}__changed as
        {%- for relation in (old, new) %}
        {{ "full join" if not loop.first else "select coalesce(here.day, there.day) as event_date from" }} (
            select {{ column }} as day, count(*) as amount, sum(cast(hash(stored) as hugeint)) as looks
            from (select {{ columns }} from {{ relation }} where {{ among(column, dates) }}) as stored
            group by {{ column }}
        ) as {{ loop.cycle('here', 'there') }}
        {%- endfor %} on here.day = there.day
        where here.amount is distinct from there.amount or here.looks is distinct from there.looks;
    delete from {{ old }} where {{ column }} in (select event_date from {{ model.name }}__changed);
    insert into {{ old }} ({{ columns }})
        select {{ columns }} from {{ new }}
        where {{ column }} in (select event_date from {{ model.name }}__changed)
        order by {{ column }};
    {{ note_changes("select event_date from " ~ model.name ~ "__changed") }}
{%- endmacro %}


{# The keys whose rows a change of `dates` can alter: those that another model's rows have on such a day, and those
   built before whose days reach over one, since their row of that day may be gone. #}
{% macro touched_keys(dates) -%}
    {%- set keys = model.config.meta.dates['keys'] -%}
    select distinct parts.{{ keys.key }}
    from {{ ref(keys.rows) }} as parts
    where {{ among('parts.' ~ keys.date, dates) }}
    {%- for day in dates %}
    union distinct
    select built.{{ keys.key }} from {{ this }} as built
    where date '{{ day }}' between built.{{ keys.first }} and built.{{ keys.last }}
    {%- endfor %}
{%- endmacro %}


{# The incremental strategy of a model with a row for each key: touched keys are computed anew, and are gone
   where they have no rows any more. #}
{% macro get_incremental_replace_keys_sql(arguments) -%}
    {%- set old, new = arguments.target_relation, arguments.temp_relation -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    delete from {{ old }} where {{ model.config.meta.dates['keys'].key }} in ({{ touched_keys(stale_dates()) }});
    insert into {{ old }} ({{ columns }}) select {{ columns }} from {{ new }};
    {{ note_changes("select event_date from builds.changes where false") }}
{%- endmacro %}


{# post-hook: a model that was built whole has changed all its days, those that are gone too. #}
{% macro note_rebuild() -%}
    {%- if execute and follows_dates() and (flags.FULL_REFRESH or not is_of_this_code() or has_unread()) -%}
    {{ note_changes(
        "select " ~ model.config.meta.dates.column ~ " as event_date from " ~ this
        ~ " union select event_date from builds.changes where producer = '" ~ model.name ~ "'"
    ) }}
    {%- endif -%}
{%- endmacro %}

{# Whether a producer changed since this model last read: not any more, once the strategy has run. #}
{% macro has_unread() -%}
    {%- set query -%}
        select count(*) from builds.changes
        where
            false
            {%- for producer in model.config.meta.dates.follows %}
            or (producer = '{{ producer }}' and number > {{ read_until(producer) }})
            {%- endfor %}
    {%- endset -%}
    {{ return(run_query(query).columns[0].values()[0] > 0) }}
{%- endmacro %}

{% macro note_changes(dates) -%}
    insert into builds.changes
        select distinct
            '{{ model.name }}',
            event_date,
            (select coalesce(max(number), 0) + 1 from builds.changes)
        from ({{ dates }});
    delete from builds.readings where consumer = '{{ model.name }}';
    insert into builds.readings
        select '{{ model.name }}', producers.producer, coalesce(max(changes.number), 0), '{{ this_code() }}'
        from (values {% for producer in model.config.meta.dates.follows or ['nothing'] %}('{{ producer }}'){{ ", " if not loop.last }}{% endfor %}) as producers (producer)
        left join builds.changes as changes on producers.producer = changes.producer
        group by producers.producer;
{%- endmacro %}


{# For a test: a condition that `column`, the day of the incremental model `relation` or of what `producer` names,
   is one whose rows changed since the test last passed under the code as it is. What passed and did not change need not
   be read again. #}
{% macro untested(relation, column, producer=none) -%}
    {%- if not execute or column is none or target.type != 'duckdb' -%} {{ return('true') }} {%- endif -%}
    {%- set query -%}
        select distinct changes.event_date
        from builds.changes as changes
        where
            changes.producer = '{{ producer or relation.identifier }}'
            and changes.number > coalesce((
                select max(number) from builds.readings
                where
                    consumer = '{{ this.identifier }}'
                    and producer = '{{ producer or relation.identifier }}'
                    and code = '{{ this_code() }}'
            ), 0)
        order by 1
    {%- endset -%}
    {{ return(among(column, run_query(query).columns[0].values() | map('string') | list)) }}
{%- endmacro %}


{# on-run-end: how far each test that reads only changed days has passed. #}
{% macro note_tests(results) -%}
    {%- if execute and target.type == 'duckdb' -%}
    {%- set passed = [] -%}
    {%- for result in results
        if result.node.resource_type == 'test' and result.status == 'pass'
        and result.node.test_metadata and 'dates' in result.node.test_metadata.kwargs -%}
        {%- set producer = result.node.test_metadata.kwargs.producer or result.node.attached_node.split('.')[-1] -%}
        {%- do passed.append("('" ~ result.node.alias ~ "', '" ~ producer ~ "')") -%}
    {%- endfor -%}
    {%- if passed %}
    create or replace temporary table tests_passed (consumer varchar, producer varchar);
    insert into tests_passed values {{ passed | join(', ') }};
    delete from builds.readings where consumer in (select passed.consumer from tests_passed as passed);
    insert into builds.readings
        select passed.consumer, passed.producer, max(changes.number), '{{ this_code() }}'
        from tests_passed as passed
        inner join builds.changes as changes on passed.producer = changes.producer
        group by passed.consumer, passed.producer;
    {%- endif -%}
    {%- endif -%}
{%- endmacro %}
