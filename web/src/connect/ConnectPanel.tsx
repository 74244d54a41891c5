import { Button, Card, Code, CopyButton, Group, List, Stack, Text, Title } from "@mantine/core";
import { IconCheck, IconCopy, IconKey } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";

import { call } from "../api/client";
import { Failed } from "../ui/states";
import { configurationBlock, hosts as hostsQuery } from "./hosts";

interface NewCredentials {
  credentials: { access_key: string; secret_key: string };
}

const FIRST_TASK = `from clearml import Task
task = Task.init(project_name="examples", task_name="first")
for i in range(10):
    task.get_logger().report_scalar("loss", "train", 1 / (i + 1), i)`;

/** How to point code at this server: the block for `clearml.conf`, with new credentials on demand. */
export function ConnectPanel() {
  const { data: hosts } = useQuery(hostsQuery);
  const create = useMutation({
    mutationFn: () => call<NewCredentials>("auth.create_credentials", { label: "Web-App" }),
  });
  if (!hosts) return null;
  const pair = create.data?.credentials;
  const block = configurationBlock(hosts, pair?.access_key ?? "<access key>", pair?.secret_key ?? "<secret key>");
  return (
    <Card withBorder radius="md" padding="lg" maw={720} w="100%" ta="left">
      <Stack gap="sm">
        <Title order={2} size="h4">Connect your code</Title>
        <List type="ordered" size="sm" spacing={6}>
          <List.Item>Install the client: <Code>pip install clearml</Code></List.Item>
          <List.Item>Save this as <Code>~/clearml.conf</Code>, or paste it when <Code>clearml-init</Code> asks:</List.Item>
        </List>
        <Code block data-testid="configuration-block">{block}</Code>
        <Group>
          <Button leftSection={<IconKey size={16} />} loading={create.isPending} onClick={() => { create.mutate(); }}>
            {pair ? "Create another key pair" : "Create credentials"}
          </Button>
          <CopyButton value={block}>
            {({ copied, copy }) => (
              <Button variant="default" onClick={copy} leftSection={copied ? <IconCheck size={16} /> : <IconCopy size={16} />}>
                {copied ? "Copied" : "Copy"}
              </Button>
            )}
          </CopyButton>
          {pair && <Text size="sm" c="dimmed">The secret is shown only now.</Text>}
        </Group>
        {create.error && <Failed error={create.error} retry={() => { create.mutate(); }} />}
        <Text size="sm">3. Run your first task:</Text>
        <Code block>{FIRST_TASK}</Code>
      </Stack>
    </Card>
  );
}
