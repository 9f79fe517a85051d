"""What lies beside a mask is told from its edge; an area is taken whole or not at all."""

from __future__ import annotations

import numpy as np

from deid.pixels.areas import apart, areas, beside


def test_the_edge_of_a_mask_is_no_text() -> None:
    mask, found = np.zeros((100, 100), np.bool_), np.zeros((100, 100), np.bool_)
    mask[20:40, 20:80] = True
    found[18:24, 18:82] = True
    assert not apart(found, mask).any()
    found[70:80, 30:60] = True
    assert apart(found, mask)[70:80, 30:60].all()
    assert not apart(found, mask)[:60].any()


def test_the_rest_of_a_line_lies_beside_its_mask_and_the_edge_does_not() -> None:
    mask, found = np.zeros((100, 200), np.bool_), np.zeros((100, 200), np.bool_)
    mask[20:40, 20:150] = True
    found[16:44, 16:154] = True
    assert not beside(found, mask).any()
    found[16:44, 150:175] = True  # less than a fifth of it
    assert beside(found, mask)[20:40, 156:175].all()
    assert not apart(found, mask).any()
    found[:] = False
    found[45:50, 20:150] = found[38:50, 20:30] = True  # letters hardly higher than an edge, close below
    assert beside(found, mask)[45:50, 20:150].all()


def test_an_area_is_taken_whole_where_enough_of_it_lies_there() -> None:
    found, where = np.zeros((50, 50), np.bool_), np.zeros((50, 50), np.bool_)
    found[5:15, 5:45] = found[25:35, 5:45] = True
    where[5:15, 5:20] = where[25:35, 5:10] = True
    chosen = areas(found, where, 0.3)
    assert chosen[5:15, 5:45].all()
    assert not chosen[20:].any()
