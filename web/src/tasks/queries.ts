import { infiniteQueryOptions } from "@tanstack/react-query";

import { call } from "../api/client";
import type { Task } from "../api/types";

const PAGE_SIZE = 100;
/** How often a list of tasks looks for changes, in milliseconds. */
const LIVE_INTERVAL = 3000;

const FIELDS = [
  "name", "type", "status", "status_message", "tags", "project.name", "user.name", "started", "last_update",
  "last_iteration", "active_duration",
];

export interface TaskListFilter {
  /** Only tasks of this project and its sub-projects. */
  project?: string | undefined;
  /** Only tasks whose name contains this text. */
  search?: string | undefined;
}

/** Tasks, most recently updated first, kept up to date. */
export function taskList({ project, search }: TaskListFilter) {
  return infiniteQueryOptions({
    queryKey: ["tasks.get_all_ex", project ?? null, search ?? ""],
    initialPageParam: 0,
    refetchInterval: LIVE_INTERVAL,
    queryFn: async ({ pageParam, signal }) => {
      const request = {
        ...(project ? { project: [project], include_subprojects: true } : {}),
        ...(search ? { _any_: { fields: ["name", "id"], pattern: escapePattern(search) } } : {}),
        system_tags: ["-archived"],
        only_fields: FIELDS,
        order_by: ["-last_update"],
        page: pageParam,
        page_size: PAGE_SIZE,
      };
      return (await call<{ tasks: Task[] }>("tasks.get_all_ex", request, { signal })).tasks;
    },
    getNextPageParam: (last, all) => (last.length === PAGE_SIZE ? all.length : undefined),
    select: (data) => data.pages.flat(),
  });
}

/** Search text as a regular expression that matches it literally. */
function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
