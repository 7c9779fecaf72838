"""A source that is away for a moment is asked again; whatever else is wrong is said at once."""

import errno
import os
from pathlib import Path

import dagster as dg
import pytest

from mkt_assets.errors import InputError, MktError
from mkt_assets.ingest import assets
from mkt_assets.resources import LakeResource


@pytest.mark.parametrize(
    ("error", "asked_again"),
    [
        (OSError(errno.ESTALE, os.strerror(errno.ESTALE)), True),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), False),
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)), False),
        (InputError("the file is empty", remedy="Export it again."), False),
    ],
)
def test_only_what_may_pass_is_asked_for_again(
    tmp_path: Path, error: Exception, asked_again: bool
) -> None:
    def land() -> None:
        raise error

    lake = LakeResource(root=str(tmp_path))
    lake.lake.prepare()
    with pytest.raises(dg.RetryRequested if asked_again else MktError):
        assets._landed(lake, land)
