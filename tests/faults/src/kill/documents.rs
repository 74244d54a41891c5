//! A lane that creates, edits, moves on and deletes documents.

use std::{
    collections::{HashMap, HashSet},
    marker::PhantomData,
};

use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use rand::{RngExt, rngs::StdRng};
use serde_json::{Value, json};

use super::{
    Lane, Scope, Session, answered,
    kinds::{Content, Kind},
};

/// Documents asked for in one call.
const PER_CALL: usize = 200;
/// Old documents looked at after each round.
const SAMPLE: usize = 20;

pub(crate) struct Documents<K> {
    lane: u32,
    random: StdRng,
    /// What each document has to hold; `None`: it has been deleted.
    known: HashMap<String, Option<Content>>,
    ids: Vec<String>,
    alive: Vec<String>,
    touched: HashSet<String>,
    /// The call without an answer.
    open: Option<Open>,
    calls: u64,
    kind: PhantomData<K>,
}

enum Open {
    Creation(Content),
    Change { id: String, to: Option<Content> },
}

impl<K: Kind> Documents<K> {
    pub(crate) fn new(lane: u32, random: StdRng) -> Self {
        Self {
            lane,
            random,
            known: HashMap::new(),
            ids: Vec::new(),
            alive: Vec::new(),
            touched: HashSet::new(),
            open: None,
            calls: 0,
            kind: PhantomData,
        }
    }

    fn lane_tag(&self) -> String {
        format!("lane-{}", self.lane)
    }

    fn round_tag(&self, round: u32) -> String {
        format!("lane-{}-round-{round}", self.lane)
    }

    fn new_content(&mut self, tags: Vec<String>, state: &str) -> Content {
        let marker = format!("{:016x}", self.random.random::<u64>());
        let length =
            if self.random.random_ratio(1, 20) { 200_000 } else { self.random.random_range(0..5000) };
        let comment = format!("{marker} ☃ {}", "text \"quoted\"\n".repeat(length / 14));
        Content { name: format!("document {marker}"), comment, tags, marker, state: state.to_owned() }
    }

    /// One call. `false`: it got no answer.
    async fn step(&mut self, session: &Session) -> anyhow::Result<bool> {
        match self.random.random_range(0..10) {
            0..4 => self.create(session).await,
            choice => match self.pick() {
                None => self.create(session).await,
                Some((id, content)) => match choice {
                    4..7 => self.edit(session, id, &content).await,
                    7..9 => self.move_on(session, id, content).await,
                    _ => self.delete(session, id).await,
                },
            },
        }
    }

    fn pick(&mut self) -> Option<(String, Content)> {
        if self.alive.is_empty() {
            return None;
        }
        let id = self.alive[self.random.random_range(0..self.alive.len())].clone();
        let content = self.known.get(&id)?.clone()?;
        Some((id, content))
    }

    async fn create(&mut self, session: &Session) -> anyhow::Result<bool> {
        let tags = vec![self.lane_tag(), self.round_tag(session.round)];
        let content = self.new_content(tags, K::NEW_STATE);
        let request = K::fields(&content);
        self.open = Some(Open::Creation(content.clone()));
        let Some(answer) = answered(session.api.call(&format!("{}.create", K::SERVICE), &request).await)?
        else {
            return Ok(false);
        };
        self.open = None;
        let id = answer["id"].as_str().context("no id")?.to_owned();
        ensure!(!self.known.contains_key(&id), "{} {id} was created twice", K::ID);
        self.add(id, content);
        Ok(true)
    }

    fn add(&mut self, id: String, content: Content) {
        self.touched.insert(id.clone());
        self.ids.push(id.clone());
        self.alive.push(id.clone());
        self.known.insert(id, Some(content));
    }

    async fn edit(&mut self, session: &Session, id: String, old: &Content) -> anyhow::Result<bool> {
        let content = self.new_content(old.tags.clone(), &old.state);
        let mut request = K::fields(&content);
        request[K::ID] = json!(id);
        request["force"] = json!(true);
        self.change(session, "edit", request, id, Some(content)).await
    }

    async fn move_on(&mut self, session: &Session, id: String, old: Content) -> anyhow::Result<bool> {
        let Some((endpoint, state)) = K::transition(&old.state, &mut self.random) else { return Ok(true) };
        let action = endpoint.split_once('.').map_or(endpoint, |(_, action)| action);
        let request = json!({K::ID: id, "force": true});
        let content = Content { state: state.to_owned(), ..old };
        self.change(session, action, request, id, Some(content)).await
    }

    async fn delete(&mut self, session: &Session, id: String) -> anyhow::Result<bool> {
        let request = json!({K::ID: id, "force": true, "move_to_trash": self.random.random_bool(0.5)});
        self.change(session, "delete", request, id, None).await
    }

    async fn change(
        &mut self,
        session: &Session,
        action: &str,
        request: Value,
        id: String,
        to: Option<Content>,
    ) -> anyhow::Result<bool> {
        self.touched.insert(id.clone());
        self.open = Some(Open::Change { id: id.clone(), to: to.clone() });
        let Some(_) = answered(session.api.call(&format!("{}.{action}", K::SERVICE), &request).await)? else {
            return Ok(false);
        };
        self.open = None;
        self.settle(id, to);
        Ok(true)
    }

    fn settle(&mut self, id: String, content: Option<Content>) {
        if content.is_none() {
            self.alive.retain(|alive| *alive != id);
        }
        self.known.insert(id, content);
    }

    /// Documents of a filter.
    async fn read(&self, session: &Session, filter: Value) -> anyhow::Result<HashMap<String, Content>> {
        let answer = session.api.call(&format!("{}.get_all_ex", K::SERVICE), &filter).await?;
        let documents = answer[K::SERVICE].as_array().context("no list")?;
        let read = |document: &Value| {
            let id = document["id"].as_str().context("no id")?.to_owned();
            let content = K::read(document).with_context(|| format!("{} {id} is incomplete", K::ID))?;
            Ok((id, content))
        };
        documents.iter().map(read).collect()
    }

    /// A creation without an answer left one whole document or none.
    async fn find_creation(&mut self, session: &Session, content: Content) -> anyhow::Result<()> {
        let tag = content.tags.last().cloned().unwrap_or_default();
        let found = self.read(session, json!({"tags": [tag], "page": 0, "page_size": 500})).await?;
        let unknown: Vec<_> = found.into_iter().filter(|(id, _)| !self.known.contains_key(id)).collect();
        match unknown.as_slice() {
            [] => {}
            [(id, created)] => {
                ensure!(*created == content, "{} {id} was created without an answer as {created:?}", K::ID);
                self.add(id.clone(), content);
            }
            more => bail!("one lost creation made {} documents", more.len()),
        }
        Ok(())
    }

    async fn compare(&mut self, session: &Session, ids: &[String]) -> anyhow::Result<()> {
        let mut open = match self.open.take() {
            Some(Open::Change { id, to }) => Some((id, to)),
            _ => None,
        };
        for ids in ids.chunks(PER_CALL) {
            let mut found = self.read(session, json!({"id": ids, "page": 0, "page_size": 500})).await?;
            for id in ids {
                let found = found.remove(id);
                if let Some((_, to)) = open.take_if(|(changed, to)| changed == id && *to == found) {
                    self.settle(id.clone(), to);
                    continue;
                }
                let expected = self.known.get(id).context("unknown document")?;
                if *expected != found {
                    bail!(
                        "{} {id} (lane {}): {}",
                        K::ID,
                        self.lane,
                        difference(expected.as_ref(), found.as_ref())
                    );
                }
            }
        }
        Ok(())
    }

    /// Nothing is there that nobody wrote.
    async fn count(&self, session: &Session) -> anyhow::Result<()> {
        let mut seen = 0;
        for page in 0.. {
            let filter = json!({
                "tags": [self.lane_tag()], "only_fields": ["id"], "order_by": ["id"], "page": page, "page_size": 500,
            });
            let answer = session.api.call(&format!("{}.get_all_ex", K::SERVICE), &filter).await?;
            let documents = answer[K::SERVICE].as_array().context("no list")?;
            if documents.is_empty() {
                break;
            }
            seen += documents.len();
        }
        ensure!(seen == self.alive.len(), "{seen} {} instead of {}", K::SERVICE, self.alive.len());
        Ok(())
    }
}

#[async_trait]
impl<K: Kind> Lane for Documents<K> {
    async fn write(&mut self, session: &Session) -> anyhow::Result<()> {
        self.touched.clear();
        while self.step(session).await? {
            self.calls += 1;
        }
        Ok(())
    }

    async fn verify(&mut self, session: &Session, scope: Scope) -> anyhow::Result<()> {
        if let Some(Open::Creation(content)) = self.open.take_if(|open| matches!(open, Open::Creation(_))) {
            self.find_creation(session, content).await?;
        }
        let mut ids: HashSet<String> = self.touched.clone();
        if scope == Scope::All {
            ids.extend(self.ids.iter().cloned());
        } else if !self.ids.is_empty() {
            let old = (0..SAMPLE).map(|_| self.ids[self.random.random_range(0..self.ids.len())].clone());
            ids.extend(old);
        }
        self.compare(session, &ids.into_iter().collect::<Vec<_>>()).await?;
        if scope == Scope::All {
            self.count(session).await?;
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let (alive, all) = (self.alive.len(), self.ids.len());
        format!("{}: {} calls acknowledged, {all} created, {alive} left", K::SERVICE, self.calls)
    }
}

/// Where the contents differ, without their long texts.
fn difference(expected: Option<&Content>, found: Option<&Content>) -> String {
    let short = |content: Option<&Content>| match content {
        None => "nothing".to_owned(),
        Some(content) => format!(
            "name {:?}, comment {:?}… of {} bytes, tags {:?}, marker {:?}, state {:?}",
            content.name,
            content.comment.chars().take(20).collect::<String>(),
            content.comment.len(),
            content.tags,
            content.marker,
            content.state
        ),
    };
    format!("expected {}; found {}", short(expected), short(found))
}
