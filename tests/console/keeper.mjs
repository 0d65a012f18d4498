// Who looks after access: who has what, who is connected, and what was done.
import assert from "node:assert/strict";
import { Person, play } from "./stage.mjs";

await play("access, sessions and the log", async () => {
  const dana = await (await Person.named("dana")).signIn();
  assert.equal(await dana.page.getByRole("link", { name: "Sessions" }).count(), 0);
  await dana.atDatabase();
  await dana.run("SELECT 'hello from the console' AS greeting");

  const ada = await (await Person.named("ada", { colorScheme: "dark" })).signIn("/access");
  await ada.see("wanda");
  await ada.isAccessible("access");
  await ada.shoot("access-dark");
  await ada.goTo("Sessions");
  const line = ada.page.getByRole("row", { name: /dana/ });
  await line.waitFor();
  await ada.isAccessible("sessions");
  await ada.shoot("sessions-dark");
  await line.getByRole("button", { name: "Terminate" }).click();
  await line.waitFor({ state: "detached" });
  await dana.page.locator(".cm-content").click();
  await dana.page.keyboard.press("Control+Enter");
  await dana.see(/connection|terminated/);

  if (await ada.page.getByRole("link", { name: "Audit" }).count()) {
    await ada.goTo("Audit");
    await ada.page.getByLabel("Words").fill("hello");
    await ada.page.getByRole("row", { name: /hello from the console/ }).first().waitFor();
    await ada.isAccessible("audit");
    await ada.shoot("audit-dark");
    await ada.page.getByRole("row", { name: /hello from the console/ }).first().click();
    await ada.page.getByRole("dialog").getByText("hello from the console").first().waitFor();
    await ada.isAccessible("a record's story");
    await ada.shoot("audit-story-dark");
  }
});
