import { queryOptions } from "@tanstack/react-query";

import { call } from "../api/client";
import type { Project } from "../api/types";

/** Top-level projects with the numbers of their tasks, sub-projects included, most recently updated first. */
export const projectList = queryOptions({
  queryKey: ["projects.get_all_ex"],
  refetchInterval: 5000,
  queryFn: async ({ signal }) => {
    const request = {
      shallow_search: true,
      include_stats: true,
      stats_for_state: "active",
      stats_with_children: true,
      only_fields: ["name", "basename", "description", "last_update", "tags"],
      order_by: ["-last_update"],
      page: 0,
      page_size: 500,
    };
    return (await call<{ projects: Project[] }>("projects.get_all_ex", request, { signal })).projects;
  },
});

export function projectById(id: string) {
  return queryOptions({
    queryKey: ["projects.get_by_id", id],
    queryFn: async ({ signal }) =>
      (await call<{ project: Project }>("projects.get_by_id", { project: id }, { signal })).project,
  });
}
