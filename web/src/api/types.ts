/** The parts of the API's answers that this app reads, in the API's own words. */

export const TASK_STATUSES = [
  "created", "queued", "in_progress", "stopped", "publishing", "published", "closed", "failed", "completed", "unknown",
] as const;

export type TaskStatus = (typeof TASK_STATUSES)[number];

/** A reference that `get_all_ex` expands; the name is there if it was asked for and may be seen. */
export interface Reference {
  id?: string;
  name?: string;
}

export interface Task {
  id: string;
  name: string;
  type: string;
  status: TaskStatus;
  status_message?: string;
  tags?: string[];
  project?: Reference;
  user?: Reference;
  started?: string;
  last_update?: string;
  last_iteration?: number;
  active_duration?: number;
}

export interface ProjectStatistics {
  total_tasks: number;
  status_count: Partial<Record<TaskStatus, number>>;
}

export interface Project {
  id: string;
  name: string;
  basename?: string;
  description?: string;
  last_update?: string;
  tags?: string[];
  stats?: { active?: ProjectStatistics };
}

export interface User {
  id: string;
  name: string;
  role: string;
  company: Reference;
}
