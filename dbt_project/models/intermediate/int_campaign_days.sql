-- The sessions of each campaign on each day, as its links spell it.
{{ config(
    materialized=by_days(),
    meta={'dates': {
        'column': 'date',
        'follows': {
            'fct_sessions': [0, 0],
        },
    }}
) }}

{%- set stale = stale_dates() %}

select
    session_date as date,
    session_campaign as campaign,
    cast(count(*) as bigint) as sessions,
    {{ lineage_list_of_lists('lineage_ids') }} as lineage_ids
from {{ ref('fct_sessions') }}
where {{ among('session_date', stale) }}
group by session_date, session_campaign
