{{ attribution_rollup('campaign') }}
