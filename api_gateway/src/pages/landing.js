"use strict";

const OVERALL = { pass: "all is well", warn: "running, partly", fail: "not ready", unknown: "no answer" };
const EVERY_MS = 5000;

const byId = (id) => document.getElementById(id);

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function titled(name) {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

// Of a single service, "warn" says that it is down and that the gateway can do without it.
function row(name, up, words, time) {
  const item = element("li", "service", "");
  item.append(element("span", `dot ${up ? "pass" : "fail"}`, ""));
  item.append(element("span", "name", titled(name)));
  item.append(element("span", "state", up ? "up" : `down: ${words ?? "no answer"}`));
  item.append(element("span", "time", time));
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
    const rows = Object.entries(health.checks).map(([name, check]) =>
      row(name, check.status === "pass", check.output, `${check.observed_ms} ms`));
    rows.unshift(row("gateway", true, undefined, "this page"));
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
