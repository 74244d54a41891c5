import { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext, createRoute, createRouter, Outlet, redirect, type ErrorComponentProps, type RouterHistory,
} from "@tanstack/react-router";

import { ApiError } from "./api/client";
import { ConnectPage } from "./connect/ConnectPage";
import { ProjectsPage } from "./projects/ProjectsPage";
import { SignInPage } from "./session/SignInPage";
import { currentUser } from "./session/session";
import { Shell } from "./shell/Shell";
import { TasksPage } from "./tasks/TasksPage";
import { Empty, Failed } from "./ui/states";

/** The cache of what the server answered. */
export function createQueryClient(): QueryClient {
  // A refusal stays one; what the network broke is worth another try.
  const retry = (count: number, error: Error) =>
    count < 2 && !(error instanceof ApiError && error.code >= 400 && error.code < 500);
  return new QueryClient({ defaultOptions: { queries: { retry } } });
}

const root = createRootRouteWithContext<{ queryClient: QueryClient }>()({
  component: Outlet,
  notFoundComponent: () => <Empty title="There is no such page" />,
  errorComponent: PageFailed,
});

function PageFailed({ error, reset }: ErrorComponentProps) {
  return <Failed error={error instanceof Error ? error : new Error(String(error))} retry={reset} />;
}

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  component: SignInPage,
  validateSearch: (search): { to?: string } => {
    const to = text(search.to);
    // Only addresses of this app.
    return to?.startsWith("/") && !to.startsWith("//") ? { to } : {};
  },
});

const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  component: Shell,
  beforeLoad: async ({ context, location }) => {
    if (await context.queryClient.query(currentUser)) return;
    throw redirect({ to: "/login", search: location.href === "/" ? {} : { to: location.href } });
  },
});

const searchable = (search: Record<string, unknown>): { search?: string } => {
  const value = text(search.search);
  return value ? { search: value } : {};
};

const home = createRoute({
  getParentRoute: () => shell,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/projects" });
  },
});
const projects = createRoute({ getParentRoute: () => shell, path: "/projects", component: ProjectsPage });
const projectTasks = createRoute({
  getParentRoute: () => shell,
  path: "/projects/$project/tasks",
  validateSearch: searchable,
  component: ProjectTasks,
});
// The addresses that the SDK prints for a task, old and new: there is no page of one task yet, so its line.
const taskAddresses = (["tasks", "experiments"] as const).map((word) =>
  createRoute({
    getParentRoute: () => shell,
    path: `/projects/$project/${word}/$task/$`,
    beforeLoad: ({ params: { project, task } }) => {
      throw redirect({ to: "/projects/$project/tasks", params: { project }, search: { search: task } });
    },
  }),
);
const tasks = createRoute({
  getParentRoute: () => shell,
  path: "/tasks",
  validateSearch: searchable,
  component: () => <TasksPage />,
});
const connect = createRoute({ getParentRoute: () => shell, path: "/connect", component: ConnectPage });

function ProjectTasks() {
  const { project } = projectTasks.useParams();
  return project === "*" ? <TasksPage /> : <TasksPage project={project} />;
}

/** The pages; `history` only in tests. */
export function createAppRouter(queryClient: QueryClient, history?: RouterHistory) {
  return createRouter({
    routeTree: root.addChildren([login, shell.addChildren([home, projects, projectTasks, ...taskAddresses, tasks, connect])]),
    basepath: new URL(document.baseURI).pathname,
    context: { queryClient },
    defaultPreload: "intent",
    ...(history ? { history } : {}),
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
