// The page on which a person allows an application something, in a real browser: the whole
// authorization-code flow with PKCE against a running system, with a small application of its own that
// checks `state` and `iss` and redeems the code. Ends with 1 if anything is wrong.
//
// Needs what check.mjs needs:
//
//   npm install --prefix /tmp/browser playwright-core@1.65.1 axe-core@4.14.1
//   cargo run -- --ephemeral
//   NODE_PATH=/tmp/browser/node_modules node tests/browser/oauth.mjs http://localhost:8000 /tmp/shots
//
// The second argument is the folder for the screenshots: look at them.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [base = "http://localhost:8000", folder = "screenshots"] = process.argv.slice(2);
const origin = new URL(base).origin;
const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");
const axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");
const shots = resolve(folder);
await mkdir(shots, { recursive: true });

const person = { email: "traveller@interline.test", password: "interline-sandbox" };
const complaints = [];

async function step(promise, check) {
  try {
    const found = await check();
    console.log(`ok    ${promise}${found ? ` (${found})` : ""}`);
  } catch (error) {
    complaints.push(promise);
    console.log(`FAIL  ${promise}\n      ${String(error.message).replaceAll("\n", "\n      ")}`);
  }
}

async function api(method, path, token, body) {
  const answer = await fetch(base + path, {
    method,
    headers: { ...(token && { Authorization: `Bearer ${token}` }), ...(body && { "Content-Type": "application/json" }) },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text).data : undefined;
}

// The application: begins the flow, takes its answer, redeems the code. It knows the server by its
// metadata alone.
const metadata = await (await fetch(`${base}/.well-known/oauth-authorization-server`)).json();
const local = (address) => address.replace(metadata.issuer, base);
const begun = new Map();
const results = [];
const application = createServer(async (request, response) => {
  const url = new URL(request.url, redirectUri);
  const told = Object.fromEntries(url.searchParams);
  let result;
  if (url.pathname !== "/callback") {
    response.writeHead(204).end();
    return;
  }
  try {
    const verifier = begun.get(told.state);
    assert.ok(verifier, "the state is not one that was begun");
    begun.delete(told.state);
    assert.equal(told.iss, metadata.issuer, "another issuer answers");
    if (told.error) {
      result = { error: told.error };
    } else {
      const answer = await fetch(local(metadata.token_endpoint), {
        method: "POST",
        headers: { Authorization: `Basic ${Buffer.from(`${client.client_id}:${client.client_secret}`).toString("base64")}` },
        body: new URLSearchParams({
          grant_type: "authorization_code", code: told.code, redirect_uri: redirectUri, code_verifier: verifier,
        }),
      });
      result = { status: answer.status, tokens: await answer.json(), cache: answer.headers.get("cache-control") };
    }
  } catch (error) {
    result = { fault: error.message };
  }
  results.push({ ...result, referrer: request.headers.referer });
  response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
  response.end(`<!doctype html><html lang="en"><title>Trip Planner</title><link rel="icon" href="data:,"><main><h1>Trip Planner</h1>
    <p id="result">${result.tokens?.access_token ? "Connected" : `Not connected: ${result.error ?? result.fault}`}</p></main>`);
});
await new Promise((ready) => application.listen(0, "127.0.0.1", ready));
const redirectUri = `http://127.0.0.1:${application.address().port}/callback`;

const admin = (await api("POST", "/api/v1/auth/login", null, { ...person, email: "admin@interline.test" })).access_token;
const client = await api("POST", "/api/v1/auth/clients", admin, {
  name: "Trip Planner", redirect_uris: ["http://127.0.0.1/callback"],
  scopes: ["offers:read", "bookings:read", "bookings:write"],
});

function address(changed = {}) {
  const verifier = randomBytes(32).toString("base64url");
  const state = randomBytes(16).toString("base64url");
  begun.set(state, verifier);
  const query = new URLSearchParams({
    response_type: "code", client_id: client.client_id, redirect_uri: redirectUri, state,
    scope: "offers:read bookings:read bookings:write", code_challenge_method: "S256",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"), ...changed,
  });
  return `${local(metadata.authorization_endpoint)}?${query}`;
}

async function open(look = {}, changed = {}) {
  const context = await browser.newContext({ viewport: { width: 900, height: 900 }, javaScriptEnabled: true, ...look });
  const page = await context.newPage();
  const troubles = [];
  page.on("console", (message) => {
    // A page that comes with 401 or 400 is one that the browser remarks on.
    if (["error", "warning"].includes(message.type()) && !/status of 4\d\d/.test(message.text())) {
      troubles.push(`${message.type()}: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => troubles.push(`uncaught: ${error.message}`));
  const answer = await page.goto(address(changed), { waitUntil: "load" });
  return { page, context, troubles, answer };
}

async function shoot(page, name) {
  await page.screenshot({ path: join(shots, `oauth-${name}.png`), fullPage: true });
}

async function accessible(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document));
  assert.equal(found.violations.length, 0, found.violations.map((one) =>
    `${one.impact} ${one.id}: ${one.help} ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`).join("\n"));
  return `${found.passes.length} rules of axe pass`;
}

async function fits(page) {
  const [wide, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= seen, `${wide} px wide on a screen of ${seen} px`);
}

async function logIn(page, password = person.password) {
  await page.fill("#email", person.email);
  await page.fill("#password", password);
  await page.click('button[value="allow"]');
  await page.waitForLoadState("load");
}

async function wholeFlow() {
  const { page, context, troubles, answer } = await open();
  await step("the page names the application and what it asks for, in words", async () => {
    assert.equal(answer.status(), 200);
    const text = await page.innerText("main");
    for (const words of ["Trip Planner", "on this device", "Search for travel offers", "See your trips", "Book and cancel trips"]) {
      assert.ok(text.includes(words), words);
    }
    await shoot(page, "ask");
  });
  await step("its fields: no store, no frame, forms only to itself and the application", async () => {
    const fields = answer.headers();
    assert.equal(fields["cache-control"], "no-store");
    assert.equal(fields["x-frame-options"], "DENY");
    const policy = fields["content-security-policy"];
    assert.ok(policy.includes(`form-action 'self' ${new URL(redirectUri).origin};`), policy);
    assert.ok(policy.includes("default-src 'none'") && policy.includes("frame-ancestors 'none'"), policy);
    return policy;
  });
  await step("it is accessible", () => accessible(page));
  await step("the right password: the application gets a code, redeems it and has tokens", async () => {
    await logIn(page);
    assert.equal(await page.innerText("#result"), "Connected");
    await shoot(page, "connected");
    const { tokens, status, cache, referrer } = results.at(-1);
    assert.equal(status, 200);
    assert.equal(cache, "no-store");
    assert.equal(referrer, undefined, "the application learns nothing of the page's address");
    assert.deepEqual(tokens.scope.split(" ").sort(), ["bookings:read", "bookings:write", "offers:read"]);
    return tokens.scope;
  });
  await step("the access token works at the gateway, and not where a person's own log-in is needed", async () => {
    const { tokens } = results.at(-1);
    const me = await api("GET", "/api/v1/auth/me", tokens.access_token);
    assert.equal(me.email, person.email);
    const keys = await fetch(`${base}/api/v1/auth/api-keys`, { headers: { Authorization: `Bearer ${tokens.access_token}` } });
    assert.equal(keys.status, 403);
    assert.equal((await keys.json()).errors[0].code, "LOGIN_REQUIRED");
  });
  await step("a revoked access token is refused at the gateway within a second", async () => {
    const { tokens } = results.at(-1);
    const body = new URLSearchParams({ token: tokens.access_token, client_id: client.client_id, client_secret: client.client_secret });
    assert.equal((await fetch(local(metadata.revocation_endpoint), { method: "POST", body })).status, 200);
    const revoked = Date.now();
    for (;;) {
      const me = await fetch(`${base}/api/v1/auth/me`, { headers: { Authorization: `Bearer ${tokens.access_token}` } });
      if (me.status === 401) break;
      assert.ok(Date.now() - revoked < 1000, "it is still accepted");
    }
    return `${Date.now() - revoked} ms`;
  });
  await step("no console error", () => assert.deepEqual(troubles, []));
  await context.close();
}

async function refusals() {
  const wrong = await open();
  await step("a wrong password: the page again, with the address kept and the problem in front", async () => {
    await logIn(wrong.page, "wrong");
    assert.equal(await wrong.page.inputValue("#email"), person.email);
    assert.equal(await wrong.page.inputValue("#password"), "");
    assert.match(await wrong.page.innerText('[role="alert"]'), /wrong/);
    assert.match(await wrong.page.title(), /^Error/);
    assert.equal(await wrong.page.evaluate(() => document.activeElement.id), "problem", "the problem has the focus");
    await shoot(wrong.page, "wrong-password");
    return accessible(wrong.page);
  });
  await step("and the right one afterwards", async () => {
    await logIn(wrong.page);
    assert.equal(await wrong.page.innerText("#result"), "Connected");
  });
  await step("no console error", () => assert.deepEqual(wrong.troubles, []));
  await wrong.context.close();

  const denied = await open();
  await step("deny: the application is told access_denied, without address or password", async () => {
    await denied.page.click('button[value="deny"]');
    await denied.page.waitForLoadState("load");
    assert.equal(await denied.page.innerText("#result"), "Not connected: access_denied");
    await shoot(denied.page, "denied");
  });
  await denied.context.close();

  const changed = await open({}, { redirect_uri: "https://evil.example/callback" });
  await step("a changed redirect_uri: a page that says so, and no redirect", async () => {
    assert.equal(changed.answer.status(), 400);
    assert.equal(new URL(changed.page.url()).origin, origin);
    assert.match(await changed.page.innerText("h1"), /does not lead/);
    await shoot(changed.page, "changed-redirect");
    return accessible(changed.page);
  });
  await changed.context.close();

  const foreign = await open();
  await step("the page's form sent from another site is refused", async () => {
    const sealed = await foreign.page.inputValue('input[name="request"]');
    await foreign.page.goto(redirectUri);
    await foreign.page.evaluate(([action, fields]) => {
      const form = document.createElement("form");
      form.method = "post";
      form.action = action;
      for (const [name, value] of Object.entries(fields)) {
        const input = document.createElement("input");
        input.name = name;
        input.value = value;
        form.append(input);
      }
      document.body.append(form);
      form.submit();
    }, [local(metadata.authorization_endpoint), { ...person, request: sealed, decision: "allow" }]);
    await foreign.page.waitForURL(`${base}/oauth/authorize`);
    assert.match(await foreign.page.innerText("h1"), /another site/);
  });
  await foreign.context.close();
}

async function everybody() {
  const keyboard = await open();
  await step("by keyboard alone, in the order of the page", async () => {
    const { page } = keyboard;
    const reached = [];
    const next = async () => {
      await page.keyboard.press("Tab");
      reached.push(await page.evaluate(() => document.activeElement.id || document.activeElement.innerText));
    };
    await next();
    await page.keyboard.type(person.email);
    await next();
    await page.keyboard.type(person.password);
    await next();
    const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(ring, "solid", "what has the focus is not seen");
    await shoot(page, "keyboard");
    await next();
    assert.deepEqual(reached, ["email", "password", "Log in and allow", "Deny"]);
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#result");
    assert.equal(await page.innerText("#result"), "Connected");
    return reached.join(", ");
  });
  await keyboard.context.close();

  const plain = await open({ javaScriptEnabled: false });
  await step("without script", async () => {
    await logIn(plain.page);
    assert.equal(await plain.page.innerText("#result"), "Connected");
  });
  await plain.context.close();

  for (const [name, look] of [
    ["dark", { colorScheme: "dark" }],
    ["phone", { colorScheme: "light", viewport: { width: 320, height: 640 } }],
    ["phone-dark", { colorScheme: "dark", viewport: { width: 320, height: 640 } }],
  ]) {
    const { page, context } = await open(look);
    await step(`${name}: fits the screen, accessible, also with a problem`, async () => {
      await fits(page);
      await accessible(page);
      await shoot(page, name);
      await page.fill("#email", "nobody@interline.test");
      await page.fill("#password", "wrong");
      await page.click('button[value="allow"]');
      await page.waitForSelector('[role="alert"]');
      await fits(page);
      await shoot(page, `${name}-problem`);
      return accessible(page);
    });
    await context.close();
  }
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
});
try {
  await wholeFlow();
  await refusals();
  await everybody();
} finally {
  await browser.close();
  application.close();
  await api("DELETE", `/api/v1/auth/clients/${client.id}`, admin);
}
console.log(complaints.length === 0 ? `\nAll is well. Screenshots: ${shots}` : `\n${complaints.length} failed. Screenshots: ${shots}`);
process.exitCode = complaints.length === 0 ? 0 : 1;
