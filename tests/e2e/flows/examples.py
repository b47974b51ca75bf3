"""Runs programs one after the other: {name: code} comes in, [name, what it printed] goes out."""

import contextlib
import io
import json
import sys
import traceback

for name, code in json.load(sys.stdin).items():
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(code, name, "exec"), {"__name__": "__main__"})
        except Exception:  # noqa: BLE001 -- told as what it printed; the others are run all the same
            traceback.print_exc(file=sys.stdout)
    print(json.dumps([name, printed.getvalue()]), flush=True)
