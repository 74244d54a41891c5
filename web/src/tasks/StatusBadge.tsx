import { Badge } from "@mantine/core";

import type { TaskStatus } from "../api/types";
import { STATUS_LOOK } from "./status";
import classes from "./tasks.module.css";

export function StatusBadge({ status, message }: { status: TaskStatus; message?: string | undefined }) {
  const { label, color } = STATUS_LOOK[status];
  const running = status === "in_progress";
  return (
    <Badge
      variant="light"
      color={color}
      title={message ?? ""}
      leftSection={running ? <span className={classes.pulse} aria-hidden /> : undefined}
    >
      {label}
    </Badge>
  );
}
