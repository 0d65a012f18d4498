// The SQL room before MySQL's kind.
import assert from "node:assert/strict";
import { Person, play } from "./stage.mjs";

await play("the editor before MariaDB", async () => {
  const target = process.env.TIDEGATE_TARGET;
  const wanda = await (await Person.named("wanda")).signIn();
  await wanda.atDatabase("hr_prod", target);
  await wanda.run("SELECT employee_no, first_name, hired_on, NULL AS nothing FROM employee ORDER BY employee_no LIMIT 3");
  assert.match(await wanda.status(), /3 rows/);
  assert.match(await wanda.outcome(), /NULL/);
  assert.equal(await wanda.page.getByRole("button", { name: "Export CSV" }).count(), 0);

  await wanda.run("START TRANSACTION");
  await wanda.see("in transaction");
  await wanda.run("DELETE FROM employee WHERE employee_no = 1");
  assert.match(await wanda.outcome(), /permission denied: dml on .*employee[^]*42000/);
  await wanda.see("in transaction");
  await wanda.settled(() => wanda.page.getByRole("button", { name: "Roll back" }).click());
  await wanda.page.getByText("in transaction").waitFor({ state: "detached" });

  await wanda.write("SELECT e.last_name, max(s.amount) FROM employee e JOIN salary s USING (employee_no) GROUP BY 1");
  await wanda.settled(() => wanda.page.getByRole("button", { name: "Plan" }).click());
  assert.ok((await wanda.page.locator(".plan .node").count()) >= 2);

  await wanda.write("SELECT SUM(SLEEP(0.02)) FROM employee");
  await wanda.settled(async () => {
    await wanda.page.keyboard.press("Control+Enter");
    await wanda.page.getByRole("button", { name: "Cancel" }).click();
  });
  assert.match(await wanda.outcome(), /1317|70100|interrupted/);

  await wanda.run("UPDATE employee SET first_name = 'x' WHERE employee_no = 1");
  await wanda.page.getByRole("button", { name: "Ask for access" }).click();
  assert.equal(await wanda.page.getByLabel(/^Tables[ ,]/).inputValue(), "employee");
});
