{{ kpi_rollup(['date']) }}
