import { CloseButton, Group, TextInput, Title } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";

import { ConnectPanel } from "../connect/ConnectPanel";
import { projectById } from "../projects/queries";
import { Page } from "../shell/Page";
import { Empty, Failed, Loading } from "../ui/states";
import { TaskTable } from "./TaskTable";
import { taskList } from "./queries";

/** All tasks, or those of one project. */
export function TasksPage({ project }: { project?: string }) {
  const { search = "" } = useSearch({ strict: false });
  const navigate = useNavigate();
  const [settledSearch] = useDebouncedValue(search, 250);
  const list = useInfiniteQuery(taskList({ project, search: settledSearch }));
  const details = useQuery({ ...projectById(project ?? ""), enabled: project !== undefined });

  const setSearch = (text: string) => {
    void navigate({ to: ".", search: text ? { search: text } : {}, replace: true });
  };
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = list;
  const loadMore = useCallback(() => void fetchNextPage(), [fetchNextPage]);
  const title = project === undefined ? "All tasks" : (details.data?.name ?? "Project");

  return (
    <Page
      header={
        <Group justify="space-between" wrap="nowrap">
          <Title order={1} size="h3">{title}</Title>
          <TextInput
            aria-label="Search tasks by name or id"
            placeholder="Search by name or id"
            leftSection={<IconSearch size={16} />}
            rightSection={search && <CloseButton size="sm" aria-label="Clear search" onClick={() => { setSearch(""); }} />}
            value={search}
            onChange={(event) => { setSearch(event.currentTarget.value); }}
            w={280}
          />
        </Group>
      }
    >
      {list.isPending && <Loading what="tasks" />}
      {list.isError && !list.data && <Failed error={list.error} retry={() => void list.refetch()} />}
      {list.data?.length === 0 && search !== "" && <Empty title={`No task matches “${search}”`} />}
      {list.data?.length === 0 && search === "" && <Empty title="No tasks yet"><ConnectPanel /></Empty>}
      {list.data && list.data.length > 0 && (
        <TaskTable tasks={list.data} loadMore={hasNextPage && !isFetchingNextPage ? loadMore : undefined} />
      )}
    </Page>
  );
}
