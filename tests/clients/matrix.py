"""The matrix of clients and scenarios, its legend and the closing line."""

FIGURES = ("first", "kill9")  # scenarios whose detail is worth reading when all is well


def text(cell):
    if cell is None:
        return "-"
    return f"{cell.state} {cell.seconds:.1f}" if cell.state in ("ok", "FAIL") else cell.state


def grid(clients, scenarios, cells):
    rows = [["", *scenarios]] + [[client, *(text(cells.get((client, scenario))) for scenario in scenarios)] for client in clients]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(word.ljust(width) for word, width in zip(row, widths)).rstrip()


def legend(clients, scenarios, cells, state):
    """Each reason once for each scenario, with the clients it holds for."""
    reasons = {}
    for scenario in scenarios:
        for client in clients:
            cell = cells.get((client, scenario))
            if cell is not None and cell.state == state:
                reasons.setdefault((scenario, cell.detail), []).append(client)
    if state == "skip":  # the same reason for every scenario
        reasons = {("all", reason): named for (_, reason), named in reasons.items()}
    for (scenario, reason), named in reasons.items():
        yield f"  {scenario}, {', '.join(named)}: {reason}"


def show(clients, scenarios, cells, problem):
    """Prints everything and returns the exit code. `n/a` is neither passed nor failed: there is nothing to test."""
    print()
    print("\n".join(grid(clients, scenarios, cells)))
    for state, title in (("n/a", "n/a: the client cannot do it"), ("skip", "skipped on this machine"), ("FAIL", "failed")):
        lines = list(legend(clients, scenarios, cells, state))
        if lines:
            print(f"\n{title}")
            print("\n".join(lines))
    for scenario in FIGURES:
        lines = [f"  {client}: {cells[client, scenario].detail}" for client in clients if cells.get((client, scenario), None) and cells[client, scenario].state == "ok"]
        if lines:
            print(f"\n{scenario}")
            print("\n".join(lines))
    if problem:
        print(f"\nFAIL {problem}")
    counts = {state: sum(cell.state == state for cell in cells.values()) for state in ("ok", "FAIL", "skip")}
    failed = counts["FAIL"] + (1 if problem else 0)
    print(f"\n{counts['ok']} passed, {failed} failed, {counts['skip']} skipped")
    return 1 if failed or not counts["ok"] else 0
