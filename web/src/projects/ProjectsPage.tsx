import { Card, Group, SimpleGrid, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { TASK_STATUSES, type Project } from "../api/types";
import { ConnectPanel } from "../connect/ConnectPanel";
import { Page } from "../shell/Page";
import { STATUS_LOOK } from "../tasks/status";
import { Empty, Failed, Loading } from "../ui/states";
import { ago, exact } from "../ui/time";
import { projectList } from "./queries";

/** The top-level projects as cards. */
export function ProjectsPage() {
  const list = useQuery(projectList);
  return (
    <Page header={<Title order={1} size="h3">Projects</Title>}>
      {list.isPending && <Loading what="projects" />}
      {list.isError && !list.data && <Failed error={list.error} retry={() => void list.refetch()} />}
      {list.data?.length === 0 && <Empty title="Welcome. No projects yet"><ConnectPanel /></Empty>}
      {list.data && (
        <SimpleGrid cols={{ base: 1, sm: 2, lg: 3, xl: 4 }} px={20} pb="xl">
          {list.data.map((project) => <ProjectCard key={project.id} project={project} />)}
        </SimpleGrid>
      )}
    </Page>
  );
}

function ProjectCard({ project }: { project: Project }) {
  const statistics = project.stats?.active;
  const total = statistics?.total_tasks ?? 0;
  return (
    <Card
      withBorder
      radius="md"
      padding="md"
      data-testid="project"
      renderRoot={(props) => <Link to="/projects/$project/tasks" params={{ project: project.id }} {...props} />}
    >
      <Group justify="space-between" wrap="nowrap">
        <Text fw={600} truncate title={project.name}>{project.basename ?? project.name}</Text>
        <Text size="xs" c="dimmed" title={exact(project.last_update)} style={{ flexShrink: 0 }}>{ago(project.last_update)}</Text>
      </Group>
      <Text size="sm" c="dimmed" lineClamp={2} mih={20}>{project.description}</Text>
      <Group gap="sm" mt="sm">
        <Text size="sm" fw={600}>{total === 1 ? "1 task" : `${total} tasks`}</Text>
        {TASK_STATUSES.filter((status) => statistics?.status_count[status]).map((status) => (
          <Text key={status} size="xs" c={`var(--mantine-color-${STATUS_LOOK[status].color}-light-color)`}>
            {statistics?.status_count[status] ?? 0} {STATUS_LOOK[status].label.toLowerCase()}
          </Text>
        ))}
      </Group>
    </Card>
  );
}
