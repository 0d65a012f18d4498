// The story: refused in the editor, asked in place, approved by somebody else, run again, over by the clock, found in the log.
import assert from "node:assert/strict";
import { Person, play } from "./stage.mjs";

await play("from the refusal to the grant, its end, and the log", async () => {
  const dana = await (await Person.named("dana")).signIn();
  await dana.atDatabase();
  await dana.run("SELECT employee_no, first_name, last_name, hired_on FROM employee ORDER BY employee_no LIMIT 200");
  await dana.see("permission denied: select on public.employee");
  await dana.shoot("sql-refused");
  await dana.page.getByRole("button", { name: "Ask for access" }).click();
  await dana.page.getByLabel("or", { exact: true }).fill("40s");
  await dana.page.getByLabel("Why").fill("INC-42: wrong names in the report");
  assert.equal(await dana.page.getByLabel(/^Tables[ ,]/).inputValue(), "public.employee");
  await dana.page.locator(".outcome").evaluate((it) => it.scrollTo(0, 0));
  await dana.shoot("sql-ask");
  await dana.isAccessible("ask in place");
  await dana.page.getByRole("button", { name: "Ask for access" }).click();
  await dana.see("It waits for");

  const lee = await (await Person.named("lee")).signIn("/review");
  await lee.page.getByRole("link", { name: /dana/ }).click();
  await lee.see("dana asks for select");
  await lee.isAccessible("review");
  await lee.page.getByLabel("Comment").fill("go ahead");
  await lee.shoot("review");
  await lee.page.getByRole("button", { name: "Approve" }).click();
  await lee.page.locator(".detail").getByText("approved").waitFor();

  // Where she is, without doing anything.
  await dana.see("Approved by lee");
  await dana.page.getByRole("button", { name: "Run again" }).click();
  await dana.page.getByRole("gridcell", { name: "1", exact: true }).first().waitFor();
  assert.match(await dana.status(), /200 rows/);
  await dana.shoot("sql");
  await dana.isAccessible("rows");
  await dana.goTo("Ask");
  await dana.see("INC-42: wrong names in the report");
  await dana.isAccessible("ask");
  await dana.shoot("ask");
  await dana.goTo("SQL");

  // It ends by the clock.
  await dana.page.locator(".cm-content").click();
  for (let tries = 0; !/permission denied: select on public.employee/.test(await dana.outcome()); tries += 1) {
    assert.ok(tries < 40, "it is over by now");
    await dana.page.waitForTimeout(2000);
    await dana.run();
  }

  // Who looks after access finds all of it in the log.
  const ada = await (await Person.named("ada")).signIn("/audit");
  await ada.page.getByLabel("Person").fill("dana");
  await ada.page.getByLabel("Decision").selectOption("allow");
  await ada.page.getByLabel("Table").fill("public.employee");
  await ada.page.getByRole("row", { name: /SELECT employee_no.* allow 200/ }).first().click();
  const story = ada.page.getByRole("dialog");
  for (const step of ["request created", "request reviewed", "request settled", "grant created", "login", "statement end"]) {
    await story.getByText(step, { exact: true }).first().waitFor();
  }
  await ada.shoot("audit-story");
});
