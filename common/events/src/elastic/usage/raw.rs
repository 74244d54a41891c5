//! Samples as they were appended, for a copy of the store.

use bson::Document;
use serde::de::DeserializeOwned;

use super::Statistics;
use crate::{EventError, EventResult, SampleKind, SamplePage, Samples, elastic::paging};

impl Statistics {
    /// A page behind a position.
    pub(in crate::elastic) async fn samples(
        &self,
        company: &str,
        kind: SampleKind,
        after: Option<&str>,
        limit: usize,
    ) -> EventResult<SamplePage> {
        let name = match kind {
            SampleKind::Workers => super::workers::KIND,
            SampleKind::Queues => super::queues::KIND,
            SampleKind::Serving => super::serving::KIND,
        };
        let pattern = self.open(name, company).await?;
        let (documents, next) = paging::by_time(&self.searcher, pattern, after, limit).await?;
        let samples = match kind {
            SampleKind::Workers => Samples::Workers(read(documents)?),
            SampleKind::Queues => Samples::Queues(read(documents)?),
            SampleKind::Serving => Samples::Serving(read(documents)?),
        };
        Ok(SamplePage { samples, next })
    }
}

fn read<T: DeserializeOwned>(documents: Vec<Document>) -> EventResult<Vec<T>> {
    let sample = |document| bson::deserialize_from_document(document);
    let samples = documents.into_iter().map(sample).collect::<Result<_, _>>();
    samples.map_err(|error| EventError::Backend(format!("a sample that is none: {error}")))
}
