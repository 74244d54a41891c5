//! The keys that match a glob, by `SCAN`: a step at a time, so that the server serves others meanwhile.

use std::collections::HashSet;

use redis::{Value, cmd};

use super::{
    RedisServers,
    link::{Link, Node},
};
use crate::{StateError, StateResult, escape_glob};

/// Keys that the server looks at in one step.
const STEP: u32 = 1000;

/// All keys without their prefix, in any order. In a cluster every primary is asked.
pub(super) async fn keys(link: &Link, glob: &str) -> StateResult<Vec<String>> {
    let prefix = &link.settings().prefix;
    let glob = format!("{}{glob}", escape_glob(prefix));
    // A key may show twice while the server rebuilds its table, or moves keys between nodes.
    let mut found = HashSet::new();
    match &link.settings().servers {
        RedisServers::Cluster(_) => {
            for node in primaries(link).await? {
                scan(link, Some(&node), &glob, prefix, &mut found).await?;
            }
        }
        _ => scan(link, None, &glob, prefix, &mut found).await?,
    }
    Ok(found.into_iter().collect())
}

async fn scan(
    link: &Link,
    node: Option<&Node>,
    glob: &str,
    prefix: &str,
    found: &mut HashSet<String>,
) -> StateResult<()> {
    let mut cursor = "0".to_owned();
    loop {
        let mut command = cmd("SCAN");
        command.arg(&cursor).arg("MATCH").arg(glob).arg("COUNT").arg(STEP);
        let step = link.ask(node, &command).await?;
        let (next, keys): (String, Vec<Vec<u8>>) =
            redis::from_redis_value(step).map_err(|error| link.explain(&error.into()))?;
        let keys = keys.into_iter().filter_map(|key| String::from_utf8(key).ok());
        found.extend(keys.filter_map(|key| key.strip_prefix(prefix).map(str::to_owned)));
        if next == "0" {
            return Ok(());
        }
        cursor = next;
    }
}

/// Addresses of the nodes that hold slots.
async fn primaries(link: &Link) -> StateResult<HashSet<Node>> {
    let slots = link.ask(None, cmd("CLUSTER").arg("SLOTS")).await?;
    let Value::Array(ranges) = slots else { return Err(unreadable()) };
    let nodes: HashSet<_> = ranges.iter().filter_map(primary).collect();
    if nodes.is_empty() { Err(unreadable()) } else { Ok(nodes) }
}

/// The primary of `[first slot, last slot, [host, port, id, …], replicas…]`.
fn primary(range: &Value) -> Option<Node> {
    let Value::Array(range) = range else { return None };
    let Value::Array(node) = range.get(2)? else { return None };
    let host: String = redis::from_redis_value_ref(node.first()?).ok()?;
    let port: u16 = redis::from_redis_value_ref(node.get(1)?).ok()?;
    Some((host, port))
}

fn unreadable() -> StateError {
    StateError::Unavailable("the Redis Cluster does not tell its nodes".to_owned())
}
