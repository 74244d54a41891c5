import type { TaskStatus } from "../api/types";

interface Look {
  label: string;
  color: string;
}

/** How a status is named and coloured. */
export const STATUS_LOOK: Record<TaskStatus, Look> = {
  created: { label: "Draft", color: "gray" },
  queued: { label: "Queued", color: "yellow" },
  in_progress: { label: "Running", color: "blue" },
  stopped: { label: "Aborted", color: "orange" },
  publishing: { label: "Publishing", color: "grape" },
  published: { label: "Published", color: "grape" },
  closed: { label: "Closed", color: "gray" },
  failed: { label: "Failed", color: "red" },
  completed: { label: "Completed", color: "green" },
  unknown: { label: "Unknown", color: "gray" },
};
