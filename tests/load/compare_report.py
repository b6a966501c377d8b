"""Medians of a comparison: a table per job on standard output, compare.json and compare.html.

    compare_report.py ROWS.tsv OUT "what was measured"
"""

import csv
import html
import json
import statistics
import sys

TITLES = {
    "plain": "Proxy",
    "jwt": "RS256 + limit + proxy, every token new",
    "jwtc": "RS256 + limit + proxy, tokens seen before",
    "cache": "Answer from the cache",
    "full": "RS256 + limit + answer from the cache, every token new",
    "fullc": "RS256 + limit + answer from the cache, tokens seen before",
}

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6570; --back: #fff; --bar: #9db8d6; --ours: #0b63c5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebee; --soft: #a3adb8; --back: #14171a; --bar: #46617f; --ours: #6cb0ff; } }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
main { max-width: 44rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin: 1.5rem 0 .25rem; } p { color: var(--soft); }
.row { display: grid; grid-template-columns: 6rem 1fr 5rem; gap: .5rem; align-items: center; font-variant-numeric: tabular-nums; }
.row span:last-child { text-align: right; }
.bar { height: 1rem; background: var(--bar); border-radius: .2rem; } .ours .bar { background: var(--ours); } .ours { font-weight: 600; }
"""


def medians(path):
    """By job and peer, in the order of the jobs."""
    runs = {}
    with open(path) as file:
        for row in csv.DictReader(file, delimiter="\t"):
            runs.setdefault(row["job"], {}).setdefault(row["peer"], []).append(row)
    jobs = {}
    for job in [job for job in TITLES if job in runs]:
        results = []
        for peer, rows in runs[job].items():
            def column(name):
                return [float(row[name]) for row in rows]
            results.append({
                "peer": peer,
                "rounds": len(rows),
                "rps": statistics.median(column("rps")),
                "p50_us": statistics.median(column("p50_us")),
                "p99_us": statistics.median(column("p99_us")),
                "cpu_us_per_request": statistics.median(column("cpu_us")),
                "cpu_us_min": min(column("cpu_us")),
                "cpu_us_max": max(column("cpu_us")),
                "errors": int(sum(column("errors"))),
                "tokens_repeated": any(row["repeated"] == "1" for row in rows),
            })
        results.sort(key=lambda result: result["cpu_us_per_request"])
        cheapest = results[0]["cpu_us_per_request"]
        ours = next((r["cpu_us_per_request"] for r in results if r["peer"] == "ours"), None)
        for result in results:
            cpu = result["cpu_us_per_request"]
            result["cpu_by_best"] = cpu / cheapest if cheapest else None
            result["ours_by_this"] = ours / cpu if ours is not None and cpu else None
        jobs[job] = results
    return jobs


def ms(us):
    return f"{us / 1000:.2f} ms"


def ratio(value):
    return "-" if value is None else f"{value:.2f}"


def table(job, results):
    print(f"\n{job}: {TITLES[job]}")
    print(f"  {'peer':<10} {'req/s':>8} {'p50':>10} {'p99':>10} {'CPU µs/req':>11} {'(min-max)':>15} {'/best':>6} {'ours/it':>8}")
    for r in results:
        spread = f"({r['cpu_us_min']:.1f}-{r['cpu_us_max']:.1f})"
        remark = f"  {r['errors']} errors" if r["errors"] else ""
        remark += "  tokens were repeated" if r["tokens_repeated"] else ""
        print(f"  {r['peer']:<10} {r['rps']:>8.0f} {ms(r['p50_us']):>10} {ms(r['p99_us']):>10} "
              f"{r['cpu_us_per_request']:>11.1f} {spread:>15} {ratio(r['cpu_by_best']):>6} "
              f"{ratio(r['ours_by_this']):>8}{remark}")


def page(jobs, measured):
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>Gateways compared</title><style>{STYLE}</style></head><body><main>",
        f"<h1>Processor time a request</h1><p>µs, user and system, median of the rounds; less is better. {html.escape(measured)}.</p>",
    ]
    for job, results in jobs.items():
        parts.append(f"<h2>{html.escape(TITLES[job])}</h2>")
        most = max(r["cpu_us_per_request"] for r in results) or 1
        for r in results:
            own = " ours" if r["peer"] == "ours" else ""
            width = 100 * r["cpu_us_per_request"] / most
            title = f"{r['rps']:.0f} requests a second, p50 {ms(r['p50_us'])}, p99 {ms(r['p99_us'])}"
            parts.append(
                f'<div class="row{own}" title="{title}"><span>{html.escape(r["peer"])}</span>'
                f'<div class="bar" style="width:{width:.1f}%"></div>'
                f"<span>{r['cpu_us_per_request']:.1f}</span></div>")
    parts.append("</main></body></html>\n")
    return "\n".join(parts)


def main():
    rows, out, measured = sys.argv[1:4]
    jobs = medians(rows)
    print(measured)
    for job, results in jobs.items():
        table(job, results)
    with open(f"{out}/compare.json", "w") as file:
        json.dump({"measured": measured, "jobs": jobs}, file, indent=1)
    with open(f"{out}/compare.html", "w") as file:
        file.write(page(jobs, measured))
    print(f"\nwritten: {out}/compare.json, {out}/compare.html")


main()
