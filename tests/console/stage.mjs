// A real browser for the scenarios: people with contexts of their own, and what must never happen on any page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../console/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const base = process.env.TIDEGATE_CONSOLE;
export const passwords = JSON.parse(process.env.TIDEGATE_PEOPLE);
const shots = process.env.TIDEGATE_SHOTS;

const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"];

export const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS });
const faults = [];

/** Somebody with a browser of their own. */
export class Person {
  static async named(name, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light", ...options });
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    const person = Object.assign(new Person(), { name, context, page });
    page.on("pageerror", (error) => faults.push(`${name}: ${error.message}`));
    page.on("console", (message) => {
      // What the gateway refuses is an answer, and browsers write it down as an error.
      const isAnswer = message.text().startsWith("Failed to load resource: the server responded");
      if (message.type() === "error" && !isAnswer) faults.push(`${name}: ${message.text()}`);
    });
    await page.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.target.outerHTML?.slice(0, 200)}`));
    });
    return person;
  }

  async signIn(path = "/") {
    await this.page.goto(base + path);
    await this.prove();
    await this.page.getByRole("navigation", { name: "Rooms" }).waitFor();
    return this;
  }

  /** Name and password, wherever they are asked for. */
  async prove() {
    const name = this.page.getByLabel("Name", { exact: true });
    await name.waitFor();
    if (await name.isEditable()) await name.fill(this.name);
    await this.page.getByLabel("Password").fill(passwords[this.name]);
    await this.page.getByRole("button", { name: "Sign in", exact: true }).click();
  }

  async goTo(room) {
    await this.page.getByRole("navigation", { name: "Rooms" }).getByRole("link", { name: room }).click();
  }

  /** The SQL room, at a database. */
  async atDatabase(database = "hr_prod", target = "hr") {
    await this.goTo("SQL");
    await this.page.locator(".cm-content").waitFor();
    await this.page.getByLabel("Target").selectOption(target);
    const field = this.page.getByLabel("Database");
    if ((await field.inputValue()) !== database) {
      await field.fill(database);
      await field.press("Tab");
    }
  }

  async write(sql) {
    await this.page.locator(".cm-content").click();
    await this.page.keyboard.press("Control+a");
    // Over a selection Chromium itself would try to keep its style with an attribute, which the policy does not take.
    await this.page.keyboard.press("Delete");
    await this.page.keyboard.insertText(sql);
    await this.page.keyboard.press("Escape");
  }

  /** Runs a statement and waits for its end. */
  async run(sql) {
    if (sql !== undefined) await this.write(sql);
    await this.settled(() => this.page.keyboard.press("Control+Enter"));
  }

  /** What `begin` begins to run is over. */
  async settled(begin) {
    const results = this.page.locator(".results");
    const before = Number(await results.getAttribute("data-runs"));
    await begin();
    await this.page.waitForFunction((runs) => {
      const shown = document.querySelector(".results");
      return Number(shown.dataset.runs) > runs && shown.getAttribute("aria-busy") === "false";
    }, before, { timeout: 60_000 });
  }

  status() {
    return this.page.locator(".results .status").innerText();
  }

  outcome() {
    return this.page.locator(".outcome").innerText();
  }

  async see(text, patience = 15_000) {
    await this.page.getByText(text).first().waitFor({ timeout: patience });
  }

  /** No serious fault of accessibility is on the page. */
  async isAccessible(what) {
    // By the browser itself: a script tag of ours is what the page must not take.
    await this.page.evaluate(axe);
    const found = await this.page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    const bad = found.violations.filter((it) => ["serious", "critical"].includes(it.impact));
    assert.deepEqual(bad.map((it) => `${what}: ${it.id} ${it.nodes.map((node) => node.target.join(" ")).slice(0, 4)}`), []);
  }

  async shoot(name) {
    if (shots) await this.page.screenshot({ path: `${shots}/${name}.png` });
  }

  leave() {
    return this.context.close();
  }
}

/** Plays one scenario; whatever it left on the console of a page is a failure, too. */
export async function play(name, scenario) {
  try {
    await scenario();
    assert.deepEqual(faults, []);
    console.log(`ok ${name}`);
  } catch (error) {
    for (const context of browser.contexts()) {
      for (const page of context.pages()) await page.screenshot({ path: `${process.env.TIDEGATE_FAILED ?? "/tmp"}/console-failed.png` }).catch(() => undefined);
    }
    console.log(`not ok ${name}\n${error.stack}\n${faults.join("\n")}`);
    process.exitCode = 1;
  } finally {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await browser.close();
  }
}
