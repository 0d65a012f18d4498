// Every room in light, in the dark and on a phone: nobody is shut out of any, and nothing is wider than its screen.
import assert from "node:assert/strict";
import { Person, play } from "./stage.mjs";

const MODES = {
  light: {},
  dark: { colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};

await play("rooms", async () => {
  const dana = await (await Person.named("dana")).signIn();
  await dana.atDatabase();
  await dana.run("SELECT employee_no, amount\nFROM salary\nWHERE amount > 90000 -- too much?\nORDER BY amount DESC");
  await dana.page.getByRole("button", { name: "Ask for access" }).click();
  await dana.page.getByText("this statement, once").click();
  await dana.page.getByLabel("Why").fill("INC-43: who is paid twice");
  await dana.page.getByRole("button", { name: "Ask for access" }).click();
  await dana.see("It waits for leads");

  for (const [mode, how] of Object.entries(MODES)) {
    const ada = await (await Person.named("ada", how)).signIn("/sql");
    const { page } = ada;
    const look = async (room) => {
      await page.waitForTimeout(300);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${room} fits on a ${mode} screen`);
      await ada.isAccessible(`${room}, ${mode}`);
      await ada.shoot(`${room}-${mode}`);
    };
    await ada.atDatabase();
    await ada.run("SELECT n, 'row ' || n AS name, n * 1.25 AS amount, NULL AS nothing FROM generate_series(1, 500) AS n");
    await look("sql");
    await ada.goTo("Ask");
    await ada.see("What I may do now");
    await page.getByLabel("Database").fill("hr_prod");
    await page.getByLabel(/^Tables[ ,]/).focus();
    await page.getByRole("button", { name: "public.salary" }).waitFor();
    await look("ask");
    await ada.goTo("Review");
    await page.getByRole("link", { name: /dana/ }).first().click();
    await ada.see("INC-43: who is paid twice");
    await look("review");
    await page.getByRole("button", { name: "Narrow or shorten" }).click();
    await ada.isAccessible(`narrowing, ${mode}`);
    await ada.goTo("Access");
    await ada.see("wanda");
    await look("access");
    await ada.goTo("Audit");
    await page.getByRole("row", { name: /generate_series/ }).first().waitFor();
    await look("audit");
    await ada.goTo("Sessions");
    await page.getByRole("row", { name: /dana/ }).first().waitFor();
    await look("sessions");
    await ada.leave();
  }
});
