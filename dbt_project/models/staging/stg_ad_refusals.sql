select
    refusals.user_key,
    refusals.login_key
from {{ lake_table('ad_refusals') }} as refusals
