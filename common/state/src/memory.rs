//! State in this process's memory.

/// The state of a server that runs alone: kept in memory, gone when the process ends.
#[derive(Debug, Default)]
pub struct MemoryState;
