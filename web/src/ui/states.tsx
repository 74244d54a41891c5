import { Alert, Button, Center, Group, Loader, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import type { ReactNode } from "react";

/** While something is loaded for the first time. */
export function Loading({ what }: { what: string }) {
  return (
    <Center p="xl" role="status" aria-label={`Loading ${what}`}>
      <Loader size="sm" />
    </Center>
  );
}

/** When loading failed. */
export function Failed({ error, retry }: { error: Error; retry: () => void }) {
  return (
    <Alert color="red" icon={<IconAlertTriangle />} title="That did not work" role="alert" m="md">
      <Group justify="space-between">
        <Text size="sm">{error.message}</Text>
        <Button size="xs" variant="light" color="red" onClick={retry}>Try again</Button>
      </Group>
    </Alert>
  );
}

/** When there is nothing to show. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <Stack align="center" gap="xs" p="xl">
      <Title order={2} size="h4">{title}</Title>
      {children}
    </Stack>
  );
}
