// A session that ends under somebody's hands, links into the console, phones, and the dark.
import assert from "node:assert/strict";
import { Person, base, passwords, play } from "./stage.mjs";

await play("sessions, links and phones", async () => {
  const dana = await Person.named("dana", { colorScheme: "dark" });
  await dana.page.goto(`${base}/review`);
  await dana.page.getByLabel("Password").waitFor();
  await dana.isAccessible("sign-in");
  await dana.shoot("sign-in-dark");
  await dana.page.getByLabel("Name", { exact: true }).fill("dana");
  await dana.page.getByLabel("Password").fill("not hers");
  await dana.page.getByRole("button", { name: "Sign in", exact: true }).click();
  await dana.see("wrong");
  await dana.prove();
  await dana.page.getByRole("heading", { name: "Review" }).waitFor();
  const cookies = await dana.context.cookies();
  assert.deepEqual(cookies.map((it) => [it.name, it.httpOnly, it.sameSite]), [["tidegate_session", true, "Strict"]]);
  assert.equal(await dana.page.evaluate(() => document.cookie + JSON.stringify(localStorage).match(/tg[kt]_/)), "null");

  await dana.atDatabase();
  await dana.write("SELECT 'written before the end' AS words");
  // As it goes when it was not used for too long.
  await dana.context.clearCookies();
  await dana.page.keyboard.press("Control+Enter");
  await dana.see("Your session has ended");
  await dana.isAccessible("sign in again");
  await dana.shoot("session-ended-dark");
  await dana.prove();
  await dana.page.getByRole("dialog").waitFor({ state: "detached" });
  await dana.page.locator(".cm-content", { hasText: "written before the end" }).waitFor();
  await dana.page.locator(".cm-content").click();
  await dana.run();
  assert.match(await dana.outcome(), /written before the end/);

  // The key that a program gets for the same password opens no database.
  const body = JSON.stringify({ principal: "dana", password: passwords.dana });
  const login = await fetch(`${base}/api/v1/login`, { method: "POST", headers: { "content-type": "application/json" }, body });
  const { secret } = await login.json();
  const shown = { authorization: `Bearer ${secret}`, "x-tidegate-console": "used" };
  assert.equal((await fetch(`${base}/api/v1/grants`, { headers: shown })).status, 200);
  const shut = await fetch(`${base}/api/v1/sql/targets`, { headers: shown });
  assert.deepEqual([shut.status, (await shut.json()).code], [403, "not_in_browser"]);

  // A refusal's own link opens the form filled in.
  await dana.run("SELECT * FROM salary");
  const denial = /refusal ([0-9a-f]{8})/.exec(await dana.outcome())?.[1];
  await dana.page.goto(`${base}/r/${denial}`);
  await dana.page.getByRole("heading", { name: "Ask for what was refused" }).waitFor();
  assert.equal(await dana.page.getByLabel(/^Tables[ ,]/).inputValue(), "public.salary");
  await dana.page.getByLabel("Why").fill("month's end");
  await dana.shoot("ask-dark");
  await dana.isAccessible("ask in the dark");
  await dana.page.getByRole("button", { name: "Ask for access" }).click();
  await dana.see("It waits for leads");

  // An approver on a phone.
  const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
  const lee = await (await Person.named("lee", phone)).signIn("/review");
  await lee.shoot("review-list-phone");
  await lee.page.getByRole("link", { name: /dana/ }).first().tap();
  const approve = lee.page.getByRole("button", { name: "Approve" });
  await approve.waitFor();
  const box = await approve.boundingBox();
  assert.ok(box.y + box.height <= 844 && box.height >= 32, "within reach");
  assert.equal(await lee.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
  await lee.shoot("review-phone");
  await lee.isAccessible("review on a phone");
  await approve.tap();
  await lee.page.locator(".detail").getByText("approved").first().waitFor();

  // By the keyboard alone, without the letters being taken from a text.
  await dana.page.locator("body").press("g");
  await dana.page.locator("body").press("s");
  await dana.page.locator(".cm-content").waitFor();
  await dana.shoot("sql-dark");

  await dana.page.getByRole("button", { name: "Sign out" }).click();
  await dana.page.getByLabel("Password").waitFor();
  assert.deepEqual(await dana.context.cookies(), []);
});
