"""Runs on disk.

    rundir        a run directory: its files, and how it is found, made and continued
    checkpoint    weights, optimizer and loop state, read and written; never unpickled
    atomic        directories that are whole or not there, whatever instant the process ends at
    records       the forms of a run's JSON files
    judgements    `judgement.json`: how good the answers on a split are
    environment   versions and machine, for `env.json`
    runs          several runs side by side: settings that differ, figures (`dlc runs`)

Only `checkpoint` and `environment` load torch: listing runs does not.
"""
