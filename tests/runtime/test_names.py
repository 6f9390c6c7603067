"""Names of a column: which are known, which are missing, which are one name with blanks."""

from __future__ import annotations

import pytest

from dlc.runtime.data import facts

ALL = 'split = all("train")'
SPLIT = "split = contiguous(train = 0.5, val = 0.5)"


def source(workspace, *names: str) -> str:
    workspace.write("t.csv", "y,n\n" + "".join(f"{name},{i}\n" for i, name in enumerate(names)))
    return 'source = csv("t.csv")\n'


def test_a_number_for_names_that_training_has_not_seen(workspace) -> None:
    body = source(workspace, "b", "a", "c", "a") + f"{SPLIT}\ny: i64 = source.y -> category(unknown = true)"
    assert workspace.everything(body)["y"].tolist() == [1, 0]
    assert workspace.everything(body, "val")["y"].tolist() == [2, 0]
    assert facts.of(workspace.open(body)).fields["y"].classes == ("a", "b", "(unknown)")


def test_names_below_a_count_are_unknown(workspace) -> None:
    body = (
        source(workspace, "b", "a", "b", "c") + f"{ALL}\ny: i64 = source.y -> category(unknown = true, min_count = 2)"
    )
    assert workspace.everything(body)["y"].tolist() == [0, 1, 0, 1]


def test_a_name_that_is_called_unknown(workspace) -> None:
    body = (
        source(workspace, "(unknown)", "b", "(unknown)", "c")
        + f"{SPLIT}\ny: i64 = source.y -> category(unknown = true)"
    )
    assert workspace.everything(body)["y"].tolist() == [0, 1] and workspace.everything(body, "val")["y"].tolist() == [
        0,
        2,
    ]


def test_given_names_and_one_for_others(workspace) -> None:
    body = (
        source(workspace, "low", "high", "odd")
        + f'{ALL}\ny: i64 = source.y -> category("low", "mid", "high", unknown = true)'
    )
    assert workspace.everything(body)["y"].tolist() == [0, 2, 3]


@pytest.mark.parametrize("word", ["NA", "nan", "None", "null", "n/a"])
def test_a_word_for_a_missing_value_is_a_class_only_where_it_is_given(workspace, word: str) -> None:
    start = source(workspace, "x", word, "z")
    for field in ("category", "category(unknown = true)"):
        found = workspace.mistake(f"{start}{ALL}\ny: i64 = source.y -> {field}")
        assert f'E0205: t.csv:3, column `y`: "{word}" stands for a missing value, so its class is missing' in found
        assert 'where = source.y != ""' in found and 'missing = [""]' in found
    batch = workspace.everything(f'{start}{ALL}\ny: i64 = source.y -> category("x", "z", "{word}")')
    assert batch["y"].tolist() == [0, 2, 1]
    given = start.replace('"t.csv"', '"t.csv", missing = [""]')
    assert sorted(workspace.everything(f"{given}{ALL}\ny: i64 = source.y -> category")["y"].tolist()) == [0, 1, 2]
    kept = workspace.everything(f'{start}{ALL}\nwhere = source.y != ""\ny: i64 = source.y -> category')
    assert kept["y"].tolist() == [0, 1]


def test_missing_names_are_filled_in(workspace) -> None:
    start = source(workspace, "b", "", "a", "NA", "b", "c")
    body = f"{start}{ALL}\ny: i64 = source.y -> impute(%s) -> category"
    assert workspace.everything(body % '"most_frequent"')["y"].tolist() == [1, 1, 0, 1, 1, 2]
    assert workspace.everything(body % '"unknown"')["y"].tolist() == [1, 3, 0, 3, 1, 2]
    found = workspace.mistake(
        source(workspace, "", "NA") + f'{ALL}\ny: i64 = source.y -> impute("most_frequent") -> category'
    )
    assert "nothing to learn" in found


def test_names_that_differ_in_blanks_are_noticed(workspace) -> None:
    body = source(workspace, "a", "b", "a ") + f"{ALL}\ny: i64 = source.y -> category"
    found = workspace.mistake(body)
    assert 'E0205: t.csv:4, column `y`: the names "a " and "a" differ only in blanks' in found and "strip" in found
    assert workspace.everything(body.replace("category", "strip -> category"))["y"].tolist() == [0, 1, 0]
