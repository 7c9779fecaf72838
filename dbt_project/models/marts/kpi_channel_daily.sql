{{ kpi_rollup(['date', 'channel']) }}
