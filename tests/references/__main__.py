"""`python -m tests.references [ROW ..]`: measure all rows, or those named, and write docs/references.md."""

from __future__ import annotations

import sys

from .page import PAGE, write
from .reference import rows
from .worker import Worker


def main(wanted: list[str]) -> int:
    unknown = set(wanted) - {row.id for row in rows()}
    if unknown:
        print(f"no such row: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    write([])  # rows that are gone
    worker, failed = Worker(), 0
    for row in rows():
        if wanted and row.id not in wanted:
            continue
        try:
            found = worker.measure(row)
            found.check()
        except AssertionError as error:
            failed += 1
            print(f"{row.id}: {error}", file=sys.stderr)
            continue
        write([found])
        gradients = "" if found.gradients is None else f", gradients {found.gradients:.1e}"
        print(f"{row.id}: PyTorch {found.pytorch:.1e}, ONNX Runtime {found.onnx:.1e}{gradients}", flush=True)
    worker.close()
    print(f"wrote {PAGE}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
