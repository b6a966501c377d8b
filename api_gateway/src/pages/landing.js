"use strict";

const WORDS = { pass: "up", warn: "degraded", fail: "down", unknown: "no answer" };
const OVERALL = { pass: "all is well", warn: "running, partly", fail: "not ready", unknown: "no answer" };
const EVERY_MS = 5000;

const byId = (id) => document.getElementById(id);

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function row(name, check) {
  const item = element("li", "service", "");
  const state = check.status in WORDS ? check.status : "unknown";
  const shown = state === "warn" ? "down" : WORDS[state];
  item.append(element("span", `dot ${state}`, ""));
  item.append(element("span", "name", name.replaceAll("_", " ")));
  item.append(element("span", "state", check.output ? `${shown}: ${check.output}` : shown));
  item.append(element("span", "time", `${check.observed_ms} ms`));
  return item;
}

// A live region speaks whenever it is written to, so it is written to only when something changed.
function say(node, state) {
  const text = OVERALL[state];
  if (node.textContent !== text) {
    node.textContent = text;
    node.className = `badge ${state}`;
  }
}

async function refresh() {
  try {
    const answer = await fetch("/health", { cache: "no-store", signal: AbortSignal.timeout(4000) });
    const health = await answer.json();
    const rows = Object.entries(health.checks).map(([name, check]) => row(name, check));
    rows.unshift(row(health.service_id, { status: "pass", observed_ms: 0 }));
    rows[0].lastChild.textContent = "this page";
    byId("services").replaceChildren(...rows);
    byId("version").textContent = health.version;
    say(byId("overall"), health.status in OVERALL ? health.status : "unknown");
  } catch {
    say(byId("overall"), "unknown");
  }
}

async function keepFresh() {
  if (!document.hidden) await refresh();
  setTimeout(keepFresh, EVERY_MS);
}

const code = byId("first-request");
code.textContent = code.textContent.replaceAll("http://localhost:8000", location.origin);
const copy = byId("copy");
if (!navigator.clipboard) copy.hidden = true;
copy.addEventListener("click", async () => {
  await navigator.clipboard.writeText(code.textContent);
  copy.textContent = "Copied";
  setTimeout(() => { copy.textContent = "Copy"; }, 2000);
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
keepFresh();
