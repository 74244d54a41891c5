import { Badge, Group, Text } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";

import type { Task } from "../api/types";
import { ago, duration, exact } from "../ui/time";
import { StatusBadge } from "./StatusBadge";
import classes from "./tasks.module.css";

const ROW_HEIGHT = 52;
const HEADINGS = ["Name", "Status", "Project", "User", "Updated", "Run time", "Iteration"];

interface Props {
  tasks: Task[];
  /** Asks for the next page; undefined when there is none. */
  loadMore: (() => void) | undefined;
}

/** A list of any length: only what is on the screen is in the page. */
export function TaskTable({ tasks, loadMore }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: tasks.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
    initialRect: { width: 1200, height: 800 },
  });
  const visible = rows.getVirtualItems();
  const atEnd = (visible.at(-1)?.index ?? 0) >= tasks.length - 20;
  useEffect(() => {
    if (atEnd) loadMore?.();
  }, [atEnd, loadMore]);

  return (
    <div ref={scroller} className={classes.scroller} role="table" aria-label="Tasks" aria-rowcount={tasks.length + 1} tabIndex={0}>
      <div role="row" aria-rowindex={1} className={`${classes.row ?? ""} ${classes.head ?? ""}`}>
        {HEADINGS.map((heading) => (
          <div key={heading} role="columnheader" className={heading === "Iteration" ? classes.number : classes.cell}>{heading}</div>
        ))}
      </div>
      <div role="rowgroup" style={{ height: rows.getTotalSize(), position: "relative", minWidth: 900 }}>
        {visible.map(({ index, start }) => {
          const task = tasks[index];
          return task && <TaskRow key={task.id} task={task} index={index} start={start} />;
        })}
      </div>
    </div>
  );
}

function TaskRow({ task, index, start }: { task: Task; index: number; start: number }) {
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      className={`${classes.row ?? ""} ${classes.line ?? ""}`}
      style={{ transform: `translateY(${start}px)` }}
    >
      <div role="cell" className={classes.cell}>
        <Group gap={6} wrap="nowrap">
          <Text fw={600} size="sm" truncate title={task.name}>{task.name}</Text>
          {task.tags?.slice(0, 3).map((tag) => <Badge key={tag} size="xs" variant="default" style={{ flexShrink: 0 }}>{tag}</Badge>)}
        </Group>
        <Text size="xs" c="dimmed">{task.type.replaceAll("_", " ")}</Text>
      </div>
      <div role="cell"><StatusBadge status={task.status} message={task.status_message} /></div>
      <Text role="cell" size="sm" truncate title={task.project?.name ?? ""}>{task.project?.name ?? ""}</Text>
      <Text role="cell" size="sm" truncate>{task.user?.name ?? ""}</Text>
      <Text role="cell" size="sm" title={exact(task.last_update)}>{ago(task.last_update)}</Text>
      <Text role="cell" size="sm">{duration(task.active_duration)}</Text>
      <Text role="cell" size="sm" className={classes.number ?? ""}>{task.last_iteration ?? ""}</Text>
    </div>
  );
}
