import { expect as quickly, test } from "./server";

/** The viewer takes its time on a busy machine. */
const expect = quickly.configure({ timeout: 20_000 });

/** The page is read where people open it: at the API server, and behind the proxy of the web server. */
for (const place of ["apiUrl", "webUrl"] as const) {
  test(`the API reference lists the endpoints and calls them (${place})`, async ({ page, server }) => {
    test.slow();
    const base = place === "webUrl" ? `${server.webUrl}/api` : server.apiUrl;
    const problems: string[] = [];
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    page.on("request", (request) => {
      if (![new URL(base).origin, "data:"].some((own) => request.url().startsWith(own))) problems.push(`asks ${request.url()}`);
    });

    await page.goto(`${base}/docs`);
    await expect(page.getByRole("heading", { name: /ClearML API/ })).toBeVisible();
    const services = page.locator(".opblock-tag");
    await expect(services).toHaveCount(16);

    await services.filter({ hasText: "debug" }).first().click();
    const ping = page.locator(".opblock").filter({ hasText: "/debug.ping" });
    await expect(ping).toContainText("Answer with the request");
    await ping.locator(".opblock-summary-control").click();
    await ping.getByRole("button", { name: "Try it out" }).click();
    await ping.getByRole("textbox").fill('{"hello": "there"}');
    await ping.getByRole("button", { name: "Execute" }).click();
    await expect(ping.locator(".live-responses-table")).toContainText('"hello": "there"');

    await page.getByPlaceholder("Filter by tag or path").fill("tasks");
    await expect(services).toHaveCount(1);
    await services.click();
    await expect(page.locator(".opblock").filter({ hasText: "/tasks.get_all_ex" })).toContainText("Find tasks");
    expect(problems).toEqual([]);
  });
}
