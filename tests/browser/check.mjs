// The two pages of the gateway, in a real browser: do they render, do they work, does any request
// leave the host, can everybody read them? Ends with 1 if anything is wrong.
//
// Needs Node 20 or later, Chromium (CHROMIUM names it if it is not /usr/bin/chromium), `bash` and
// `curl`, two packages, and a running system with its sandbox accounts:
//
//   npm install --prefix /tmp/browser playwright-core@1.65.1 axe-core@4.14.1
//   cargo run -- --ephemeral
//   NODE_PATH=/tmp/browser/node_modules node tests/browser/check.mjs http://localhost:8000 /tmp/shots
//
// The second argument is the folder for the screenshots: look at them. Each further argument
// NAME=PID, in this order, ends that process while the landing page is open, and asserts that the
// page says so: `flight_service=123` for one service of several programs, `gateway=124` for the
// gateway (or for the one process that is everything).

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const [base = "http://localhost:8000", folder = "screenshots", ...stops] = process.argv.slice(2);
const origin = new URL(base).origin;
const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");
const axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");
const shell = promisify(execFile);
const shots = resolve(folder);
await mkdir(shots, { recursive: true });

const complaints = [];
const hosts = new Map();
let expectsSilence = false;

async function step(promise, check) {
  try {
    const found = await check();
    console.log(`ok    ${promise}${found ? ` (${found})` : ""}`);
  } catch (error) {
    complaints.push(promise);
    console.log(`FAIL  ${promise}\n      ${String(error.message).replaceAll("\n", "\n      ")}`);
  }
}

async function open(path, look = {}) {
  const context = await browser.newContext({
    viewport: { width: 1200, height: 900 },
    permissions: ["clipboard-read", "clipboard-write"],
    ...look,
  });
  const page = await context.newPage();
  const troubles = [];
  context.on("request", (request) => {
    const url = new URL(request.url());
    // Pictures inside style sheets are no requests to anybody.
    if (url.protocol === "data:" || url.protocol === "blob:") return;
    hosts.set(url.origin, (hosts.get(url.origin) ?? 0) + 1);
  });
  // Violations of the content security policy are console errors too.
  page.on("console", (message) => {
    const kind = message.type();
    if ((kind === "error" || kind === "warning") && !expectsSilence) troubles.push(`${kind}: ${message.text()}`);
  });
  page.on("pageerror", (error) => troubles.push(`uncaught: ${error.message}`));
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      window.violations.push(`${event.violatedDirective} refused ${event.blockedURI}`));
  });
  const answer = await page.goto(base + path, { waitUntil: "load" });
  assert.equal(answer.status(), 200);
  return { page, context, troubles };
}

async function shoot(page, name) {
  const file = join(shots, `${name}.png`);
  await page.screenshot({ path: file, fullPage: true });
}

async function quiet({ page, troubles }) {
  assert.deepEqual([...troubles, ...(await page.evaluate(() => window.violations))], []);
}

async function fits(page) {
  const [wide, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= seen, `${wide} px wide on a screen of ${seen} px`);
  return `${wide} px`;
}

// Faults of Swagger UI's own program, which no style sheet of ours can mend: they are told, and do
// not fail. Whatever else axe finds does.
const swaggerFaults = ["button-name", "heading-order", "nested-interactive", "scrollable-region-focusable", "select-name"];

// Evaluated by the debugger, which the content security policy does not concern.
async function accessible(page, known = []) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document));
  const tell = (one) =>
    `${one.impact} ${one.id}: ${one.help}\n` +
    one.nodes.slice(0, 4).map((node) => `    ${node.target.join(" ")} – ${node.any[0]?.message ?? node.html}`).join("\n");
  const ours = found.violations.filter((one) => !known.includes(one.id));
  assert.equal(ours.length, 0, ours.map(tell).join("\n"));
  const theirs = found.violations.filter((one) => known.includes(one.id)).map((one) => `${one.id} ×${one.nodes.length}`);
  return `${found.passes.length} rules of axe pass, ${found.incomplete.length} undecided` +
    (theirs.length ? `; Swagger UI's own faults: ${theirs.join(", ")}` : "");
}

async function logIn() {
  const answer = await fetch(`${base}/api/v1/auth/login`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ email: "agent@interline.test", password: "interline-sandbox" }),
  });
  assert.equal(answer.status, 200);
  return (await answer.json()).data.access_token;
}

function monthAhead() {
  return new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);
}

async function headers() {
  const policy = /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'/;
  const expected = [
    ["/", "text/html; charset=utf-8"],
    ["/api-docs", "text/html; charset=utf-8"],
    ["/api-docs/swagger-ui.css", "text/css; charset=utf-8"],
    ["/api-docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8"],
    ["/pages/landing.css", "text/css; charset=utf-8"],
    ["/pages/landing.js", "text/javascript; charset=utf-8"],
    ["/pages/docs.js", "text/javascript; charset=utf-8"],
    ["/pages/icon.svg", "image/svg+xml"],
    ["/openapi.json", "application/json"],
  ];
  for (const [path, kind] of expected) {
    const answer = await fetch(base + path);
    assert.equal(answer.status, 200, path);
    assert.equal(answer.headers.get("content-type"), kind, path);
    assert.equal(answer.headers.get("cache-control"), "no-cache", path);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff", path);
    if (kind.startsWith("text/html")) assert.match(answer.headers.get("content-security-policy"), policy, path);
    const again = await fetch(base + path, { headers: { "If-None-Match": answer.headers.get("etag") } });
    assert.equal(again.status, 304, path);
  }
  return `${expected.length} files`;
}

async function landing() {
  for (const [name, look] of [
    ["light", { colorScheme: "light" }],
    ["dark", { colorScheme: "dark" }],
    ["phone", { colorScheme: "light", viewport: { width: 400, height: 800 } }],
    ["phone-dark", { colorScheme: "dark", viewport: { width: 320, height: 700 } }],
  ]) {
    const opened = await open("/", look);
    const { page, context } = opened;
    await step(`/ ${name}: every service is shown with its live state`, async () => {
      await page.waitForSelector(".service:nth-child(2) .dot.pass");
      const health = await (await fetch(`${base}/health`)).json();
      const shown = await page.locator(".service").allInnerTexts();
      assert.equal(shown.length, Object.keys(health.checks).length + 1);
      const again = page.waitForResponse((answer) => answer.url().endsWith("/health"), { timeout: 15_000 });
      assert.equal((await again).status(), 200);
      return shown.map((row) => row.replaceAll("\n", " ")).join("; ");
    });
    await step(`/ ${name}: fits the screen`, () => fits(page));
    await step(`/ ${name}: accessible`, () => accessible(page));
    await step(`/ ${name}: no console error, no violation of the policy`, () => quiet(opened));
    await shoot(page, `landing-${name}`);
    await context.close();
  }

  const { page, context } = await open("/");
  await step("/: every link leads somewhere", async () => {
    const links = await page.$$eval("a[href]", (all) => all.map((link) => link.href));
    for (const link of new Set(links)) assert.equal((await fetch(link)).status, 200, link);
    return `${links.length} links`;
  });
  await step("/: the copied first request runs as it is and finds offers", async () => {
    await page.click("#copy");
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.ok(copied.includes(origin) && /departure_date=\d{4}-\d\d-\d\d/.test(copied), copied);
    assert.equal(await page.innerText("#copy"), "Copied");
    await shoot(page, "landing-copied");
    const { stdout } = await shell("bash", ["-c", copied]);
    const offers = JSON.parse(stdout).data;
    assert.ok(offers.length > 0, stdout);
    return `${offers.length} offers`;
  });
  await step("/: works from the keyboard, starting with a way past the header", async () => {
    await page.reload();
    const reached = [];
    for (let presses = 0; presses < 9; presses += 1) {
      await page.keyboard.press("Tab");
      reached.push(await page.evaluate(() => document.activeElement.innerText.split("\n")[0].slice(0, 24)));
    }
    assert.equal(reached[0], "Skip to content");
    assert.ok(reached.includes("Copy"), reached.join(", "));
    return reached.join(", ");
  });
  await context.close();
}

async function documentation() {
  const opened = await open("/api-docs", { colorScheme: "light" });
  const { page, context } = opened;
  await step("/api-docs: renders every operation", async () => {
    await page.waitForSelector(".opblock");
    const { paths } = await (await fetch(`${base}/openapi.json`)).json();
    const known = Object.values(paths).flatMap((item) => Object.keys(item)).length;
    assert.equal(await page.locator(".opblock").count(), known);
    await shoot(page, "docs-light");
    return `${known} operations`;
  });
  await step("/api-docs: authorises with an agent's access token", async () => {
    const token = await logIn();
    await page.click(".auth-wrapper .btn.authorize");
    await shoot(page, "docs-authorise");
    await page.fill(".modal-ux input", token);
    await page.click(".modal-ux .btn.authorize");
    await page.click(".modal-ux .btn-done");
    await page.waitForSelector(".auth-wrapper .btn.authorize.locked");
  });
  await step("/api-docs: executes a search and shows HTTP 200 with offers", async () => {
    const search = page.locator(".opblock-get", {
      has: page.locator('.opblock-summary-path[data-path="/api/v1/flights/offers"]'),
    });
    await search.locator(".opblock-summary-control").click();
    const fill = (name, value) => search.locator(`tr[data-param-name="${name}"] input`).first().fill(value);
    await search.locator('tr[data-param-name="origin"]').waitFor();
    const offered = await search.locator('tr[data-param-name="departure_date"] input').inputValue();
    assert.ok(offered >= new Date().toISOString().slice(0, 10), `the example ${offered} is past`);
    await fill("origin", "LHR");
    await fill("destination", "JFK");
    await fill("departure_date", monthAhead());
    await fill("adults", "1");
    const answered = page.waitForResponse((answer) => answer.url().includes("/api/v1/flights/offers?"));
    await search.locator("button.execute").click();
    const answer = await answered;
    const asked = answer.request();
    assert.equal(new URL(asked.url()).origin, origin);
    assert.match((await asked.allHeaders()).authorization ?? "", /^Bearer ey/);
    const shown = search.locator(".live-responses-table");
    await shown.waitFor();
    await shown.scrollIntoViewIfNeeded();
    await page.screenshot({ path: join(shots, "docs-answer.png") });
    assert.equal((await shown.locator(".response-col_status").last().innerText()).trim().slice(0, 3), "200");
    const offers = (await answer.json()).data;
    assert.ok(offers.length > 0);
    assert.ok((await shown.innerText()).includes(offers[0].id), "the first offer is not shown");
    return `${offers.length} offers, ${new URL(asked.url()).search}`;
  });
  await step("/api-docs: accessible", () => accessible(page, swaggerFaults));
  await step("/api-docs: no console error, no violation of the policy", () => quiet(opened));
  await context.close();

  for (const [name, look] of [
    ["dark", { colorScheme: "dark" }],
    ["phone", { colorScheme: "light", viewport: { width: 400, height: 800 } }],
  ]) {
    const other = await open("/api-docs", look);
    await step(`/api-docs ${name}: renders, fits the screen, accessible, quiet`, async () => {
      await other.page.waitForSelector(".opblock");
      await other.page.locator('.opblock-summary-path[data-path="/api/v1/flights/offers"]').click();
      await other.page.waitForSelector('tr[data-param-name="origin"]');
      await shoot(other.page, `docs-${name}`);
      await fits(other.page);
      await quiet(other);
      return accessible(other.page, swaggerFaults);
    });
    await other.context.close();
  }
}

async function outages() {
  if (stops.length === 0) return;
  const { page } = await open("/");
  await page.waitForSelector(".service:nth-child(2)");
  for (const stop of stops) {
    const [name, pid] = stop.split("=");
    expectsSilence = true;
    process.kill(Number(pid), "SIGINT");
    await step(`/: says that ${name} is gone`, async () => {
      const selector = name === "gateway" ? "#overall.unknown" : `.service[data-name="${name}"] .dot.fail`;
      await page.waitForSelector(selector, { timeout: 20_000 });
      if (name === "gateway") assert.equal(await page.locator(".dot.pass").count(), 0, "something is still shown as up");
      await shoot(page, `landing-without-${name}`);
      await accessible(page);
      return (await page.innerText("main section:first-child")).replaceAll(/\s*\n\s*/g, " · ");
    });
  }
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
});
try {
  await step("files: types, policy, caching", headers);
  await landing();
  await documentation();
  await outages();
  await step("no request left the host", async () => {
    assert.deepEqual([...hosts.keys()], [origin]);
    return `${hosts.get(origin)} requests, all to ${origin}`;
  });
} finally {
  await browser.close();
}
console.log(complaints.length === 0 ? `\nAll is well. Screenshots: ${shots}` : `\n${complaints.length} failed. Screenshots: ${shots}`);
process.exitCode = complaints.length === 0 ? 0 : 1;
