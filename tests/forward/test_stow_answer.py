"""What an answer says of the one object that was sent; that each status has its fate is seen over connections."""

from __future__ import annotations

import json

import pytest

from deid.errors import Rejected
from deid.forward.stow_answer import judge

STORED = {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.3"]}}]}


@pytest.mark.parametrize("tag", ["00081198", "0008119A"])
@pytest.mark.parametrize("item", ["x", None, 7, {}, [], {"00081197": {"Value": ["A700"]}}])
def test_what_is_told_of_a_failure_counts_in_whatever_form(tag: str, item: object) -> None:
    judge(200, json.dumps({"00081199": STORED, tag: {"vr": "SQ"}}).encode(), "1.2.3")  # no failure
    with pytest.raises(Rejected, match="failure reason 0110"):
        judge(200, json.dumps({"00081199": STORED, tag: {"vr": "SQ", "Value": [item]}}).encode(), "1.2.3")
