select
    changes.user_key,
    {{ utc('changes.changed_at') }} as changed_at,
    changes.ad_storage,
    changes.analytics_storage,
    changes.ad_user_data,
    changes.ad_personalization
from {{ lake_table('consent_log') }} as changes
