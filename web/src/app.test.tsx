import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, RouterProvider } from "@tanstack/react-router";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";

import { createAppRouter, createQueryClient } from "./router";

type Handler = (request: Record<string, unknown>, init: RequestInit) => unknown;

/** Answers API calls by endpoint name; a number is an error status. */
function serve(handlers: Record<string, Handler>) {
  vi.spyOn(window, "fetch").mockImplementation((input, init = {}) => {
    const address = input instanceof Request ? input.url : input.toString();
    const endpoint = address.split("/").at(-1) ?? "";
    if (endpoint === "configuration.json") return Promise.resolve(Response.json({}));
    const body = typeof init.body === "string" ? (JSON.parse(init.body) as Record<string, unknown>) : {};
    const data = handlers[endpoint]?.(body, init) ?? 404;
    const status = typeof data === "number" ? data : 200;
    const meta = { result_code: status, result_subcode: 0, result_msg: status === 200 ? "OK" : `error ${status}` };
    return Promise.resolve(Response.json({ meta, data: status === 200 ? data : {} }, { status }));
  });
}

function show(path: string) {
  const queryClient = createQueryClient();
  const router = createAppRouter(queryClient, createMemoryHistory({ initialEntries: [path] }));
  render(
    <MantineProvider>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  return router;
}

const USER = { user: { id: "u", name: "Ada", role: "admin", company: { id: "c" } } };
const task = (index: number) => ({
  id: `t${index}`, name: `run ${index}`, type: "training", status: index ? "completed" : "in_progress",
  tags: ["x"], project: { id: "p", name: "P" }, user: { id: "u", name: "Ada" }, last_iteration: 7,
});

beforeEach(() => {
  serve({});
});

test("without a session the sign-in page comes first, then the page that was asked for", async () => {
  let signedIn = false;
  serve({
    "users.get_current_user": () => (signedIn ? USER : 401),
    "auth.login": (_, init) => {
      const { Authorization } = init.headers as Record<string, string>;
      signedIn = Authorization === `Basic ${btoa("KEY:secret")}`;
      return signedIn ? { token: "t" } : 401;
    },
    "tasks.get_all_ex": () => ({ tasks: [task(0)] }),
  });
  const router = show("/tasks");
  const key = await screen.findByLabelText(/Access key/);
  await userEvent.type(key, "KEY");
  await userEvent.type(screen.getByLabelText(/Secret key/), "wrong");
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
  expect((await screen.findByRole("alert")).textContent).toContain("error 401");
  await userEvent.click(key);
  await userEvent.paste('access_key = "KEY"\nsecret_key = "secret"');
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
  expect(await screen.findByText("run 0")).toBeTruthy();
  expect(router.state.location.pathname).toBe("/tasks");
});

test("an empty server shows how to connect and makes credentials", async () => {
  serve({
    "users.get_current_user": () => USER,
    "projects.get_all_ex": () => ({ projects: [] }),
    "auth.create_credentials": () => ({ credentials: { access_key: "NEWKEY", secret_key: "NEWSECRET" } }),
  });
  show("/projects");
  await userEvent.click(await screen.findByRole("button", { name: "Create credentials" }));
  await waitFor(() => {
    expect(screen.getByTestId("configuration-block").textContent).toContain('"access_key" = "NEWKEY"');
  });
});

test("a project card counts its tasks by status", async () => {
  serve({
    "users.get_current_user": () => USER,
    "projects.get_all_ex": () => ({
      projects: [{ id: "p", name: "P", basename: "P", stats: { active: { total_tasks: 3, status_count: { completed: 2, failed: 1 } } } }],
    }),
  });
  show("/projects");
  const card = await screen.findByTestId("project");
  expect(card.textContent).toContain("3 tasks");
  expect(card.textContent).toContain("2 completed");
  expect(card.textContent).toContain("1 failed");
});

test("tasks are searched by name or id, literally", async () => {
  const asked: unknown[] = [];
  serve({
    "users.get_current_user": () => USER,
    "tasks.get_all_ex": (request) => {
      asked.push(request._any_);
      return { tasks: request._any_ ? [] : [task(0), task(1)] };
    },
  });
  show("/tasks");
  expect(await screen.findByText("Running")).toBeTruthy();
  await userEvent.type(screen.getByLabelText(/Search tasks/), "a.b");
  expect(await screen.findByText("No task matches “a.b”")).toBeTruthy();
  expect(asked.at(-1)).toEqual({ fields: ["name", "id"], pattern: "a\\.b" });
});

test("the addresses that the SDK prints lead to the task", async () => {
  const asked: unknown[] = [];
  serve({
    "users.get_current_user": () => USER,
    "projects.get_by_id": () => ({ project: { id: "p", name: "P" } }),
    "tasks.get_all_ex": (request) => {
      asked.push(request._any_);
      return { tasks: [task(1)] };
    },
  });
  for (const path of ["/projects/p/tasks/t1/output/log", "/projects/p/experiments/t1/output/log", "/projects/*/tasks/t1/execution"]) {
    const router = show(path);
    expect(await screen.findByText("run 1")).toBeTruthy();
    expect(router.state.location.search).toEqual({ search: "t1" });
    cleanup();
  }
  expect(asked[0]).toEqual({ fields: ["name", "id"], pattern: "t1" });
});

test("a failure is told and can be tried again", async () => {
  let broken = true;
  serve({
    "users.get_current_user": () => USER,
    "tasks.get_all_ex": () => (broken ? 400 : { tasks: [task(0)] }),
  });
  show("/tasks");
  expect((await screen.findByRole("alert")).textContent).toContain("error 400");
  broken = false;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("run 0")).toBeTruthy();
});
