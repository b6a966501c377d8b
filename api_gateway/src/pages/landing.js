"use strict";

const OVERALL = { pass: "all is well", warn: "partly down", fail: "not ready", unknown: "gateway does not answer" };
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

function row(name, kind, words, time) {
  const item = element("li", "service", "");
  item.dataset.name = name;
  item.append(element("span", `dot ${kind}`, ""));
  item.append(element("span", "name", titled(name)));
  item.append(element("span", "state", words));
  item.append(element("span", "time", time));
  return item;
}

// Of a single service, "warn" says that it is down and that the gateway can do without it.
function checked([name, check]) {
  const up = check.status === "pass";
  return row(name, up ? "pass" : "fail", up ? "up" : `down: ${check.output ?? "no answer"}`, `${check.observed_ms} ms`);
}

// A live region speaks whenever it is written to, so it is written to only when something changed.
function say(node, state) {
  const text = OVERALL[state];
  if (node.textContent !== text) {
    node.textContent = text;
    node.className = `badge ${state}`;
  }
}

let last;

function show(health) {
  const rows = Object.entries(health.checks).map(checked);
  byId("services").replaceChildren(row("gateway", "pass", "up", "this page"), ...rows);
  byId("version").textContent = health.version;
  byId("advice").hidden = true;
  say(byId("overall"), health.status in OVERALL ? health.status : "unknown");
  last = { names: Object.keys(health.checks), at: new Date().toLocaleTimeString() };
}

// Without the gateway nothing is known of the others: what was seen last is not shown as if it were so.
function showSilence() {
  const others = (last?.names ?? []).map((name) => row(name, "unknown", "not known: only the gateway can tell", "–"));
  byId("services").replaceChildren(row("gateway", "fail", "down: no answer", "–"), ...others);
  const since = last ? `It last answered at ${last.at}. ` : "";
  byId("advice").textContent = `${since}Is it still running? This page asks again every ${EVERY_MS / 1000} seconds.`;
  byId("advice").hidden = false;
  say(byId("overall"), "unknown");
}

async function refresh() {
  try {
    const answer = await fetch("/health", { cache: "no-store", signal: AbortSignal.timeout(4000) });
    show(await answer.json());
  } catch {
    showSilence();
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
