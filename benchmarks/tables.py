"""Write the tables of docs/ and benchmarks/results/ from the numbers there: `scripts/bench` calls this last.

    python benchmarks/tables.py

A page says where a benchmark's tables belong with two lines, `<!-- bench: latency -->` and `<!-- end -->`; what stands
between them is replaced. `<!-- bench: unknown: The bars; Every pair -->` gets the tables of these titles only. A record
of several `pieces`, each made by a run of its own, says below the tables of each how they were made.
"""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MARKED = re.compile(r"(<!-- bench: (\w+)(?:: ([^>]+?))? -->\n).*?(<!-- end -->)", re.DOTALL)
ABOUT = ("command", "hardware", "load_before", "measured", "commit", "repeats", "quick", "tables", "sentences")


def markdown(rows: list[dict[str, object]]) -> str:
    """`rows` as a table; columns that are empty throughout are left out."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    names = [name for name in names if any(row.get(name, "") != "" for row in rows)]
    lines = [names, ["---"] * len(names), *([str(row.get(name, "")) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def section(record: dict, titles: list[str]) -> str:
    """The tables of these `titles` of one benchmark, all of them where none is named, and how they were made.

    Raises:
        SystemExit: a title that the benchmark does not have.
    """
    if unknown := [title for title in titles if title not in record["tables"]]:
        raise SystemExit(f"{record['command']} has no table {unknown}. It has: {list(record['tables'])}.")
    wanted = {title: record["tables"][title] for title in titles or record["tables"]}
    tables = "\n\n".join(f"**{title}**\n\n{markdown(rows)}" for title, rows in wanted.items() if rows)
    facts = [f"{name.replace('_', ' ')}: {fact}" for name, fact in record.items() if name not in ABOUT and fact]
    rounds = f"{record['repeats']} round{'s' * (record['repeats'] != 1)}"
    how = [f"`{record['command']}`", record["hardware"], f"load before {record['load_before']}", rounds]
    how += [*facts, f"commit {record['commit']}", record["measured"]]
    warning = "> **A quick run, to see that the script works: these are no measurements.**\n\n" * record["quick"]
    return f"\n{warning}{tables}\n\n{'; '.join(how)}.\n\n"


def sections(record: dict, titles: list[str]) -> str:
    """The same of a record that may be in pieces, each with how it was made; empty where none of them is measured."""
    if "pieces" not in record:
        return section(record, titles)
    pieces = record["pieces"].values()
    wanted = [(piece, [title for title in titles if title in piece["tables"]]) for piece in pieces]
    return "".join(section(piece, own) for piece, own in wanted if own or not titles)


def main() -> None:
    """Fill every marked place for which there are results."""
    for page in sorted([*(ROOT / "docs").rglob("*.md"), *RESULTS.glob("*.md")]):
        text = page.read_text(encoding="utf-8")

        def fill(found: re.Match[str]) -> str:
            file = RESULTS / f"{found[2]}.json"
            if not file.exists():
                return found[0]
            titles = found[3].split("; ") if found[3] else []
            made = sections(json.loads(file.read_text(encoding="utf-8")), titles)
            return found[1] + made + found[4] if made else found[0]

        if (filled := MARKED.sub(fill, text)) != text:
            page.write_text(filled, encoding="utf-8")
            print(f"wrote {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
