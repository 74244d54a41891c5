import { Box, Flex } from "@mantine/core";
import type { ReactNode } from "react";

/** A page: a header that stays, and content that fills the rest. */
export function Page({ header, children }: { header: ReactNode; children: ReactNode }) {
  return (
    <Flex direction="column" h="100dvh">
      <Box px={20} py="md">{header}</Box>
      <Box flex={1} mih={0} style={{ overflow: "auto" }}>{children}</Box>
    </Flex>
  );
}
