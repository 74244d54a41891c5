import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";

import { expect, test, type Server } from "./server";

/** Signs in by pasting the block that the server prints. */
async function signIn(page: Page, server: Server, path = "/") {
  await page.goto(server.webUrl + path);
  const key = page.getByLabel("Access key or user name");
  await expect(key).toBeVisible();
  await key.fill(server.key);
  await page.getByLabel("Secret key or password").fill(server.secret);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
}

async function accessible(page: Page) {
  const found = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa"]).analyze();
  expect(found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.failureSummary).join(" ")}`)).toEqual([]);
}

test("signing in needs the right secret and leads to the page that was asked for", async ({ page, server }) => {
  await page.goto(`${server.webUrl}/tasks`);
  await accessible(page);
  await page.getByLabel("Access key or user name").fill(server.key);
  await page.getByLabel("Secret key or password").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("invalid credentials");
  await page.getByLabel("Secret key or password").fill(server.secret);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/tasks$/);
  await page.reload();
  await expect(page.getByRole("heading", { name: "All tasks" })).toBeVisible();
});

test("an empty server shows the block for clearml.conf, and its credentials work", async ({ page, server }) => {
  await signIn(page, server);
  await expect(page.getByRole("heading", { name: "Welcome. No projects yet" })).toBeVisible();
  await accessible(page);
  await page.getByRole("button", { name: "Create credentials" }).click();
  const block = page.getByTestId("configuration-block");
  await expect(block).not.toContainText("<access key>");
  const text = await block.innerText();
  for (const url of [server.apiUrl, server.webUrl, server.filesUrl]) expect(text).toContain(url);
  const value = (name: string) => new RegExp(`"${name}" = "([^"]+)"`).exec(text)?.[1] ?? "";
  const response = await fetch(`${server.apiUrl}/auth.login`, {
    headers: { Authorization: `Basic ${btoa(`${value("access_key")}:${value("secret_key")}`)}` },
  });
  expect(response.status).toBe(200);
});

test("tasks appear and change while one looks at them", async ({ page, server }) => {
  await signIn(page, server, "/tasks");
  const project = (await server.call("projects.create", { name: "vision" })).id as string;
  const create = async (name: string, tags: string[] = []) =>
    (await server.call("tasks.create", { name, type: "training", project, tags })).id as string;
  const first = await create("first run", ["baseline"]);
  await create("second run");
  const row = page.getByRole("row").filter({ hasText: "first run" });
  await expect(row).toContainText("Draft", { timeout: 10_000 });
  await expect(row).toContainText("baseline");
  await server.call("tasks.started", { task: first });
  await expect(row).toContainText("Running", { timeout: 10_000 });
  await server.call("tasks.completed", { task: first });
  await expect(row).toContainText("Completed", { timeout: 10_000 });
  await accessible(page);

  await page.getByLabel("Search tasks by name or id").fill("second");
  await expect(row).toBeHidden();
  await expect(page.getByRole("row").filter({ hasText: "second run" })).toBeVisible();
  await expect(page).toHaveURL(/search=second/);

  await page.getByRole("link", { name: "Projects" }).click();
  const card = page.getByTestId("project");
  await expect(card).toContainText("2 tasks");
  await expect(card).toContainText("1 completed");
  await accessible(page);
  await card.click();
  await expect(page.getByRole("heading", { name: "vision" })).toBeVisible();
  await expect(page.getByRole("row").filter({ hasText: "first run" })).toBeVisible();
});

test("a list of a thousand tasks scrolls to its end", async ({ page, server }) => {
  const names = Array.from({ length: 1000 }, (_, index) => `task ${String(index).padStart(4, "0")}`);
  for (let start = 0; start < names.length; start += 50) {
    await Promise.all(names.slice(start, start + 50).map((name) => server.call("tasks.create", { name, type: "testing" })));
  }
  await signIn(page, server, "/tasks");
  const table = page.getByRole("table", { name: "Tasks" });
  await expect(table).toBeVisible();
  const rows = await page.getByRole("row").count();
  expect(rows).toBeLessThan(100);
  await expect(async () => {
    await table.evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await expect(table).toHaveAttribute("aria-rowcount", "1001", { timeout: 300 });
  }).toPass({ timeout: 30_000 });
});

test("signing out ends the session", async ({ page, server }) => {
  await signIn(page, server);
  await page.getByRole("button", { name: /admin|root/i }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(page.getByLabel("Access key or user name")).toBeVisible();
  await page.goto(`${server.webUrl}/projects`);
  await expect(page.getByLabel("Access key or user name")).toBeVisible();
});
