import { Box, Title } from "@mantine/core";

import { Page } from "../shell/Page";
import { ConnectPanel } from "./ConnectPanel";

export function ConnectPage() {
  return (
    <Page header={<Title order={1} size="h3">Connect</Title>}>
      <Box px={20} pb="xl"><ConnectPanel /></Box>
    </Page>
  );
}
