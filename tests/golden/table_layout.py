"""The small table of the TVAE and CTGAN golden files: 5 columns, two of three categories, two of two, one of one, laid out in
Tapestry's planes (category 0 of every column, then category 1 of those that have it, then category 2)."""

import torch

from golden_file import DTYPE

WIDTHS = [5, 4, 2]  # columns with at least one, two, three categories
COLUMNS, CATEGORIES = WIDTHS[0], sum(WIDTHS)


def category_count(column):
    return sum(column < width for width in WIDTHS)


def position(column, category):
    return column + sum(WIDTHS[:category])


def positions(column):
    """Where the categories of a column stand in a row of CATEGORIES numbers."""
    return [position(column, category) for category in range(category_count(column))]


def one_hot(table):
    """Dense rows [B, CATEGORIES] of a table [B, COLUMNS] of categories."""
    rows = torch.zeros(len(table), CATEGORIES, dtype=DTYPE)
    for row, categories in enumerate(table.tolist()):
        for column, category in enumerate(categories):
            rows[row, position(column, category)] = 1
    return rows
