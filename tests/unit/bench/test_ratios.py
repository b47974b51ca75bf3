from tests.load.bench.peers import ratios


def test_a_ratio_above_one_is_ours_whichever_way_is_better() -> None:
    assert ratios.ratio("tasks_per_s", 30.0, 10.0) == 3.0
    assert ratios.ratio("dispatch_idle_p50_ms", 2.0, 8.0) == 4.0
    assert ratios.ratio("workflow3_p50_ms", 10.0, 5.0) == 0.5


def test_only_pairs_have_a_ratio() -> None:
    figures = {"tasks_per_s": 30.0, "peer_dbos_tasks_per_s": 10.0, "peer_dbos_workflow3_p50_ms": 9}

    assert ratios.ratios(figures) == {"peer_dbos_tasks_per_s_ratio": 3.0}


def test_a_loss_is_called_one() -> None:
    text = ratios.render({"tasks_per_s": 5.0, "peer_pgqueuer_tasks_per_s": 10.0})

    assert "WE LOSE" in text


def test_ours_comes_first_in_a_group() -> None:
    (group,) = ratios.groups({"tasks_per_s": 5.0, "peer_pgqueuer_tasks_per_s": 10.0})

    assert group.rows == [("mainspring", 5.0), ("pgqueuer", 10.0)]
