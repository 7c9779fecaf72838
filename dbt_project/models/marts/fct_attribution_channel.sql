{{ attribution_rollup('channel_group') }}
